package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// device is a PC with a certificate of the city for its unions, and its connection.
type device struct {
	own    tlsid.Own
	unions []int // by number
	client *http.Client
}

// newDevice certifies a device for some unions, as an enrolment does. The centre takes it in by
// its certificate when it is first heard.
func newDevice(node *trust.Node, unions []int) (*device, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device: %w", err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	var codes []string
	for _, u := range unions {
		codes = append(codes, unionCode(u))
	}
	slices.Sort(codes)
	cert, err := node.City.SignDevice(pub, hex.EncodeToString(id), time.Now(), codes...)
	if err != nil {
		return nil, fmt.Errorf("make device: %w", err)
	}
	d := &device{own: tlsid.Own{Key: key, Cert: cert, CA: node.Own.CA}, unions: unions}
	d.client = wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(d.own)})
	return d, nil
}

// packed is a request as it travels.
func packed(q *syncpb.Request, enc *zstd.Encoder) ([]byte, error) {
	b, err := proto.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("pack request: %w", err)
	}
	return enc.EncodeAll(b, nil), nil
}

// newPacker packs as agents do.
func newPacker() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
}

// refusal is an answer that is an error of ours. Where the outcome is unknown, because the
// leader lost its office meanwhile, sending again tells it.
type refusal struct {
	code  string
	retry bool
}

func (r refusal) Error() string { return "refused with code " + r.code }

// exchange sends a packed request to a node and reads its answer.
func (d *device) exchange(ctx context.Context, url string, body []byte) (*syncpb.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+unionrpcconnect.UnionExchangeProcedure, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	r.Header.Set("Content-Type", "application/proto")
	r.Header.Set("Content-Encoding", "zstd")
	r.Header.Set("Accept-Encoding", "zstd")
	res, err := d.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(res.Body, syncproto.MaxRequestBytes))
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		code := res.Header.Get(wire.HeaderCode)
		unknown := code == strconv.Itoa(int(syncproto.CodeUnknownOutcome))
		return nil, refusal{code: code + " " + string(b), retry: unknown || res.Header.Get(wire.HeaderRetry) != ""}
	}
	return unpacked(b, res.Header.Get("Content-Encoding"))
}

// unpack is safe for concurrent use.
var unpack, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*syncproto.MaxRequestBytes)) // its options are constants

func unpacked(b []byte, encoding string) (*syncpb.Response, error) {
	if encoding == "zstd" {
		var err error
		if b, err = unpack.DecodeAll(b, nil); err != nil {
			return nil, fmt.Errorf("unpack answer: %w", err)
		}
	}
	m := new(syncpb.Response)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return m, nil
}

// patience is how long a request is sent again: the centre may be busy, or change its leader.
const patience = 2 * time.Minute

// insist sends a request until it is answered. Whatever became of the one before, sending it
// again changes nothing.
func (d *device) insist(ctx context.Context, url string, body []byte) (r *syncpb.Response, again int, err error) {
	began := time.Now()
	for ; ; again++ {
		if r, err = d.exchange(ctx, url, body); err == nil {
			return r, again, nil
		}
		var no refusal
		if errors.As(err, &no) && !no.retry || ctx.Err() != nil || time.Since(began) > patience {
			return nil, again, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

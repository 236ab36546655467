package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// flights is how many entries are on their way at once, as in the product.
const flights = 3

// runPlain is a process of city_plain: it says "ready" and, when everything is applied, "end", and works until it
// is ended. The first one feeds.
func runPlain(ctx context.Context, args []string, stdout io.Writer) (err error) {
	f := flag.NewFlagSet("plain", flag.ContinueOnError)
	id, dir := f.String("id", "", "of this node"), f.String("dir", "", "its folder")
	peers, file := f.String("peers", "", "of all nodes: id=address,…"), f.String("file", "", "of requests, with lengths")
	if err := f.Parse(args); err != nil {
		return err
	}
	n := &plainNode{id: *id, dir: *dir, peers: strings.Split(*peers, ","), out: stdout}
	defer func() { err = errors.Join(err, n.close()) }()
	if err := n.open(); err != nil {
		return err
	}
	if n.leads() {
		if err := n.awaitLead(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(stdout, "ready")
	if n.leads() {
		if err := n.feed(ctx, *file); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// feed puts all changes of the file into the log, and the end behind them.
func (n *plainNode) feed(ctx context.Context, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer func() { _ = in.Close() }() // only read
	r := &requests{in: in}
	g, ctx := errgroup.WithContext(ctx)
	for range flights {
		g.Go(func() error {
			for ctx.Err() == nil {
				entry, err := r.entry()
				if err != nil || len(entry) == 0 {
					return err
				}
				if err := n.propose(n.enc.EncodeAll(entry, nil)); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	return n.propose(endMark)
}

func (n *plainNode) propose(entry []byte) error {
	f := n.raft.Apply(entry, plainTimeout)
	if err := f.Error(); err != nil {
		return err
	}
	err, _ := f.Response().(error)
	return err
}

// requests makes entries of a file of requests.
type requests struct {
	mu    sync.Mutex
	in    io.Reader // guarded by mu
	spill []byte    // guarded by mu: read, and too large for the entry it came to
}

// entry gives keys and values of as many requests as one entry of the product may hold; none at
// the end.
func (r *requests) entry() (out []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, r.spill = r.spill, nil
	for {
		more, err := r.request()
		if err != nil || len(more) == 0 {
			return out, err
		}
		if len(out) > 0 && len(out)+len(more) > syncproto.MaxEntryBytes {
			r.spill = more
			return out, nil
		}
		out = append(out, more...)
	}
}

func (r *requests) request() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r.in, size[:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(r.in, b); err != nil {
		return nil, err
	}
	return plainKeys(b)
}

// plainKeys gives the keys and values that a request's changes are for a plain store: the bytes of each change
// under its record's name.
func plainKeys(body []byte) (out []byte, err error) {
	b, err := unpack.DecodeAll(body, nil)
	if err != nil {
		return nil, fmt.Errorf("unpack request: %w", err)
	}
	q := new(syncpb.Request)
	if err := proto.Unmarshal(b, q); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	for _, s := range q.GetBatch() {
		for _, b := range s.GetChanges() {
			c, err := syncproto.DecodeChange(b, syncproto.JournalID(q.GetJournal()))
			if err != nil {
				return nil, fmt.Errorf("read change: %w", err)
			}
			key := binary.BigEndian.AppendUint16([]byte(c.Union), uint16(c.Kind))
			out = appendPart(appendPart(out, append(key, c.ID[:]...)), b)
		}
	}
	return out, nil
}

package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// badCity is a centre with one device that has synced, for requests that must change
// nothing.
type badCity struct {
	*testCity
	n  *running
	pc *pc
}

func newBadCity(t *testing.T) *badCity {
	c := &badCity{testCity: newCity(t, 1, gate.Capacity{Contacts: patience})}
	c.n = c.nodes[0]
	c.importUnions("u1", "u2")
	c.pc = c.enrolPC(c.n, "u1")
	c.pc.Save(note(1, "before"))
	c.pc.sync(c.n)
	return c
}

// ask gives a request with a new change, as the device would make it.
func (c *badCity) ask() *syncpb.Request {
	c.pc.Save(note(2, "bad"))
	q, _, err := c.pc.Ask()
	if err != nil {
		c.t.Fatal(err)
	}
	return q
}

// certify gives this city's certificate to a key that no list knows.
func (c *badCity) certify(role tlsid.Role, id string) tlsid.Own {
	key := ed25519.NewKeyFromSeed(random(ed25519.SeedSize))
	pub, city, now := key.Public().(ed25519.PublicKey), c.n.trust.City, time.Now()
	cert, err := city.SignDevice(pub, "00000000000000000000000000000001", now)
	switch role {
	case tlsid.RoleNode:
		cert, err = city.SignNode(pub, id, nil, now)
	case tlsid.RoleOperator:
		cert, err = city.SignOperator(pub, id, now)
	case tlsid.RoleDevice:
		cert, err = city.SignDevice(pub, id, now)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return tlsid.Own{Key: key, Cert: cert, CA: city.Certificate()}
}

// otherCity makes a device of another city that trusts this one's centre.
func (c *badCity) otherCity() tlsid.Own {
	other, err := trust.Init(c.t.TempDir(), trust.Founding{City: "other", NodeID: "x", Rand: rand.Reader, Now: time.Now()})
	if err != nil {
		c.t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(random(ed25519.SeedSize))
	cert, err := other.City.SignDevice(key.Public().(ed25519.PublicKey), hex.EncodeToString(c.pc.id), time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return tlsid.Own{Key: key, Cert: cert, CA: c.n.trust.City.Certificate()}
}

// TestBadExchangeChangesNothing: every way in which an exchange can be wrong gets its code,
// and leaves index, head and every byte of the state as they were.
func TestBadExchangeChangesNothing(t *testing.T) {
	t.Parallel()
	c := newBadCity(t)
	device, url := tlsid.ClientTLS(c.pc.own), c.n.ready.API
	same := func(change func(*syncpb.Request)) *syncpb.Request {
		q := proto.CloneOf(c.ask())
		change(q)
		return q
	}
	hop := map[string]string{"Unionsync-Hop": "1"}
	rows := []struct {
		why     string
		tls     *tls.Config
		change  func(*syncpb.Request)
		headers map[string]string
		want    syncproto.Code
	}{
		{"no certificate", tlsid.AnonymousTLS(c.n.trust.City.Fingerprint()), nil, nil, syncproto.CodeNoCertificate},
		{"another city's certificate", tlsid.ClientTLS(c.otherCity()), nil, nil, syncproto.CodeCertRefused},
		{"an operator's certificate", tlsid.ClientTLS(c.certify(tlsid.RoleOperator, "op")), nil, nil, syncproto.CodeWrongRole},
		{"a node that names no device", tlsid.ClientTLS(c.n.trust.Own), nil, nil, syncproto.CodeWrongRole},
		{"a device that never enrolled", tlsid.ClientTLS(c.certify(tlsid.RoleDevice, hex.EncodeToString(random(16)))), nil, nil, syncproto.CodeDeviceUnknown},
		{"another key under a known id", tlsid.ClientTLS(c.certify(tlsid.RoleDevice, hex.EncodeToString(c.pc.id))), nil, nil, syncproto.CodeDeviceUnknown},
		{"a union of others", device, func(q *syncpb.Request) { q.Union = "u2" }, nil, syncproto.CodeNotYourUnion},
		{"the city's own records", device, func(q *syncpb.Request) { q.Union = syncproto.CityUnion }, nil, syncproto.CodeNotYourUnion},
		{"no union", device, func(q *syncpb.Request) { q.Union = "" }, nil, syncproto.CodeNotYourUnion},
		{"another centre's history", device, func(q *syncpb.Request) { q.History = random(syncproto.HistorySize) }, nil, syncproto.CodeOtherCentre},
		{"a newer protocol only", device, func(q *syncpb.Request) { q.ProtocolMin, q.ProtocolMax = 9, 9 }, nil, syncproto.CodeProtocol},
		{"no journal", device, func(q *syncpb.Request) { q.Journal = 0 }, nil, syncproto.CodeInvalid},
		{"too many changes", device, func(q *syncpb.Request) {
			q.Batch[0].Changes = make([][]byte, syncproto.MaxBatchChanges+1)
		}, nil, syncproto.CodeTooLarge},
		{"a message above the limit", device, func(q *syncpb.Request) {
			q.Returned = []*syncpb.Returned{{Certificate: random(syncproto.MaxRequestBytes)}}
		}, nil, syncproto.CodeTooLarge},
		{"a header between nodes", device, nil, hop, syncproto.CodeInvalid},
		{"a device that another one names", device, nil, map[string]string{"Unionsync-Device": hex.EncodeToString(c.pc.id)}, syncproto.CodeInvalid},
	}
	before := c.state(c.n)
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			q := same(func(q *syncpb.Request) {
				if r.change != nil {
					r.change(q)
				}
			})
			_, err := callExchange(t, r.tls, url, q, r.headers)
			wantCode(t, err, r.want)
			if after := c.state(c.n); after != before {
				t.Fatalf("the state moved: %+v, was %+v", after, before)
			}
		})
	}
	if u := c.pc.sync(c.n); !u.Equal {
		t.Fatal("the device itself is not well afterwards")
	}
}

// raw posts bytes as they are and gives the answer's headers and text.
func (c *badCity) raw(t *testing.T, path string, headers map[string]string, body io.Reader) (http.Header, string) {
	t.Helper()
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(c.pc.own)})
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.n.ready.API+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/proto")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	r, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Header, string(text)
}

// TestBadBytes: what is no request gets a code too, and no text of the libraries' errors.
func TestBadBytes(t *testing.T) {
	t.Parallel()
	c := newBadCity(t)
	whole, err := proto.Marshal(c.ask())
	if err != nil {
		t.Fatal(err)
	}
	bomb := new(bytes.Buffer)
	w, err := zstd.NewWriter(bomb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, 256<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	small := w.EncodeAll(whole, nil)
	packed := map[string]string{"Content-Encoding": "zstd"}
	const path = unionrpcconnect.UnionExchangeProcedure
	rows := []struct {
		why     string
		path    string
		headers map[string]string
		body    []byte
		want    syncproto.Code
	}{
		{"a message cut in the middle", path, nil, whole[:len(whole)-3], syncproto.CodeInvalid},
		{"noise", path, nil, []byte("GET / HTTP/1.1\r\n\r\n\xff\xff"), syncproto.CodeInvalid},
		{"noise that says it is packed", path, packed, []byte("not zstd"), syncproto.CodeInvalid},
		{"a packed message cut in the middle", path, packed, small[:len(small)/2], syncproto.CodeInvalid},
		{"256 MiB in a small packet", path, packed, bomb.Bytes(), syncproto.CodeTooLarge},
		{"a packing that is not served", path, map[string]string{"Content-Encoding": "gzip"}, whole, syncproto.CodeInvalid},
		{"a body above the limit", path, nil, make([]byte, syncproto.MaxRequestBytes+1), syncproto.CodeTooLarge},
		{"a call that does not exist", "/unionsync.rpc.v1.Union/Forget", nil, whole, syncproto.CodeInvalid},
		{"a form that is not served", path, map[string]string{"Content-Type": "text/html"}, whole, syncproto.CodeInvalid},
	}
	before := c.state(c.n)
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			began := time.Now()
			head, text := c.raw(t, r.path, r.headers, bytes.NewReader(r.body))
			if got := head.Get(wire.HeaderCode); got != strconv.Itoa(int(r.want)) {
				t.Fatalf("code %q (%s), want %d", got, text, r.want)
			}
			if len(text) > 40 || strings.Contains(text, "message") {
				t.Fatalf("it tells %q", text)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Fatalf("it took %s", d)
			}
			if after := c.state(c.n); after != before {
				t.Fatalf("the state moved: %+v, was %+v", after, before)
			}
		})
	}
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestBadEnrolment: codes that are wrong, old, used or guessed.
func TestBadEnrolment(t *testing.T) {
	t.Parallel()
	c := newBadCity(t)
	url, now := c.n.ready.API, time.Now().Unix()
	put := func(secret byte, expires int64) string {
		code := enrolcode.Code{Secret: [enrolcode.SecretBytes]byte{secret, 1}}
		fp := c.n.trust.City.Fingerprint()
		copy(code.CA[:], fp[:])
		hash := code.Hash(c.n.trust.City.EnrolKey())
		entry, err := ledger.Entry(&entrypb.Code{Time: now, Hash: hash[:], Union: "u1", Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.n.cluster.Propose(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		return code.String()
	}
	unknown := func(secret byte) string {
		code := enrolcode.Code{Secret: [enrolcode.SecretBytes]byte{secret, 2}}
		fp := c.n.trust.City.Fingerprint()
		copy(code.CA[:], fp[:])
		return code.String()
	}
	good, old, used := put(1, now+60), put(2, now-60), c.code("u1")
	first, err := enrolWith(t, url, used, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := enrolWith(t, url, used, first.id, first.Key)
	if err != nil || again.State.Union != "u1" {
		t.Fatalf("the same device cannot come again: %v", err)
	}
	before := c.state(c.n)
	rows := []struct {
		why  string
		code string
		id   []byte
		key  ed25519.PrivateKey
		want syncproto.Code
	}{
		{"nobody made it", unknown(9), nil, nil, syncproto.CodeEnrolUnknown},
		{"past its day", old, nil, nil, syncproto.CodeEnrolExpired},
		{"used by another device", used, nil, nil, syncproto.CodeEnrolUsed},
		{"used by this device with another key", used, first.id, ed25519.NewKeyFromSeed(random(32)), syncproto.CodeEnrolUsed},
		{"a known device with another key", good, first.id, ed25519.NewKeyFromSeed(random(32)), syncproto.CodeEnrolUsed},
		{"a device id of a wrong length", good, random(15), nil, syncproto.CodeInvalid},
	}
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			_, err := enrolWith(t, url, r.code, r.id, r.key)
			wantCode(t, err, r.want)
			if after := c.state(c.n); after != before {
				t.Fatalf("the state moved: %+v, was %+v", after, before)
			}
		})
	}
	var last error
	for i := range 20 {
		if _, last = enrolWith(t, url, unknown(byte(100+i)), nil, nil); syncproto.CodeOf(last) == syncproto.CodeEnrolAttempts {
			break
		}
	}
	wantCode(t, last, syncproto.CodeEnrolAttempts)
	if after := c.state(c.n); after != before {
		t.Fatalf("guesses moved the state: %+v, was %+v", after, before)
	}
}

// TestBadAdminCalls: the operators' door.
func TestBadAdminCalls(t *testing.T) {
	t.Parallel()
	c := newBadCity(t)
	url, ctx := c.n.ready.API, t.Context()
	client := func(own *tls.Config) unionrpcconnect.AdminClient {
		h := wire.NewClient(wire.ClientConfig{TLS: own})
		t.Cleanup(h.CloseIdleConnections)
		return unionrpcconnect.NewAdminClient(h, url, wire.ClientOptions(1<<20))
	}
	anonymous := client(tlsid.AnonymousTLS(c.n.trust.City.Fingerprint()))
	device := client(tlsid.ClientTLS(c.pc.own))
	node := client(tlsid.ClientTLS(c.n.trust.Own))
	stranger := c.certify(tlsid.RoleNode, "n9")
	pub := stranger.Key.Public().(ed25519.PublicKey)
	status := func(a unionrpcconnect.AdminClient) error {
		_, err := a.Status(ctx, connect.NewRequest(&unionrpc.StatusRequest{}))
		return err
	}
	join := func(a unionrpcconnect.AdminClient, q *unionrpc.JoinRequest) error {
		_, err := a.Join(ctx, connect.NewRequest(q))
		return err
	}
	create := func(union string, seconds int64) error {
		_, err := node.CreateCode(ctx, connect.NewRequest(&unionrpc.CreateCodeRequest{Union: union, ValidSeconds: seconds}))
		return err
	}
	org := func(rows ...*unionrpc.OrgRow) error {
		_, err := node.ImportOrg(ctx, connect.NewRequest(&unionrpc.ImportOrgRequest{Rows: rows}))
		return err
	}
	proof := c.n.trust.Key.JoinProof(pub)
	rows := []struct {
		why  string
		call func() error
		want syncproto.Code
	}{
		{"status without certificate", func() error { return status(anonymous) }, syncproto.CodeNoCertificate},
		{"status of a device", func() error { return status(device) }, syncproto.CodeWrongRole},
		{"join without proof and certificate", func() error { return join(anonymous, &unionrpc.JoinRequest{Node: "n9"}) }, syncproto.CodeNoCertificate},
		{"join of a device", func() error { return join(device, &unionrpc.JoinRequest{Node: "n9"}) }, syncproto.CodeNoCertificate},
		{"join with a wrong proof", func() error {
			return join(anonymous, &unionrpc.JoinRequest{Node: "n9", PublicKey: pub, Proof: random(32)})
		}, syncproto.CodeJoinProof},
		{"join with a proof for another key", func() error {
			return join(anonymous, &unionrpc.JoinRequest{Node: "n9", PublicKey: random(32), Proof: proof})
		}, syncproto.CodeJoinProof},
		{"join under a name that is taken", func() error {
			return join(anonymous, &unionrpc.JoinRequest{Node: "n1", PublicKey: pub, Proof: proof})
		}, syncproto.CodeNodeExists},
		{"join under a name that is none", func() error {
			return join(anonymous, &unionrpc.JoinRequest{Node: "../n", PublicKey: pub, Proof: proof})
		}, syncproto.CodeInvalid},
		{"a node that lists another", func() error {
			return join(client(tlsid.ClientTLS(stranger)), &unionrpc.JoinRequest{Node: "n1", RaftAddress: "127.0.0.1:1", ApiAddress: "https://127.0.0.1:1"})
		}, syncproto.CodeWrongRole},
		{"a node without its certificate", func() error {
			return join(client(tlsid.ClientTLS(stranger)), &unionrpc.JoinRequest{Node: "n9", RaftAddress: "127.0.0.1:1", ApiAddress: "https://127.0.0.1:1"})
		}, syncproto.CodeCertificate},
		{"a node that nobody could dial", func() error {
			return join(client(tlsid.ClientTLS(stranger)), &unionrpc.JoinRequest{Node: "n9", RaftAddress: "0.0.0.0:1", ApiAddress: "https://127.0.0.1:1", Certificate: stranger.Cert.Raw})
		}, syncproto.CodeInvalid},
		{"a code for no union", func() error { return create("nowhere", 60) }, syncproto.CodeUnionUnknown},
		{"a code for the city's own records", func() error { return create(syncproto.CityUnion, 60) }, syncproto.CodeUnionUnknown},
		{"a code for ever", func() error { return create("u1", 1<<40) }, syncproto.CodeInvalid},
		{"a code for a second", func() error { return create("u1", 1) }, syncproto.CodeInvalid},
		{"an import of nothing", func() error { return org() }, syncproto.CodeInvalid},
		{"a list below no unit", func() error {
			_, err := node.ListOrg(ctx, connect.NewRequest(&unionrpc.ListOrgRequest{Parent: "nowhere"}))
			return err
		}, syncproto.CodeUnionUnknown},
	}
	before := c.state(c.n)
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			wantCode(t, wire.Decode("call", r.call()), r.want)
			if after := c.state(c.n); after != before {
				t.Fatalf("the state moved: %+v, was %+v", after, before)
			}
		})
	}
}

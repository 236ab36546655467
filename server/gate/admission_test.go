package gate

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// long is how long a test waits for what should come at once.
const long = 30 * time.Second

// served is a gate that is served over TLS on loopback.
type served struct {
	*bench
	addr string
	own  tlsid.Own // of its device
}

// serveBench serves a bench whose capacity was changed.
func serveBench(t testing.TB, change func(*Capacity)) *served {
	t.Helper()
	b := newBench(t)
	change(&b.g.cfg.Capacity)
	b.g.pace = newPacer(b.g.cfg.Capacity.Requests)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.g.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &served{bench: b, addr: l.Addr().String(), own: b.deviceOwn(b.agent.Key, hex.EncodeToString(b.id))}
}

// deviceOwn signs a device's certificate.
func (b *bench) deviceOwn(key ed25519.PrivateKey, id string) tlsid.Own {
	b.t.Helper()
	city := b.g.cfg.Node.City
	cert, err := city.SignDevice(key.Public().(ed25519.PublicKey), id, time.Now(), "u1")
	if err != nil {
		b.t.Fatal(err)
	}
	return tlsid.Own{Key: key, Cert: cert, CA: city.Certificate()}
}

// call makes an exchange over a connection of its own.
func (s *served) call(own tlsid.Own, q *syncpb.Request) error {
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(own)})
	defer client.CloseIdleConnections()
	_, err := unionrpcconnect.NewUnionClient(client, "https://"+s.addr, wire.ClientOptions(syncproto.MaxRequestBytes)).
		Exchange(s.t.Context(), connect.NewRequest(q))
	return wire.Decode("exchange", err)
}

func (s *served) ask() *syncpb.Request {
	s.t.Helper()
	q, _, err := s.agent.Ask()
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

// dial makes a line to the door and shows the device's certificate.
func (s *served) dial() *tls.Conn {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.addr, tlsid.ClientTLS(s.own))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// begin sends the head of an exchange of n bytes, and no body.
func begin(t *testing.T, c io.Writer, n int) {
	t.Helper()
	_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\nContent-Length: %d\r\n\r\n",
		unionrpcconnect.UnionExchangeProcedure, n)
	if err != nil {
		t.Fatal(err)
	}
}

// until asks again and again until ok, which happens soon or never.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(long)
	for !ok() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal(what)
		}
	}
}

// wantAgain checks that an error asks to come again, in a time that an agent honours.
func wantAgain(t *testing.T, err error, want syncproto.Code) {
	t.Helper()
	var coded *syncproto.Error
	if !errors.As(err, &coded) || coded.Code != want {
		t.Fatalf("%v, want E%d", err, want)
	}
	if n, err := strconv.Atoi(coded.Args["seconds"]); err != nil || n < int(firstReturn.Seconds()) || n > int(lastReturn.Seconds()) {
		t.Fatalf("come again in %q s", coded.Args["seconds"])
	}
}

// TestBusy: beyond its turns a node says when to come again, and goes on serving.
func TestBusy(t *testing.T) {
	s := serveBench(t, func(c *Capacity) { c.Requests, c.Queue, c.DeviceAtOnce = 1, 50*time.Millisecond, 9 })
	s.log.hold = make(chan struct{})
	s.save(1)
	working := make(chan error, 1)
	go func() { working <- s.call(s.own, s.ask()) }()
	idle := &syncpb.Request{Union: "u1", Journal: 7, ProtocolMin: 1, ProtocolMax: 1}
	var err error
	until(t, "never busy", func() bool { err = s.call(s.own, idle); return syncproto.Later(syncproto.CodeOf(err)) && err != nil })
	wantAgain(t, err, syncproto.CodeBusy)
	close(s.log.hold)
	if err := <-working; err != nil {
		t.Fatal(err)
	}
	if err := s.call(s.own, s.ask()); err != nil {
		t.Fatal("after the rush:", err)
	}
}

// TestSlowBodyHoldsNobodyUp: a body that does not come has no turn, and ends.
func TestSlowBodyHoldsNobodyUp(t *testing.T) {
	s := serveBench(t, func(c *Capacity) { c.Requests, c.DeviceAtOnce = 1, 9 })
	for range 3 {
		begin(t, s.dial(), 500)
	}
	if err := s.call(s.own, s.ask()); err != nil {
		t.Fatal(err)
	}
}

// fakeLine is a body and its deadlines, by a clock of its own.
type fakeLine struct {
	bytes, piece int
	here         int           // of the piece that has come
	every        time.Duration // between two pieces
	at, deadline time.Duration // since the beginning, as far as deadlines tell
	began        time.Time
	last         bool // a deadline was taken away
}

func (f *fakeLine) SetReadDeadline(t time.Time) error {
	if f.last = t.IsZero(); !f.last {
		f.deadline = t.Sub(f.began)
	}
	return nil
}

func (f *fakeLine) SetWriteDeadline(t time.Time) error { return f.SetReadDeadline(t) }

func (f *fakeLine) Read(b []byte) (int, error) {
	if f.bytes == 0 {
		return 0, io.EOF
	}
	if f.here == 0 {
		if f.at += f.every; f.at > f.deadline {
			return 0, fmt.Errorf("read: %w", errTimeout)
		}
		f.here = f.piece
	}
	n := min(f.here, f.bytes, len(b))
	f.bytes, f.here = f.bytes-n, f.here-n
	return n, nil
}

var errTimeout = func() error {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	_ = a.SetReadDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))
	return err
}()

// TestSlowestLine: what a bad line carries is waited for, what only pretends is not.
func TestSlowestLine(t *testing.T) {
	for _, row := range []struct {
		why  string
		line fakeLine
		want syncproto.Code
	}{
		{"a night's request over 9,600 bit/s", fakeLine{bytes: 100 << 10, piece: 1100, every: time.Second}, 0},
		{"a line that stands still for 25 s and then goes on", fakeLine{bytes: 2 << 10, piece: 1 << 10, every: 12 * time.Second}, 0},
		{"a byte every ten seconds", fakeLine{bytes: 1 << 10, piece: 1, every: 10 * time.Second}, syncproto.CodeTooSlow},
		{"nothing at all", fakeLine{bytes: 1, piece: 1, every: time.Hour}, syncproto.CodeTooSlow},
		{"fast enough by bytes, and without an end", fakeLine{bytes: 1 << 20, piece: 600, every: time.Second}, syncproto.CodeTooSlow},
	} {
		l := row.line
		l.began = time.Now()
		b, err := readBody(&l, &l, 1<<20, -1)
		if row.want == 0 && (err != nil || len(b) != row.line.bytes || !l.last) || row.want != 0 && syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %d bytes, %v", row.why, len(b), err)
		}
	}
}

// TestMemoryIsBounded: what is begun and not finished fills the memory; then others are told
// to come again, and what has ended makes room.
func TestMemoryIsBounded(t *testing.T) {
	s := serveBench(t, func(c *Capacity) {
		c.Memory, c.Queue, c.DeviceAtOnce, c.DeviceRate = 40<<10, 30*time.Millisecond, 9, 10_000
	})
	slow := s.dial()
	begin(t, slow, 39<<10)
	idle := s.ask()
	idle.Client = &syncpb.Client{Version: rand.Text() + rand.Text()}
	for len(idle.GetClient().GetVersion()) < 4<<10 { // what packs to nothing needs no room
		idle.Client.Version += rand.Text()
	}
	var err error
	until(t, "never full", func() bool { err = s.call(s.own, idle); return err != nil })
	wantAgain(t, err, syncproto.CodeMemoryFull)
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "never free again", func() bool { return s.call(s.own, idle) == nil })
}

// TestAnswerNotRead: who does not read its answer keeps no turn. The turn is given back
// before the first byte is written.
func TestAnswerNotRead(t *testing.T) {
	b := newBench(t)
	b.g.cfg.Capacity.Requests = 1
	turns := newTurns(b.g, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 100<<10))
	}))
	ctx := context.WithValue(t.Context(), callerKey{}, caller{known: true, id: tlsid.Identity{Role: tlsid.RoleNode}})
	stuck, reads := net.Pipe()
	defer func() { _, _ = stuck.Close(), reads.Close() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q, _ := http.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
		turns.ServeHTTP(&pipeWriter{Conn: stuck}, q)
	}()
	if _, err := reads.Read(make([]byte, 1)); err != nil { // the answer has begun, and is not read on
		t.Fatal(err)
	}
	if !turns.atOnce.TryAcquire(1) {
		t.Error("the turn is held while the answer is written")
	}
	if turns.memory.used < 100<<10 {
		t.Errorf("%d bytes are counted while the answer is written", turns.memory.used)
	}
	_ = reads.Close()
	<-ended
	if turns.memory.used != 0 {
		t.Errorf("%d bytes are still counted", turns.memory.used)
	}
}

// pipeWriter is an answer that goes over a line without a buffer.
type pipeWriter struct {
	net.Conn
	head http.Header
}

func (p *pipeWriter) Header() http.Header {
	if p.head == nil {
		p.head = http.Header{}
	}
	return p.head
}

func (p *pipeWriter) WriteHeader(int) {}

// TestAnswerIsReadInTime: an answer that is read slowly, but faster than the slowest line,
// is written to its end.
func TestAnswerIsReadInTime(t *testing.T) {
	a := &answering{head: http.Header{}}
	_, _ = a.Write(make([]byte, 64<<10))
	l := &fakeLine{began: time.Now()}
	if err := a.to(&pipeWriter{Conn: sink{}}, l); err != nil {
		t.Fatal(err)
	}
	if want := slowStarts + 48*time.Second; l.deadline < slowStarts || l.deadline > slowStarts+128*time.Second || l.deadline < want {
		t.Errorf("the last piece may take until %v, want at least %v", l.deadline, want)
	}
}

// sink takes all that is written.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }

// TestDeviceAtOnce: one device has its bound, another is not touched by it.
func TestDeviceAtOnce(t *testing.T) {
	s := serveBench(t, func(c *Capacity) { c.DeviceAtOnce = 2 })
	for range 2 {
		begin(t, s.dial(), 500)
	}
	var err error
	until(t, "no bound for one device", func() bool { err = s.call(s.own, s.ask()); return err != nil })
	wantAgain(t, err, syncproto.CodeDeviceBusy)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := s.deviceOwn(key, strings.Repeat("ab", deviceIDSize)) // its certificate takes it in
	if err := s.call(other, &syncpb.Request{Union: "u1", Journal: 8, ProtocolMin: 1, ProtocolMax: 1}); err != nil {
		t.Fatal("another device:", err)
	}
}

// TestDeviceRate: a device that asks without end gets its share, and what it does not use
// comes back to it.
func TestDeviceRate(t *testing.T) {
	d, now := newDevices(Capacity{DeviceAtOnce: 1, DeviceRate: 60}), time.Unix(1_800_000_000, 0)
	count := func(id string) (n int) {
		for range 1000 {
			done, again := d.begin(id, now)
			if done == nil {
				if again < firstReturn {
					t.Fatalf("again in %v", again)
				}
				continue
			}
			n++
			done()
		}
		return n
	}
	if n := count("a"); n != 120 {
		t.Errorf("%d at once, want twice a minute's", n)
	}
	if n := count("b"); n != 120 {
		t.Errorf("another device: %d", n)
	}
	now = now.Add(10 * time.Second)
	if n := count("a"); n != 10 {
		t.Errorf("%d after ten seconds, want 10", n)
	}
	now = now.Add(time.Hour)
	if d.forget(now); len(d.known) != 0 {
		t.Errorf("%d devices are remembered that are as if they had never asked", len(d.known))
	}
}

// TestQueueFull: while the log does not follow, no changes are taken in, and who has none
// is served.
func TestQueueFull(t *testing.T) {
	b := newBench(t)
	b.log.queue = b.g.cfg.Capacity.Items
	b.save(1)
	q, _, err := b.agent.Ask()
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.exchange(q)
	wantAgain(t, wire.Decode("exchange", err), syncproto.CodeQueueFull)
	idle := proto.CloneOf(q)
	idle.Batch = nil
	if _, err := b.exchange(idle); err != nil {
		t.Fatal("without changes:", err)
	}
	b.log.queue = 0
	if _, err := b.exchange(q); err != nil {
		t.Fatal(err)
	}
}

// TestStrangers: callers without a certificate have a room of their own that they can fill;
// devices are not touched. What they send is small.
func TestStrangers(t *testing.T) {
	s := serveBench(t, func(*Capacity) {})
	anonymous := tlsid.AnonymousTLS(s.g.cfg.Node.City.Fingerprint())
	head := func(n int) *tls.Conn {
		c, err := tls.Dial("tcp", s.addr, anonymous)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\nContent-Length: %d\r\n\r\n",
			unionrpcconnect.UnionEnrolProcedure, n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	large := head(joinSize + 2)
	go func() { _, _ = large.Write(make([]byte, joinSize+2)) }()
	if code := codeRead(t, large); code != syncproto.CodeTooLarge {
		t.Errorf("a large enrolment: E%d", code)
	}
	for range maxStrangers {
		head(500)
	}
	until(t, "no bound for strangers", func() bool {
		c := head(500)
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil && r.Header.Get(wire.HeaderCode) == fmt.Sprint(uint16(syncproto.CodeStrangers)) && r.Body.Close() == nil
	})
	if err := s.call(s.own, s.ask()); err != nil {
		t.Fatal("a device:", err)
	}
}

func codeRead(t *testing.T, c *tls.Conn) syncproto.Code {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(long))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	n, _ := strconv.Atoi(r.Header.Get(wire.HeaderCode))
	return syncproto.Code(n)
}

// TestReturnsAreSpread: those who are refused come back as fast as the node works, one after
// the other, and within a bound.
func TestReturnsAreSpread(t *testing.T) {
	p, now := newPacer(10), time.Unix(1_800_000_000, 0)
	for range 500 {
		p.took(time.Second) // ten a second
	}
	var last int
	for i := range 12_040 {
		n, err := strconv.Atoi(p.seconds(now))
		if err != nil || n < last {
			t.Fatalf("number %d may come in %d s, the one before it in %d s", i, n, last)
		}
		if last = n; i == 0 && n != 30 || i == 1000 && (n < 120 || n > 140) {
			t.Fatalf("number %d comes in %d s", i, n)
		}
	}
	if last != int(lastReturn.Seconds()) {
		t.Fatalf("the last one in %d s", last)
	}
	if n := p.seconds(now.Add(time.Hour)); n != "30" {
		t.Fatalf("an hour later in %s s", n)
	}
}

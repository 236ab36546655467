package server

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
	"unionsync/internal/proc"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

const patience = 60 * time.Second

// TestMain lets more tests run at once than there are cores: they wait for elections most of
// the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

var noEnv = func(string) string { return "" }

func testWorld() World { return World{Rand: rand.Reader, Now: time.Now} }

// running is a node at work in this process.
type running struct {
	*Node
	dir    string
	ready  Ready
	stop   func() error
	hangup chan os.Signal // makes it look at its certificate
	over   chan struct{}  // closed when it has ended
}

// testCity is a centre of a few nodes.
type testCity struct {
	t         *testing.T
	heartbeat string
	capacity  gate.Capacity
	env       func(name string) string // nil: nothing is set
	checks    time.Duration            // between two checks of the states; 0: none
	nodes     []*running
}

// newCity starts a centre with n nodes on loopback.
func newCity(t *testing.T, n int, capacity gate.Capacity) *testCity {
	t.Helper()
	return newCityWith(t, n, capacity, nil)
}

// newCityWith is newCity with an environment.
func newCityWith(t *testing.T, n int, capacity gate.Capacity, env func(string) string) *testCity {
	t.Helper()
	return open(t, n, &testCity{capacity: capacity, env: env})
}

// newCheckedCity is newCity whose nodes compare their states, as in real life.
func newCheckedCity(t *testing.T, n int, capacity gate.Capacity) *testCity {
	t.Helper()
	return open(t, n, &testCity{capacity: capacity, checks: time.Minute})
}

func open(t *testing.T, n int, c *testCity) *testCity {
	t.Helper()
	c.t, c.heartbeat = t, "50ms"
	if n > 1 {
		c.heartbeat = "500ms" // two cores, and others at work on them
	}
	base := t.TempDir()
	for i := range n {
		dir := filepath.Join(base, fmt.Sprintf("n%d", i+1))
		cfg := Config{ID: fmt.Sprintf("n%d", i+1), City: "test", Listen: freeAddress(t), Raft: freeAddress(t), Heartbeat: c.heartbeat}
		var err error
		if i == 0 {
			_, err = Init(dir, cfg, testWorld())
		} else {
			_, err = Join(t.Context(), dir, cfg, Joining{
				Centre: c.nodes[0].ready.API, ClusterKey: filepath.Join(base, "n1", "cluster.key")}, testWorld())
		}
		if err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, c.start(dir))
	}
	return c
}

// start runs the node in dir and waits until it is ready.
func (c *testCity) start(dir string) *running {
	c.t.Helper()
	env := c.env
	if env == nil {
		env = noEnv
	}
	cfg, err := LoadConfig(dir, env, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ready, hangup := make(chan Ready, 1), make(chan os.Signal)
	log := slog.New(slog.NewTextHandler(testLog{c.t}, &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", cfg.ID)
	n, err := Open(Options{
		Dir: dir, Config: cfg, World: testWorld(), Log: log, Version: "test", Capacity: c.capacity, Checks: cmp.Or(c.checks, -1),
		Ready: func(r Ready) { ready <- r }, Reload: hangup,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	r := &running{Node: n, dir: dir, hangup: hangup, over: make(chan struct{})}
	go func() {
		ended <- n.Run(ctx)
		close(r.over)
	}()
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	c.t.Cleanup(func() {
		if err := r.stop(); err != nil {
			c.t.Errorf("stop %s: %v", cfg.ID, err)
		}
	})
	select {
	case r.ready = <-ready:
	case err := <-ended:
		c.t.Fatalf("%s ended: %v", cfg.ID, err)
	case <-time.After(patience):
		c.t.Fatalf("%s is not ready", cfg.ID)
	}
	return r
}

// keepAddresses makes the nodes come back under the addresses that they have.
func (c *testCity) keepAddresses() {
	c.t.Helper()
	for _, n := range c.nodes {
		cfg, err := LoadConfig(n.dir, noEnv, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		cfg.Listen, cfg.Raft = strings.TrimPrefix(n.ready.API, "https://"), n.ready.Raft
		if err := cfg.save(n.dir); err != nil {
			c.t.Fatal(err)
		}
	}
}

// testLog writes the nodes' logs into the test's, until the test is over.
type testLog struct{ t *testing.T }

// Write implements io.Writer.
func (l testLog) Write(b []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Logf("%s", b)
	}
	return len(b), nil
}

func (c *testCity) admin(n *running) *Admin {
	c.t.Helper()
	a, err := Dial(n.dir, noEnv, n.ready.API)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(a.Close)
	return a
}

// leader waits for the node that leads and that every running node names.
func (c *testCity) leader() *running {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		for _, n := range c.nodes {
			if _, ok := n.cluster.Leading(); ok {
				return n
			}
		}
		select {
		case <-deadline:
			c.t.Fatal("no leader")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unions is the tree that the tests use.
func (c *testCity) importUnions(codes ...string) {
	c.t.Helper()
	rows := []*unionrpc.OrgRow{
		{Line: 2, Values: map[string]string{"code": "330700", "name": "金华市总工会", "level": "city", "county": "SBJ"}},
		{Line: 3, Values: map[string]string{"code": "330702", "name": "婺城区总工会", "level": "county", "parent": "330700", "county": "330702"}},
	}
	for i, code := range codes {
		rows = append(rows, &unionrpc.OrgRow{Line: uint32(4 + i), Values: map[string]string{
			"code": code, "name": "工会" + code, "level": "union", "parent": "330702"}})
	}
	r, err := c.admin(c.nodes[0]).ImportOrg(c.t.Context(), &unionrpc.ImportOrgRequest{Rows: rows})
	if err != nil {
		c.t.Fatal(err)
	}
	if len(r.GetProblems()) > 0 {
		c.t.Fatalf("import: %v", r.GetProblems())
	}
}

func (c *testCity) code(union string) string {
	c.t.Helper()
	r, err := c.admin(c.nodes[0]).CreateCode(c.t.Context(), &unionrpc.CreateCodeRequest{Union: union})
	if err != nil {
		c.t.Fatal(err)
	}
	return r.GetCode()
}

// pc is an enrolled device with an agent of one union in memory.
type pc struct {
	*sessiontest.Agent
	t    *testing.T
	id   []byte
	own  tlsid.Own
	urls []string
}

// enrolPC enrols a device at a node.
func (c *testCity) enrolPC(n *running, union string) *pc {
	c.t.Helper()
	p, err := enrolWith(c.t, n.ready.API, c.code(union), nil, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// enrolWith enrols with a code; a nil id or key is drawn.
func enrolWith(t *testing.T, url, code string, id []byte, key ed25519.PrivateKey) (*pc, error) {
	t.Helper()
	return enrolShowing(t, nil, url, code, id, key)
}

// enrolShowing is [enrolWith] over TLS that shows what the device has already; nil: nothing.
func enrolShowing(t *testing.T, config *tls.Config, url, code string, id []byte, key ed25519.PrivateKey) (*pc, error) {
	t.Helper()
	if id == nil {
		id = random(16)
	}
	if key == nil {
		key = ed25519.NewKeyFromSeed(random(ed25519.SeedSize))
	}
	parsed, err := enrolcode.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	if config == nil {
		config = tlsid.PinnedTLS(parsed.CA[:])
	}
	client := wire.NewClient(wire.ClientConfig{TLS: config})
	defer client.CloseIdleConnections()
	r, err := unionrpcconnect.NewUnionClient(client, url, wire.ClientOptions(syncproto.MaxRequestBytes)).
		Enrol(t.Context(), connect.NewRequest(&unionrpc.EnrolRequest{
			Code: code, Device: id, PublicKey: key.Public().(ed25519.PublicKey)}))
	if err != nil {
		return nil, wire.Decode("enrol", err)
	}
	return newPC(t, url, id, key, r.Msg), nil
}

func newPC(t *testing.T, url string, id []byte, key ed25519.PrivateKey, r *unionrpc.EnrolResponse) *pc {
	t.Helper()
	ca, err := tlsid.ParseCA(r.GetCa())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		t.Fatal(err)
	}
	fp := tlsid.FingerprintOf(ca)
	journal := syncproto.JournalID(1 + uint64(id[0])<<8 + uint64(id[1])<<16 + uint64(id[2])<<24)
	p := &pc{
		Agent: sessiontest.NewAgent(r.GetUnion(), journal, fp[:syncproto.HistorySize]), t: t, id: id,
		own: tlsid.Own{Key: key, Cert: cert, CA: ca}, urls: []string{url},
	}
	p.Key = key
	p.State.Lineage = syncproto.Lineage{{Number: uint16(r.GetGeneration().GetNumber()), Random: r.GetGeneration().GetRandom()}}
	p.Verify, p.VerifyRun = p.verifyReceipt, p.verifyRun
	return p
}

// verifyRun does what an agent does: the signer is whom a certificate of the city names.
func (p *pc) verifyRun(signer []byte, certificates [][]byte, msg, sig []byte) error {
	for _, der := range certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		who, err := tlsid.Verify(cert, p.own.CA, tlsid.RoleDevice, tlsid.RoleNode)
		if err != nil {
			return err
		}
		if who.ID == string(signer) || who.ID == hex.EncodeToString(signer) {
			err := seal.Verify(who.Key, syncproto.DomainSegment, msg, sig)
			if err != nil && who.Role == tlsid.RoleNode {
				err = seal.Verify(who.Key, syncproto.DomainHeldSegment, msg, sig)
			}
			return err
		}
	}
	return fmt.Errorf("no certificate of %x", signer)
}

// verifyReceipt does what an agent does: the signer is a node of the city.
func (p *pc) verifyReceipt(_ string, r *syncpb.Receipt, msg []byte) error {
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		return err
	}
	id, err := tlsid.Verify(cert, p.own.CA, tlsid.RoleNode)
	if err != nil {
		return err
	}
	if !slices.Equal(id.KeyID[:], r.GetSigner()) {
		return errors.New("signer is not the certificate's")
	}
	return seal.Verify(id.Key, syncproto.DomainReceipt, msg, r.GetSignature())
}

// exchange makes one call at a node.
func (p *pc) exchange(url string) func(*syncpb.Request) (*syncpb.Response, error) {
	return func(q *syncpb.Request) (*syncpb.Response, error) {
		return callExchange(p.t, tlsid.ClientTLS(p.own), url, q, nil)
	}
}

func callExchange(t *testing.T, config *tls.Config, url string, q *syncpb.Request, headers map[string]string) (*syncpb.Response, error) {
	t.Helper()
	client := wire.NewClient(wire.ClientConfig{TLS: config})
	defer client.CloseIdleConnections()
	req := connect.NewRequest(q)
	for k, v := range headers {
		req.Header().Set(k, v)
	}
	r, err := unionrpcconnect.NewUnionClient(client, url, wire.ClientOptions(syncproto.MaxRequestBytes)).Exchange(t.Context(), req)
	if err != nil {
		return nil, wire.Decode("exchange", err)
	}
	return r.Msg, nil
}

// sync syncs at a node until nothing is left to do.
func (p *pc) sync(n *running) *session.Update {
	p.t.Helper()
	u, err := p.Sync(p.exchange(n.ready.API))
	if err != nil {
		p.t.Fatal(err)
	}
	if len(p.Notices) > 0 || len(p.Refused) > 0 {
		p.t.Fatalf("notices %v, refused %v", p.Notices, p.Refused)
	}
	return u
}

// settled is the state at rest: index, head and a hash over all keys and values.
type settled struct {
	applied uint64
	head    syncproto.Position
	hash    string
}

// state commits what is pooled and gives the state of a node.
func (c *testCity) state(n *running) settled {
	c.t.Helper()
	if _, err := c.admin(n).Status(c.t.Context()); err != nil { // commits pooled notes at the leader
		c.t.Fatal(err)
	}
	for {
		applied := n.ledger.Applied()
		s := settled{applied, n.ledger.Head(), c.hash(n)}
		if n.ledger.Applied() == applied {
			return s
		} // it moved on meanwhile, as by an answer to a check
	}
}

func (c *testCity) hash(n *running) string {
	c.t.Helper()
	s, err := n.ledger.Snapshot()
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Release()
	h := sha256.New()
	if err := s.Stream(h); err != nil {
		c.t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// caughtUp waits until a node has applied as much as another.
func (c *testCity) caughtUp(n, with *running) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := waitUntil(ctx, n.ledger, func() bool { return n.ledger.Applied() >= with.ledger.Applied() }); err != nil {
		c.t.Fatalf("%s does not catch up: %v", n.opt.Config.ID, err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		panic(err)
	}
	return b
}

func wantCode(t *testing.T, err error, want syncproto.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want E%d", want)
	}
	if got := syncproto.CodeOf(err); got != want {
		t.Fatalf("E%d (%v), want E%d", got, err, want)
	}
}

// freeAddress gives an address that nobody listens on: a node that comes back has the one
// it had, as an operator's node does.
func freeAddress(t testing.TB) string {
	t.Helper()
	free, err := proc.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}

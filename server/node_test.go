package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
)

var c0 = gate.Capacity{}

// TestGenesis: the first entry says who the city is, and the CA stands for all of it.
func TestGenesis(t *testing.T) {
	t.Parallel()
	own, err := trust.Init(t.TempDir(), trust.Founding{City: "t", NodeID: "n1", Rand: rand.Reader, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	g, err := genesis(own, rand.Reader, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := own.City.Certificate().PublicKey.(ed25519.PublicKey)
	if !ok {
		t.Fatal("no Ed25519")
	}
	verify := func(domain string, msg, sig []byte) {
		t.Helper()
		if err := seal.Verify(key, domain, msg, sig); err != nil {
			t.Error(err)
		}
	}
	gen := syncproto.Generation{Number: 1, Random: g.GetGeneration().GetRandom(), Operator: "n1", Reason: "founded"}
	verify(syncproto.DomainGeneration, gen.Message(), g.GetGeneration().GetSignature())
	files := kind.Embedded().Files()
	if len(g.GetKinds()) != len(files) {
		t.Fatalf("%d kind files, want %d", len(g.GetKinds()), len(files))
	}
	for i, f := range files {
		verify(syncproto.DomainKindFile, syncproto.KindFileMessage(f.Name, f.Version, f.Data), g.GetKinds()[i].GetSignature())
	}
	if _, err := seal.SealFor(g.GetCityRecipient(), []byte("x")); err != nil || len(g.GetLogId()) != 16 {
		t.Error(err, g.GetLogId())
	}
	b, err := ledger.Entry(g)
	if err != nil || len(b) > syncproto.MaxEntryBytes {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestJoinedItemsAreABatch: what the proposer puts together is what the ledger reads.
func TestJoinedItemsAreABatch(t *testing.T) {
	t.Parallel()
	items := []*entrypb.Item{
		{Union: "a", Device: []byte{1}, Segments: []*entrypb.Segment{{Journal: 7, First: 1, Changes: [][]byte{{1, 2}}}}},
		{Union: "b", Contact: &entrypb.Contact{Complete: true}},
	}
	var raw [][]byte
	for _, i := range items {
		b, err := proto.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if raw = append(raw, b); len(b)+itemOverhead < proto.Size(&entrypb.Batch{Items: []*entrypb.Item{i}}) {
			t.Error("an item takes more than its overhead")
		}
	}
	got, err := joinItems(42, raw)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ledger.Entry(&entrypb.Batch{Time: 42, Items: items})
	if err != nil || string(got) != string(want) {
		t.Fatalf("%x\n%x %v", got, want, err)
	}
	if _, err := splitOutcomes([][]session.Outcome{{}}, 2); err == nil {
		t.Error("outcomes of another batch")
	}
	if _, err := splitOutcomes(nil, 0); err == nil {
		t.Error("no outcomes at all")
	}
}

// TestRestart: everything is there again, under the same addresses, and a founder that is
// started again founds nothing.
func TestRestart(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	c.keepAddresses()
	c.importUnions("u1")
	n := c.nodes[0]
	p := c.enrolPC(n, "u1")
	p.Save(note(1, "x"))
	p.sync(n)
	before := c.state(n)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(n.dir, noEnv, nil)
	if err != nil || cfg.Founder {
		t.Fatalf("still the founder: %+v %v", cfg, err)
	}
	c.nodes[0] = c.start(n.dir)
	c.leader()
	if after := c.state(c.nodes[0]); after.head != before.head || after.applied < before.applied {
		t.Fatalf("%+v, was %+v", after, before)
	}
	p.Save(note(2, "y"))
	if u := p.sync(c.nodes[0]); !u.Equal {
		t.Fatal("not equal")
	}
}

// TestFounderFoundsOnce: the log of a founder that has been lost is not replaced by a new
// centre behind the agents' backs.
func TestFounderFoundsOnce(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	n := c.nodes[0]
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{raftDir, ledgerDir} {
		if err := os.RemoveAll(filepath.Join(n.dir, d)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := LoadConfig(n.dir, noEnv, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(Options{Dir: n.dir, Config: cfg, World: testWorld(), Log: slog.New(slog.DiscardHandler),
		Ready: func(Ready) { t.Error("it is ready again") }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := again.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if again.ledger.Applied() != 0 {
		t.Fatal("it founded another centre")
	}
}

// TestOpenRefuses: what cannot run says why, and leaves nothing open.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	n := c.nodes[0]
	c.keepAddresses()
	open := func(change func(*Config)) error {
		cfg, err := LoadConfig(n.dir, noEnv, nil)
		if err != nil {
			t.Fatal(err)
		}
		change(cfg)
		_, err = Open(Options{Dir: n.dir, Config: cfg, World: testWorld(), Log: slog.New(slog.DiscardHandler)})
		return err
	}
	wantCode(t, open(func(*Config) {}), syncproto.CodeListen) // it runs already
	wantCode(t, open(func(c *Config) { c.Listen = "127.0.0.1:0" }), syncproto.CodeLedgerOpen)
	wantCode(t, open(func(c *Config) { c.ID = "n7" }), syncproto.CodeServerConfig)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(n.dir, trust.CityFile)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, open(func(*Config) {}), syncproto.CodeTrustFile)
}

// TestStatus: what scripts and operators read.
func TestStatus(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	c.importUnions("u1", "u2")
	c.enrolPC(c.nodes[0], "u1").sync(c.nodes[0])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.nodes[0].census.Load().WaitFor(ctx, c.nodes[0].ledger.Head()); err != nil {
		t.Fatal(err)
	}
	st, err := c.admin(c.nodes[0]).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !st.Ready || st.Role != "leader" || st.Leader != "n1" || st.Devices != 1 || st.Generation != 1 || len(st.Members) != 1 ||
		st.Members[0].API != c.nodes[0].ready.API || st.Unions == nil || st.Unions.Fresh != 1 || st.Unions.Never != 1 {
		t.Fatalf("%+v %+v", st, st.Unions)
	}
}

// TestBigImport: a whole city in one call, and again without a change.
func TestBigImport(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	rows := []*unionrpc.OrgRow{{Line: 1, Values: map[string]string{"code": "1", "name": "市总", "level": "city", "county": "SBJ"}}}
	const unions = 1500
	for i := range unions {
		rows = append(rows, &unionrpc.OrgRow{Line: uint32(i + 2), Values: map[string]string{
			"code": "u" + strconv.Itoa(i), "name": "某某有限公司工会委员会" + strconv.Itoa(i), "level": "基层", "parent": "1"}})
	}
	a := c.admin(c.nodes[0])
	dry, err := a.ImportOrg(t.Context(), &unionrpc.ImportOrgRequest{Rows: rows, DryRun: true})
	if err != nil || dry.GetAdded() != unions+1 || dry.GetHead() != uint64(c.nodes[0].ledger.Head()) || c.nodes[0].ledger.Head().Count() != 0 {
		t.Fatal(dry, err)
	}
	for i, want := range []uint32{unions + 1, 0} {
		r, err := a.ImportOrg(t.Context(), &unionrpc.ImportOrgRequest{Rows: rows})
		if err != nil || r.GetAdded() != want || r.GetUnchanged() != unions+1-want {
			t.Fatalf("time %d: %v %v", i, r, err)
		}
	}
	if got := c.nodes[0].ledger.Head().Count(); got != unions+1 {
		t.Fatalf("head %d", got)
	}
}

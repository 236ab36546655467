package server

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// TestLevelIsBegun: a new centre begins the newest level by itself.
func TestLevelIsBegun(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	eventually(t, "the newest level", func() bool { return c.nodes[0].ledger.Level() == ledger.KnownLevel() })
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// spoil changes a byte of a value in a node's store, which nobody has open.
func spoil(t *testing.T, n *running, prefix byte) {
	t.Helper()
	db, err := badger.OpenManaged(badger.DefaultOptions(filepath.Join(n.dir, ledgerDir)).WithLogger(nil).
		WithEncryptionKey(n.trust.City.StoreKey(n.opt.Config.ID)[:]).WithIndexCacheSize(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	ts := db.MaxVersion() + 1
	txn := db.NewTransactionAt(ts, true)
	it := txn.NewIterator(badger.DefaultIteratorOptions)
	it.Seek([]byte{prefix})
	if !it.ValidForPrefix([]byte{prefix}) {
		t.Fatalf("nothing under %q", prefix)
	}
	k := it.Item().KeyCopy(nil)
	v, err := it.Item().ValueCopy(nil)
	it.Close()
	if err != nil {
		t.Fatal(err)
	}
	v[len(v)-1] ^= 1
	if err := txn.Set(k, v); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(ts, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSpoiltNodeStops: a byte of a log item is changed while its node is down. Started again,
// the node is found out, stops, and does not start any more; rebuilt, it has the state of the
// others. Meanwhile the others serve.
func TestSpoiltNodeStops(t *testing.T) {
	t.Parallel()
	c := newCheckedCity(t, 3, gate.Capacity{Patience: patience})
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	p.Save(note(1, "x"))
	p.sync(c.nodes[0])
	c.equalStates()
	bad := c.nodes[2]
	if err := bad.stop(); err != nil {
		t.Fatal(err)
	}
	spoil(t, bad, 'l')
	c.drop(bad)
	again := c.start(bad.dir)
	wantCode(t, again.waitEnd(t), syncproto.CodeStateDiffers)
	_, err := Open(again.opt)
	wantCode(t, err, syncproto.CodeStateDiffers)
	p.Save(note(2, "y"))
	p.sync(c.leader())
	st, err := c.admin(c.leader()).Status(t.Context())
	if err != nil || len(st.Check.Differ) != 1 || st.Check.Differ[0] != "n3" || st.Halted != 0 {
		t.Fatalf("%+v %v", st.Check, err)
	}
	if _, err := Rebuild(t.Context(), again.opt); err != nil {
		t.Fatal(err)
	}
	c.nodes = append(c.nodes, c.start(bad.dir))
	p.sync(c.nodes[2])
	c.equalStates()
	if n, err := c.nodes[2].ledger.Node("n3"); err != nil || n.GetDiffers() != 0 {
		t.Fatal(n, err)
	}
}

// TestDamagedStoreStops: the same with a byte of the store's file: whoever meets it first,
// the node does not serve.
func TestDamagedStoreStops(t *testing.T) {
	t.Parallel()
	c := newCheckedCity(t, 3, gate.Capacity{Patience: patience})
	c.keepAddresses()
	c.importUnions("u1")
	c.equalStates()
	bad := c.nodes[2]
	if err := bad.stop(); err != nil {
		t.Fatal(err)
	}
	c.drop(bad)
	files, err := filepath.Glob(filepath.Join(bad.dir, ledgerDir, "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Open(bad.opt)
	if err == nil {
		err = n.Run(t.Context())
	}
	if err == nil {
		t.Fatal("it serves")
	}
	t.Logf("it says: %v", err)
	if _, err := Rebuild(t.Context(), bad.opt); err != nil {
		t.Fatal(err)
	}
	c.nodes = append(c.nodes, c.start(bad.dir))
	c.equalStates()
}

// TestNoMajorityReads: two nodes whose states differ have no majority: the centre can be read
// and takes nothing in, until one of them is made anew.
func TestNoMajorityReads(t *testing.T) {
	t.Parallel()
	c := newCheckedCity(t, 2, gate.Capacity{Patience: patience})
	c.checks = 300 * time.Millisecond
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	p.Save(note(1, "x"))
	p.sync(c.nodes[0])
	c.equalStates()
	for _, n := range c.nodes {
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
	}
	spoil(t, c.nodes[1], 'l')
	started := make(chan *running, 2)
	for _, n := range c.nodes { // neither is ready without the other
		go func() { started <- c.start(n.dir) }()
	}
	c.nodes = []*running{<-started, <-started}
	eventually(t, "a halt", func() bool { return c.nodes[0].ledger.Halted() != 0 && c.nodes[1].ledger.Halted() != 0 })
	p.Save(note(2, "y"))
	q, _, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.exchange(c.leader().ready.API)(q)
	wantCode(t, err, syncproto.CodeReadOnly)
	a := c.admin(c.leader())
	if st, err := a.Status(t.Context()); err != nil || st.Halted == 0 {
		t.Fatalf("%+v %v", st, err)
	}
	if _, err := c.leave(c.leader(), "n2", false); err != nil { // the operator knows which is spoilt
		t.Fatal(err)
	}
	for _, n := range slices.Clone(c.nodes) {
		if n.opt.Config.ID == "n2" {
			wantCode(t, n.waitEnd(t), syncproto.CodeNodeGone)
			c.drop(n)
		}
	}
	eventually(t, "the end of the halt", func() bool { return c.nodes[0].ledger.Halted() == 0 })
	p.sync(c.nodes[0])
}

package server

import (
	"path/filepath"
	"testing"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// keptLives gives the numbers of the lives on the target.
func (a *archived) keptLives() (out []uint16) {
	a.t.Helper()
	v, err := OpenVault(a.t.Context(), VaultAt{From: a.target, ClusterKey: a.key}, noEnv)
	if err != nil {
		a.t.Fatal(err)
	}
	all, err := v.Lives(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	for _, e := range all {
		out = append(out, uint16(e.GetNumber()))
	}
	return out
}

// TestLivesOfARunningCentre: a life begun on a running centre, and one that a forced recovery
// begins, stand on the target by the time that anybody can know of them, with a number above
// all that stand there, also above those that this state does not know; without the target
// neither begins. A node of a centre whose archive is gone too goes on when it is taken out of
// its settings. Seen to fail with each of the two written to the target by the stream only, as
// it used to be, and with a recovery that does not read the target's list.
func TestLivesOfARunningCentre(t *testing.T) {
	a := newArchived(t, 1)
	a.keepAddresses()
	a.importUnions("u1")
	n := a.nodes[0]
	p := a.enrolPC(n, "u1")
	p.Save(note(1, "first"))
	p.sync(n)
	a.backUp()
	a.streamed()
	begin := &unionrpc.BeginGenerationRequest{Reason: "put back"}
	a.unplug()
	if _, err := a.admin(n).BeginGeneration(t.Context(), begin); syncproto.CodeOf(err) != syncproto.CodeArchiveTarget || n.ledger.Head().Generation() != 1 {
		t.Errorf("without the target: %v, life %d", err, n.ledger.Head().Generation())
	}
	a.plug()
	if _, err := a.admin(n).BeginGeneration(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	if got := a.keptLives(); len(got) != 2 || got[1] != 2 {
		t.Errorf("lives on the target: %v", got)
	}
	syncs(t, n, p)

	// A life that this node has never heard of: begun by another one of the same city and lost.
	w, err := writerFor(n.trust, n.opt.Config, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	lost := signedLife(n, 7, n.ledger.Head())
	if err := w.KeepLives(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	a.unplug()
	how := Recovering{Reason: "two disks died", AcceptLoss: true}
	if _, err := Recover(t.Context(), n.opt, how); err == nil || syncproto.CodeOf(err) != syncproto.CodeArchiveTarget {
		t.Errorf("without the target: %v", err)
	}
	a.plug()
	before := len(a.keptLives())
	r, err := Recover(t.Context(), n.opt, how)
	if err != nil || r.Generation != 8 {
		t.Fatalf("%+v, %v, want generation 8", r, err)
	}
	if got := a.keptLives(); len(got) != before+1 || got[len(got)-1] != 8 {
		t.Errorf("lives on the target: %v", got)
	}
	a.nodes = []*running{a.start(n.dir)}
	syncs(t, a.nodes[0], p)
	if len(p.Layer()) != 1 || p.State.Lineage.Newest().Number != 8 {
		t.Errorf("%d records, life %d", len(p.Layer()), p.State.Lineage.Newest().Number)
	}
	if err := a.nodes[0].stop(); err != nil {
		t.Fatal(err)
	}
	a.unplug()
	without := n.opt
	cfg := *n.opt.Config
	cfg.Backup, without.Config = "", &cfg
	if r, err := Recover(t.Context(), without, how); err != nil || r.Generation != 9 {
		t.Errorf("with the archive taken out: %+v, %v", r, err)
	}
	if got, err := filepath.Glob(a.target + "*/lives/*"); err != nil || len(got) != before+1 {
		t.Errorf("%d lives kept, %v", len(got), err)
	}
}

// signedLife is the entry of a life that the city signed.
func signedLife(n *running, number uint16, base syncproto.Position) *entrypb.Generation {
	g := syncproto.Generation{Number: number, Random: 7, Base: base, Operator: "o", Reason: "r"}
	return &entrypb.Generation{Number: uint32(number), Random: 7, Base: uint64(base), Operator: "o", Reason: "r",
		Signature: n.trust.City.Sign(syncproto.DomainGeneration, g.Message())}
}

package gate

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// another begins another journal of the same device, as on a PC whose disk was made anew.
func (b *bench) another(journal syncproto.JournalID) *bench {
	o := *b
	o.agent = sessiontest.NewAgent("u1", journal, b.g.history)
	o.agent.Key = b.agent.Key
	return &o
}

func (b *bench) backup() *bytes.Buffer {
	b.t.Helper()
	var out bytes.Buffer
	s, err := b.log.l.Snapshot()
	if err != nil {
		b.t.Fatal(err)
	}
	defer s.Release()
	if err := s.Stream(&out); err != nil {
		b.t.Fatal(err)
	}
	return &out
}

// restored puts a backup back and begins a life, as a restore does.
func (b *bench) restored(backup *bytes.Buffer) {
	b.t.Helper()
	b.putBack(bytes.NewReader(backup.Bytes()))
	if err := b.g.begin(b.t.Context(), syncproto.Generation{Base: b.log.l.Head(), Operator: "o", Reason: "r"}, nil); err != nil {
		b.t.Fatal(err)
	}
}

// TestRevokedJournalComesBack: a revoked device begins a journal that its revocation does
// not name; a colleague has the beginning of its run, where a node signed because the page
// ended there. A centre that was put back holds it again, in whatever order the revocation
// and the changes come, and after a second restore too. Seen to fail, in all rows, with
// what is held signed like everything else.
func TestRevokedJournalComesBack(t *testing.T) {
	for _, row := range []struct {
		why         string
		known       bool // the backup has the revocation
		first, last bool // the revocation is handed back before or after the changes
	}{
		{"the revocation is in the backup", true, false, false},
		{"the revocation comes back first", false, true, false},
		{"the changes come back first", false, false, true},
		{"the revocation never comes back", false, false, false},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBench(t)
			colleague, third := b.second(9), b.second(10)
			for _, a := range []*sessiontest.Agent{b.agent, colleague.agent, third.agent} { // certificates are for the tests of the agent
				a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
			}
			b.apply(&entrypb.Node{Time: 3, Id: "n1", Certificate: b.g.cfg.Node.Own.Cert.Raw})
			b.save(1)
			b.sync()
			colleague.sync()
			before := b.backup()
			if _, err := b.g.revoke(t.Context(), &unionrpc.RevokeRequest{Device: hex.EncodeToString(b.id), Reason: "lost"}); err != nil {
				t.Fatal(err)
			}
			after := b.backup()
			fresh := b.another(8)
			for i := range 3 {
				fresh.agent.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{byte(2 + i)}, Actor: "t", Note: strings.Repeat("x", 1000),
					Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}})
			}
			q, _, err := fresh.agent.Ask()
			if err != nil {
				t.Fatal(err)
			}
			fresh.answer(q)
			colleague.agent.Begin()
			colleague.agent.State.Budget = syncproto.MinBudgetBytes
			rev := colleague.cutPage()
			backup := before
			if row.known {
				backup = after
			}
			for range 2 {
				b.restored(backup)
				if row.first {
					b.handBack(rev)
				}
				colleague.sync()
				third.sync() // and hands on what it was given, next time
				if row.last {
					b.handBack(rev)
				}
				b.wantHeld(fresh)
			}
		})
	}
}

// cutPage takes the one page that a small budget allows, which ends inside a run and brings
// the revocation.
func (b *bench) cutPage() *syncpb.Revocation {
	b.t.Helper()
	q, sent, err := b.agent.Ask()
	if err != nil {
		b.t.Fatal(err)
	}
	r := b.answer(q)
	if _, err := b.agent.Take(sent, r); err != nil {
		b.t.Fatal(err)
	}
	log := r.GetPage().GetLog()
	if len(log) == 0 || len(log) > 2 || string(log[len(log)-1].GetSigner()) != "n1" || !r.GetPage().GetMore() || len(r.GetRevocations()) != 1 {
		b.t.Fatalf("a page of %d changes with %d revocations", len(log), len(r.GetRevocations()))
	}
	return r.GetRevocations()[0]
}

func (b *bench) handBack(rev *syncpb.Revocation) {
	b.t.Helper()
	if err := b.g.takeRevocation(b.t.Context(), "u1", rev); err != nil {
		b.t.Fatal(err)
	}
}

// wantHeld checks that what came back of a journal is held because of the revocation, and
// touched no record.
func (b *bench) wantHeld(o *bench) {
	b.t.Helper()
	v := b.log.l.View("u1")
	defer v.Done()
	own := o.agent.Own()
	for _, p := range own[:1] {
		_, verdict, ok, err := v.Find(p.Place.Journal, p.Place.Seq, p.Place.Hash.Wire())
		if err != nil || !ok || verdict.Kind != syncproto.VerdictHeld || verdict.Reason != syncproto.HeldRevoked {
			b.t.Errorf("change %d is here %v as %s (%s), %v", p.Place.Seq, ok, verdict.Kind, verdict.Reason, err)
		}
		if r, err := v.Read(p.Change.Key()); err != nil || r.Text(20) != "" {
			b.t.Errorf("it touched its record: %v, %v", r, err)
		}
	}
}

// TestHeldSignature: what a node signed as held is held, whatever its journal; a device's
// signature of that kind counts for nothing.
func TestHeldSignature(t *testing.T) {
	b := newBench(t)
	node := b.certified("n8")
	for _, row := range []struct {
		why    string
		by     nodeKey
		domain string
		code   syncproto.Code
		kind   syncproto.VerdictKind
	}{
		{"a node, as held", node, syncproto.DomainHeldSegment, 0, syncproto.VerdictHeld},
		{"a node, as usual", node, syncproto.DomainSegment, 0, syncproto.VerdictApplied},
		{"the device itself, as held", nodeKey{key: b.agent.Key}, syncproto.DomainHeldSegment, syncproto.CodeSignature, 0},
	} {
		a := sessiontest.NewAgent("u1", syncproto.JournalID(len(row.why)), b.g.history)
		place := a.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{byte(len(row.why))}, Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}}).Place
		run, _, err := a.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q, _, err := b.agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q.Batch, q.Returned = run.GetBatch(), []*syncpb.Returned{{Certificate: row.by.der}}
		s := q.GetBatch()[0]
		s.Journal, s.Signer = uint64(place.Journal), []byte(row.by.id)
		s.Signature = seal.Sign(row.by.key, row.domain, syncproto.SegmentMessage("u1", place))
		var code syncproto.Code
		if r := b.answer(q); len(r.GetRefused()) > 0 {
			code = syncproto.Code(r.GetRefused()[0].GetCode())
		}
		v := b.log.l.View("u1")
		_, verdict, _, err := v.Find(place.Journal, 1, place.Hash.Wire())
		v.Done()
		if code != row.code || verdict.Kind != row.kind || verdict.Kind == syncproto.VerdictHeld && verdict.Reason != syncproto.HeldRevoked || err != nil {
			t.Errorf("%s: code %d, verdict %s (%s), %v", row.why, code, verdict.Kind, verdict.Reason, err)
		}
	}
}

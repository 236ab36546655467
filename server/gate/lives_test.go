package gate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"log/slog"
	"testing"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// signedLife is an entry of another life of the same city.
func (b *bench) signedLife(number uint16, random uint64, base syncproto.Position) *syncpb.Generation {
	g := syncproto.Generation{Number: number, Random: random, Base: base, Operator: "o", Reason: "r"}
	return &syncpb.Generation{
		Number: uint32(number), Random: random, Base: uint64(base), Operator: "o", Reason: "r",
		Signature: b.g.cfg.Node.City.Sign(syncproto.DomainGeneration, g.Message()),
	}
}

func (b *bench) answer(q *syncpb.Request) *syncpb.Response {
	b.t.Helper()
	r, err := b.exchange(q)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// TestOlderLife: who does not know the newest life gets answers for what is known, and its
// new changes are refused until it does.
func TestOlderLife(t *testing.T) {
	b := newBench(t)
	b.save(1)
	q, _, err := b.agent.Ask()
	if err != nil {
		t.Fatal(err)
	}
	b.answer(q)
	b.apply(&entrypb.NewGeneration{Time: 3, Next: &entrypb.Generation{Number: 2, Random: 5, Base: uint64(b.g.cfg.Ledger.Head())}})
	if r := b.answer(q); len(r.GetVerdicts()) != 1 || len(r.GetGenerations()) != 2 || r.GetGeneration().GetNumber() != 2 {
		t.Errorf("what is known: %d verdicts, %d generations, answered in %d", len(r.GetVerdicts()), len(r.GetGenerations()), r.GetGeneration().GetNumber())
	}
	b.save(2)
	if q, _, err = b.agent.Ask(); err != nil {
		t.Fatal(err)
	}
	head := b.g.cfg.Ledger.Head()
	r := b.answer(q)
	if len(r.GetRefused()) != 1 || syncproto.Code(r.GetRefused()[0].GetCode()) != syncproto.CodeGeneration || b.g.cfg.Ledger.Head() != head {
		t.Errorf("new changes of an older life: %v", r.GetRefused())
	}
	q.Generation = &syncpb.GenerationRef{Number: 2, Random: 5}
	if r = b.answer(q); len(r.GetRefused()) != 0 || len(r.GetGenerations()) != 0 {
		t.Errorf("in the newest life: refused %v, %d generations", r.GetRefused(), len(r.GetGenerations()))
	}
}

// TestUnknownLife: an agent of a life that the centre does not know gets the list and
// nothing else. What it hands back begins a further life if the city signed it, at a base
// that both kept, once.
func TestUnknownLife(t *testing.T) {
	b := newBench(t)
	b.save(1)
	q, _, err := b.agent.Ask()
	if err != nil {
		t.Fatal(err)
	}
	q.Generation = &syncpb.GenerationRef{Number: 3, Random: 9}
	r := b.answer(q)
	if r.GetPage() != nil || r.GetVerdicts() != nil || r.GetTips() != nil || len(r.GetGenerations()) != 1 || b.g.cfg.Ledger.Head().Count() != 0 {
		t.Errorf("a stranger gets %v", r)
	}
	other := b.signedLife(3, 9, syncproto.MakePosition(1, 0))
	forged := b.signedLife(4, 9, 0)
	forged.Base = 1
	q.Returned = []*syncpb.Returned{{Generation: forged}}
	b.answer(q)
	if n := b.g.cfg.Ledger.Head().Generation(); n != 1 {
		t.Fatalf("an entry that the city did not sign begins life %d", n)
	}
	for range 2 { // the answer is lost, and it is handed back again
		q.Returned = []*syncpb.Returned{{Generation: other}}
		r = b.answer(q)
		own := r.GetGeneration()
		if own.GetNumber() != 4 || len(r.GetGenerations()) != 3 {
			t.Fatalf("after handing back: life %d, %d entries", own.GetNumber(), len(r.GetGenerations()))
		}
	}
	lives, err := b.g.cfg.Ledger.Lineage()
	if err != nil || lives.Newest().Base != syncproto.MakePosition(1, 0) {
		t.Errorf("base %s, %v", lives.Newest().Base, err)
	}
}

// second enrols another device, with an agent of the same union.
func (b *bench) second(journal syncproto.JournalID) *bench {
	o := *b
	o.agent, o.id = sessiontest.NewAgent("u1", journal, b.g.history), bytes.Repeat([]byte{byte(journal)}, deviceIDSize)
	code := []byte{byte(journal)}
	b.apply(&entrypb.Code{Time: 1, Hash: code, Union: "u1", Expires: 9})
	b.apply(&entrypb.Enrolled{Time: 2, Hash: code, Device: o.id, PublicKey: o.agent.Key.Public().(ed25519.PublicKey)})
	return &o
}

// putBack puts a backup in place of the centre's state.
func (b *bench) putBack(backup io.Reader) {
	b.t.Helper()
	l, err := ledger.OpenFrom(ledger.Config{Memory: true, Log: slog.New(slog.DiscardHandler)}, backup)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = l.Close() })
	b.log.l, b.g.cfg.Ledger = l, l
}

func (b *bench) sync() *session.Update {
	b.t.Helper()
	u, err := b.agent.Sync(b.exchange)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(b.agent.Refused) > 0 {
		b.t.Fatalf("refused: %v", b.agent.Refused)
	}
	return u
}

// TestRolledBack: a centre was put back without knowing of a life that it had led, went on,
// and an agent comes that knows of it. What that one delivered is filled in again, what the
// centre took in since moves above it, and both agents drain and are equal. Seen to fail with
// the log left at its old positions: the agents send what stands there for ever; and with the
// answer of a twin taken: what stood in the other one is lost.
func TestRolledBack(t *testing.T) {
	for _, row := range []struct {
		why  string
		twin byte // random bits of a life of the same number that begins after the restore; 0: none does
	}{
		{"it goes on as if nothing had been", 0},
		{"it begins a twin of the life it lost, which counts as older", 1},
		{"it begins a twin of the life it lost, which counts as newer", 9},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBench(t)
			other := b.second(9)
			for _, a := range []*sessiontest.Agent{b.agent, other.agent} { // its own tests look at signatures; the gate checks them here
				a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
			}
			b.save(1)
			b.sync()
			var backup bytes.Buffer
			s, err := b.log.l.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Stream(&backup); err != nil {
				t.Fatal(err)
			}
			s.Release()
			begin := func(random byte) {
				b.g.cfg.Rand = bytes.NewReader(bytes.Repeat([]byte{random}, 8))
				defer func() { b.g.cfg.Rand = rand.Reader }()
				if err := b.g.begin(t.Context(), syncproto.Generation{Base: b.log.l.Head(), Operator: "o", Reason: "r"}, nil); err != nil {
					t.Fatal(err)
				}
			}
			begin(5)
			b.save(2)
			b.sync()
			b.save(3)
			b.sync()
			b.putBack(&backup)
			if row.twin != 0 {
				begin(row.twin)
			}
			other.save(4)
			other.save(5)
			other.sync() // the centre goes on without what was lost
			b.sync()     // it learns, and what was lost is filled in again
			other.sync()
			b.sync()
			lives, err := b.log.l.Lineage()
			if err != nil {
				t.Fatal(err)
			}
			if n := lives.Newest().Number; n != 3 {
				t.Errorf("life %d, of %v", n, lives)
			}
			for _, x := range []*bench{b, other} {
				for seq, v := range x.agent.Verdicts() {
					if !lives.Holds(v.Position) {
						t.Errorf("journal %d: change %d stands at %s, which is lost", x.agent.State.Journal, seq, v.Position)
					}
				}
				q, _, err := x.agent.Ask()
				if err != nil {
					t.Fatal(err)
				}
				if len(q.GetBatch()) > 0 {
					t.Errorf("journal %d still sends %d segments", x.agent.State.Journal, len(q.GetBatch()))
				}
				if x.agent.State.Receipt != x.agent.State.Head || len(x.agent.State.Confirms) > 0 {
					t.Errorf("journal %d: receipt %v of %v, %d to confirm", x.agent.State.Journal, x.agent.State.Receipt, x.agent.State.Head, len(x.agent.State.Confirms))
				}
			}
			v := b.log.l.View("u1")
			defer v.Done()
			d, err := v.Digest()
			if err != nil || d != b.agent.State.Digest || d != other.agent.State.Digest || len(b.agent.Layer()) != 5 {
				t.Errorf("digests differ, %v; %d records", err, len(b.agent.Layer()))
			}
		})
	}
}

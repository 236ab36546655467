package gate

import (
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
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

// TestBaseBeside: a further life keeps what this state and every life learned have kept, and
// nothing above the beginning of a life whose number was given twice.
func TestBaseBeside(t *testing.T) {
	at := syncproto.MakePosition
	lives := syncproto.Lineage{{Number: 1}, {Number: 2, Random: 1, Base: at(1, 50)}}
	for _, row := range []struct {
		why     string
		learned []*entrypb.Generation
		want    syncproto.Position
	}{
		{"kept more than there is here", []*entrypb.Generation{{Number: 3, Base: uint64(at(2, 90))}}, at(2, 20)},
		{"kept less", []*entrypb.Generation{{Number: 3, Base: uint64(at(2, 10))}}, at(2, 10)},
		{"a twin that kept more than the own one", []*entrypb.Generation{{Number: 2, Random: 2, Base: uint64(at(1, 70))}}, at(1, 50)},
		{"a twin that kept less", []*entrypb.Generation{{Number: 2, Random: 2, Base: uint64(at(1, 30))}}, at(1, 30)},
	} {
		if got := baseBeside(lives, at(2, 20), row.learned); got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}

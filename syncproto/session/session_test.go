package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

var history = []byte("history1")

const (
	fieldName  syncproto.FieldNumber = 10
	fieldPhone syncproto.FieldNumber = 11
	fieldTags  syncproto.FieldNumber = 12
)

func classes(syncproto.KindNumber) merge.Classes {
	return func(f syncproto.FieldNumber) syncproto.MergeClass {
		switch f {
		case fieldPhone:
			return syncproto.ClassLatest
		case fieldTags:
			return syncproto.ClassSet
		}
		return syncproto.ClassAsk
	}
}

func record(n int) syncproto.RecordID { return syncproto.RecordID{15: byte(n)} }

var errCut = errors.New("the link was cut")

// world is one union with several agents, whose links lose and cut.
type world struct {
	centre *sessiontest.Centre
	agents []*sessiontest.Agent
	bases  []*sessiontest.Base
	all    []syncproto.Placed
}

func newWorld(t *rapid.T) *world {
	w := &world{centre: sessiontest.NewCentre(history)}
	w.centre.Class = classes
	held := rapid.SampledFrom([]byte{0, 0, 'h'}).Draw(t, "value that is held")
	w.centre.Hold = func(c *syncproto.Change) syncproto.HeldReason {
		if e := c.Edit(fieldName); e != nil && held != 0 && bytes.Contains(e.Value, []byte{held}) {
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "agents") {
		a := sessiontest.NewAgent("u1", syncproto.JournalID(0xa0+i), history)
		a.Class = classes
		a.State.Budget = rapid.SampledFrom([]int{1, 60, syncproto.MaxBatchBytes}).Draw(t, "budget")
		w.agents = append(w.agents, a)
		w.bases = append(w.bases, a.Base())
	}
	return w
}

func (w *world) save(t *rapid.T, i int) {
	a := w.agents[i]
	c := syncproto.Change{Kind: 2, ID: record(rapid.IntRange(1, 3).Draw(t, "record"))}
	value := []byte(rapid.SampledFrom([]string{"a", "b", "h", "c"}).Draw(t, "value"))
	switch rapid.IntRange(0, 4).Draw(t, "edit") {
	case 0:
		c.Edits = []syncproto.Edit{{Field: fieldName, Value: value}}
	case 1:
		c.Edits = []syncproto.Edit{{Field: fieldPhone, Value: value}}
	case 2:
		c.Edits = []syncproto.Edit{{Field: fieldTags, Add: [][]byte{value}}}
	case 3:
		c.Edits = []syncproto.Edit{{Field: fieldName, Cleared: true}, {Field: fieldPhone, Value: value}}
	case 4:
		seen := a.View(c.Key())
		c.Edits = []syncproto.Edit{{Field: syncproto.FieldVoid, Value: value}}
		c.Saw = seen.SawAll()
	}
	w.all = append(w.all, a.Save(c))
}

// round is one round trip of agent i, which may lose the request or the response.
func (w *world) round(t *rapid.T, i int) {
	a := w.agents[i]
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	loss := rapid.SampledFrom([]string{"", "", "request", "response"}).Draw(t, "loss")
	if loss == "request" {
		return
	}
	r, err := w.centre.Exchange(q)
	if err != nil {
		t.Fatal(err)
	}
	if loss == "response" {
		return
	}
	if _, err := a.Take(sent, r); err != nil {
		t.Fatal(err)
	}
}

func (w *world) quiesce(t *rapid.T) {
	for range 2 {
		for i, a := range w.agents {
			u, err := a.Sync(w.centre.Exchange)
			if err != nil {
				t.Fatalf("agent %d: %v", i, err)
			}
			if !u.Equal {
				t.Fatalf("agent %d does not end with equal digests: cursor %s wants %d", i, a.State.Cursor, len(a.State.Wants))
			}
		}
	}
}

// TestNothingIsLost: after any history of saves, cut exchanges and stores remade from an
// older base, a working link brings every change to the centre exactly once, all layers
// come to the centre's records, and no alarm was given.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, len(w.agents)-1).Draw(t, "agent")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1, 2:
				w.save(t, i)
			case 3, 4:
				w.round(t, i)
			case 5:
				if rapid.Bool().Draw(t, "crash") {
					w.agents[i].Rebuild(w.bases[i])
				} else {
					w.bases[i] = w.agents[i].Base()
				}
			}
		}
		w.quiesce(t)
		w.check(t)
	})
}

func (w *world) check(t *rapid.T) {
	at := w.centre.Positions()
	if len(at) != len(w.all) {
		t.Fatalf("%d changes saved, %d at the centre", len(w.all), len(at))
	}
	for _, p := range w.all {
		if at[p.Place.Dot()] == 0 {
			t.Fatalf("change %s is not at the centre", p.Place.Dot())
		}
	}
	for i, a := range w.agents {
		if len(a.Notices) > 0 || len(a.Refused) > 0 {
			t.Fatalf("agent %d: notices %v refused %v", i, a.Notices, a.Refused)
		}
		if a.State.Settled != a.State.Head.Seq || a.State.Receipt.Seq != a.State.Head.Seq {
			t.Fatalf("agent %d: head %d settled %d receipt %d", i, a.State.Head.Seq, a.State.Settled, a.State.Receipt.Seq)
		}
		for key, r := range w.centre.Records() {
			if merge.Hash(key, r) != merge.Hash(key, a.View(key)) {
				t.Fatalf("agent %d shows another record %s", i, key.ID)
			}
		}
	}
}

func synced(t *testing.T, saves int) (*sessiontest.Centre, *sessiontest.Agent) {
	t.Helper()
	c, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history)
	for i := range saves {
		a.Save(syncproto.Change{Kind: 2, ID: record(i + 1), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("x")}}})
	}
	if _, err := a.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	return c, a
}

// TestIdleIsOneRoundTrip: with nothing to do there is one request and one response.
func TestIdleIsOneRoundTrip(t *testing.T) {
	c, a := synced(t, 3)
	rounds := 0
	u, err := a.Sync(func(q *syncpb.Request) (*syncpb.Response, error) { rounds++; return c.Exchange(q) })
	if err != nil || rounds != 1 || !u.Equal {
		t.Fatalf("%d rounds, equal %v, %v", rounds, u.Equal, err)
	}
}

// TestTakeRefuses: a response that must not count changes nothing and says why.
func TestTakeRefuses(t *testing.T) {
	for _, row := range []struct {
		name string // why the row is here
		harm func(*syncpb.Response)
		want syncproto.Code
	}{
		{"another city's centre", func(r *syncpb.Response) { r.History = []byte("another1") }, syncproto.CodeOtherCentre},
		{"an answer to another image of the journal", func(r *syncpb.Response) { r.Nonce = []byte("12345678") }, syncproto.CodeAnswer},
		{"fewer verdicts than changes", func(r *syncpb.Response) { r.Verdicts[0].Hashes = r.Verdicts[0].Hashes[8:] }, syncproto.CodeAnswer},
		{"verdicts on a segment never sent", func(r *syncpb.Response) { r.Verdicts[0].Segment = 4 }, syncproto.CodeAnswer},
		{"a verdict of no kind", func(r *syncpb.Response) { r.Verdicts[0].Kinds = []byte{0, 0} }, syncproto.CodeAnswer},
		{"a receipt for other verdicts", func(r *syncpb.Response) { r.Verdicts[0].Hashes[0] ^= 1 }, syncproto.CodeReceipt},
		{"a receipt for a change not made here", func(r *syncpb.Response) { r.Receipt.Place.Hash[0] ^= 1 }, syncproto.CodeReceipt},
		{"a receipt above the journal", func(r *syncpb.Response) { r.Receipt.Place.Seq = 9 }, syncproto.CodeReceipt},
		{"a receipt whose signature is wrong", func(r *syncpb.Response) { r.Receipt.Signature = []byte("bad") }, syncproto.CodeReceipt},
		{"a page that goes back", func(r *syncpb.Response) { r.Page.Next = 0; r.Page.Start = 0 }, 0},
		{"a record that cannot be read", func(r *syncpb.Response) {
			r.Page.Records = []*syncpb.FeedRecord{{Kind: 2, Id: make([]byte, 16), Record: []byte{0xff}}}
		}, syncproto.CodeAnswer},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, a := synced(t, 1)
			for i := range 2 {
				a.Save(syncproto.Change{Kind: 2, ID: record(8 + i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("y")}}})
			}
			a.Verify = func(_ string, r *syncpb.Receipt, _ []byte) error {
				if len(r.GetSignature()) > 0 {
					return errors.New("does not verify")
				}
				return nil
			}
			q, sent, err := a.Ask()
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Exchange(q)
			if err != nil {
				t.Fatal(err)
			}
			row.harm(r)
			before := fmt.Sprintf("%+v %d", a.State, len(a.Layer()))
			_, err = a.Take(sent, r)
			if row.want == 0 {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if syncproto.CodeOf(err) != row.want {
				t.Fatalf("got %v, want code %d", err, row.want)
			}
			if after := fmt.Sprintf("%+v %d", a.State, len(a.Layer())); after != before {
				t.Fatalf("state changed:\n%s\n%s", before, after)
			}
		})
	}
}

// TestDigestAlarm: a layer that has come to differ, by a fault of disk or program, is
// noticed at the next exchange, said aloud, and mended from the centre in the same sync.
func TestDigestAlarm(t *testing.T) {
	for _, row := range []struct {
		name string
		harm func(a *sessiontest.Agent)
	}{
		{"a value changed", func(a *sessiontest.Agent) {
			a.Harm(syncproto.RecordKey{Kind: 2, ID: record(1)}, []byte("other"))
		}},
		{"a record invented", func(a *sessiontest.Agent) { a.Harm(syncproto.RecordKey{Kind: 2, ID: record(9)}, []byte("new")) }},
		{"a record lost", func(a *sessiontest.Agent) { a.Harm(syncproto.RecordKey{Kind: 2, ID: record(2)}, nil) }},
		{"only the stored digest wrong", func(a *sessiontest.Agent) { a.State.Digest[3] ^= 1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, a := synced(t, 3)
			row.harm(a)
			u, err := a.Sync(c.Exchange)
			if err != nil || !u.Equal {
				t.Fatalf("not mended: %v, %v", u, err)
			}
			if len(a.Notices) != 1 || a.Notices[0] != syncproto.CodeDigest {
				t.Fatalf("notices %v", a.Notices)
			}
			if len(a.Layer()) != 3 {
				t.Fatalf("%d records in the layer, want 3", len(a.Layer()))
			}
		})
	}
}

// TestCentreBehind: a centre that lacks what it gave a receipt for, without a generation
// entry to explain it, raises an alarm, and gets everything again.
func TestCentreBehind(t *testing.T) {
	_, a := synced(t, 3)
	fresh := sessiontest.NewCentre(history)
	_, err := a.Sync(fresh.Exchange)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Notices) == 0 || a.Notices[0] != syncproto.CodeCentreBehind {
		t.Fatalf("notices %v, want the alarm first", a.Notices)
	}
	if len(fresh.Positions()) != 3 {
		t.Fatalf("%d changes at the centre, want 3", len(fresh.Positions()))
	}
}

// TestDamagedFrame: a change whose bytes are lost goes as its place alone, is held with
// the reason, and the chain goes on behind it.
func TestDamagedFrame(t *testing.T) {
	c, a := synced(t, 1)
	for i := range 3 {
		a.Save(syncproto.Change{Kind: 2, ID: record(5 + i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("y")}}})
	}
	a.Lose(3)
	u, err := a.Sync(c.Exchange)
	if err != nil || !u.Equal {
		t.Fatalf("%v, %v", u, err)
	}
	if v := a.Verdicts()[3]; v.Kind != syncproto.VerdictHeld || v.Reason != syncproto.HeldLost {
		t.Fatalf("verdict %+v", v)
	}
	if len(c.Records()) != 3 || len(c.Positions()) != 4 {
		t.Fatalf("%d records of %d changes", len(c.Records()), len(c.Positions()))
	}
}

// TestClone: two PCs that use one journal, which went two ways, bring both branches to the
// centre, however little fits into a batch, and are both told.
func TestClone(t *testing.T) {
	c, a := synced(t, 1)
	clone := sessiontest.NewAgent("u1", 1, history)
	clone.State.Budget = 1 // one change a batch
	for _, p := range a.Own() {
		clone.Append(p.Bytes, p.Change)
	}
	name := func(i int) syncproto.Change {
		return syncproto.Change{Kind: 2, ID: record(i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("z")}}}
	}
	a.Save(name(50))
	if _, err := a.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		clone.Save(name(60 + i))
	}
	for range 2 {
		for _, x := range []*sessiontest.Agent{clone, a} {
			if u, err := x.Sync(c.Exchange); err != nil || !u.Equal {
				t.Fatalf("%v, %+v", err, u)
			}
		}
	}
	if got := len(c.Positions()); got != 7 {
		t.Errorf("%d changes at the centre, want 7", got)
	}
	for i, x := range []*sessiontest.Agent{a, clone} {
		if !slices.Contains(x.Notices, syncproto.CodeForked) || x.State.Settled != x.State.Head.Seq {
			t.Errorf("agent %d: notices %v, settled %d of %d", i, x.Notices, x.State.Settled, x.State.Head.Seq)
		}
	}
}

// TestDamagedBeforeItsAnswer: a frame goes bad after its change was sent and before the answer
// comes, as with a bundle that is under way for months. The answer's page leaves the record
// out, because the agent has the change: so it is not used, and the next one brings it.
func TestDamagedBeforeItsAnswer(t *testing.T) {
	c, a := synced(t, 1)
	for i := range 2 {
		a.Save(syncproto.Change{Kind: 2, ID: record(40 + i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("x")}}})
	}
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Exchange(q)
	if err != nil {
		t.Fatal(err)
	}
	a.Lose(2)
	if _, err := a.Take(sent, r); err != nil {
		t.Fatal(err)
	}
	if u, err := a.Sync(c.Exchange); err != nil || !u.Equal {
		t.Fatalf("%v, %+v", err, u)
	}
	if slices.Contains(a.Notices, syncproto.CodeDigest) || len(a.Layer()) != 3 {
		t.Errorf("notices %v, %d records, want 3", a.Notices, len(a.Layer()))
	}
}

// TestAnsweredIsShownUntilItsPageComes: after an unclean stop the layer is older than the
// verdicts. A change that was answered then stays laid over it until a page has brought it,
// however many pages that takes.
func TestAnsweredIsShownUntilItsPageComes(t *testing.T) {
	c, a := synced(t, 1)
	base, b := a.Base(), sessiontest.NewAgent("u1", 7, history)
	for i := range 3 {
		value := bytes.Repeat([]byte{byte('a' + i)}, syncproto.MinBudgetBytes*3/4)
		b.Save(syncproto.Change{Kind: 2, ID: record(20 + i), Edits: []syncproto.Edit{{Field: fieldName, Value: value}}})
	}
	if _, err := b.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	own := a.Save(syncproto.Change{Kind: 2, ID: record(50), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("mine")}}})
	if _, err := a.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	a.Rebuild(base)
	a.State.Budget = syncproto.MinBudgetBytes
	for rounds := 0; ; rounds++ {
		if a.View(own.Change.Key()).Text(fieldName) != "mine" {
			t.Fatalf("after %d rounds the change is not shown", rounds)
		}
		if a.State.Settled == a.State.Head.Seq {
			if rounds < 2 {
				t.Errorf("%d rounds, want some: the pages are too large for this test", rounds)
			}
			return
		}
		q, sent, err := a.Ask()
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Exchange(q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Take(sent, r); err != nil {
			t.Fatal(err)
		}
	}
}

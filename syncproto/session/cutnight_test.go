package session_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// TestCutsRaiseNoAlarm: a night whose requests and answers are lost in any way, and whose
// batches grow and shrink, ends without an alarm.
func TestCutsRaiseNoAlarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history)
		save := func(i int, v string) {
			a.Save(syncproto.Change{Kind: 2, ID: record(i), Edits: []syncproto.Edit{{Field: fieldName, Value: bytes.Repeat([]byte(v), 400)}}})
		}
		for i := range rapid.IntRange(0, 6).Draw(t, "before") {
			save(i+1, "x")
		}
		a.Begin()
		if _, err := a.Sync(c.Exchange); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			save(rapid.IntRange(1, 12).Draw(t, "record"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "value"))
		}
		lost := errors.New("lost")
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			a.State.Budget = rapid.SampledFrom([]int{syncproto.MinBudgetBytes, 4 << 10, 8 << 10, syncproto.MaxBatchBytes}).Draw(t, "budget")
			_, err := round(a, func(q *syncpb.Request) (*syncpb.Response, error) {
				switch rapid.SampledFrom([]string{"", "", "request", "answer"}).Draw(t, "lost") {
				case "request":
					return nil, lost
				case "answer":
					if _, err := c.Exchange(q); err != nil {
						return nil, err
					}
					return nil, lost
				}
				return c.Exchange(q)
			})
			if err != nil && !errors.Is(err, lost) {
				t.Fatal(err)
			}
		}
		a.State.Budget = syncproto.MaxBatchBytes
		if _, err := a.Sync(c.Exchange); err != nil {
			t.Fatal(err)
		}
		for _, n := range a.Notices {
			if n == syncproto.CodeDigest {
				t.Fatal("a digest alarm")
			}
		}
	})
}

func round(a *sessiontest.Agent, exchange func(*syncpb.Request) (*syncpb.Response, error)) (bool, error) {
	q, sent, err := a.Ask()
	if err != nil {
		return false, err
	}
	r, err := exchange(q)
	if err != nil {
		return false, err
	}
	u, err := a.Take(sent, r)
	if err != nil {
		return false, err
	}
	return u.Again, nil
}

// TestWantsKeepToTheBudget: on a line that bears little neither the names of the records that
// are wanted nor the records are more than it was found to bear, and all come in the end.
func TestWantsKeepToTheBudget(t *testing.T) {
	const records = 200
	c, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history)
	for i := range records {
		a.Save(syncproto.Change{Kind: 2, ID: record(i + 1), Edits: []syncproto.Edit{{Field: fieldName, Value: bytes.Repeat([]byte("x"), 200)}}})
	}
	if _, err := a.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	for i := range records {
		a.State.Wants = append(a.State.Wants, syncproto.RecordKey{Kind: 2, ID: record(i + 1)})
	}
	a.State.Budget = syncproto.MinBudgetBytes
	for rounds := 0; len(a.State.Wants) > 0; rounds++ {
		if _, err := round(a, func(q *syncpb.Request) (*syncpb.Response, error) {
			r, err := c.Exchange(q)
			const most = syncproto.MinBudgetBytes + 512 // for what every message has
			if len(q.GetWant()) == 0 || proto.Size(q) > most || proto.Size(r) > most || rounds > records {
				t.Fatalf("round %d: %d wanted, %d bytes asked, %d answered", rounds, len(q.GetWant()), proto.Size(q), proto.Size(r))
			}
			return r, err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

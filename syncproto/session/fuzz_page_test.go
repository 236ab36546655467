package session_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// fetching is an agent with a change of its own that asks for others': the honest answer has
// a page with records, the signed changes behind them, and, if the centre was restored, lives.
func fetching(t testing.TB, restored bool) (*sessiontest.Agent, session.Sent, *syncpb.Response) {
	t.Helper()
	c := sessiontest.NewCentre(history)
	other, a := sessiontest.NewAgent("u1", 1, history), sessiontest.NewAgent("u1", 2, history)
	a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil } // what it lets through is looked at
	backup := c.Backup()
	for i := range 3 {
		other.Save(syncproto.Change{Kind: 2, ID: record(i + 1), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("x")}}})
		if _, err := other.Sync(c.Exchange); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := a.Sync(c.Exchange); err != nil {
				t.Fatal(err)
			}
			backup = c.Backup()
		}
	}
	if restored {
		c.Restore(backup, c.Lineage, 5)
		if _, err := other.Sync(c.Exchange); err != nil {
			t.Fatal(err)
		}
	}
	a.Save(syncproto.Change{Kind: 2, ID: record(2), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("y")}}})
	a.Begin()
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Exchange(q)
	if err != nil {
		t.Fatal(err)
	}
	return a, sent, r
}

// FuzzTakePage: no answer to an agent that has records already, however made, crashes it; one
// that is refused changes nothing; one that is taken is taken in one way.
func FuzzTakePage(f *testing.F) {
	for _, restored := range []bool{false, true} {
		_, _, r := fetching(f, restored)
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(syncpb.Response)
		if proto.Unmarshal(b, r) != nil {
			return
		}
		a, sent, _ := fetching(t, false)
		r.History, r.Nonce = a.State.History, sent.Nonce // else the first check ends it
		twin, before := a.Image(), a.Image()
		_, err := a.Take(sent, r)
		_, again := twin.Take(sent, r)
		if (err == nil) != (again == nil) {
			t.Fatalf("taken once, refused once: %v, %v", err, again)
		}
		want := twin
		if err != nil {
			want = before
		}
		if diff := cmp.Diff(want.State, a.State) + cmp.Diff(want.Layer(), a.Layer()) + cmp.Diff(want.AllKept(), a.AllKept()); diff != "" {
			t.Fatalf("refused with %v; (-want +got)\n%s", err, diff)
		}
	})
}

package session_test

import (
	"bytes"
	"slices"
	"testing"

	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
)

// TestLifeOfTheSameNumber: a centre that was restored by somebody who did not know of its
// newest life gave its own the same number, or went on from there. Whoever knows the other
// one tells, whatever the numbers, and nothing that was saved in either is lost.
func TestLifeOfTheSameNumber(t *testing.T) {
	for _, row := range []struct {
		why    string
		random uint64 // of the life begun without knowing
		twice  bool   // and another one after it
	}{
		{"it sorts before the one that is known", 1, false},
		{"it sorts behind it", 1 << 40, false},
		{"its number is higher by now", 1 << 40, true},
	} {
		t.Run(row.why, func(t *testing.T) {
			c, a := synced(t, 1)
			b := sessiontest.NewAgent("u1", 7, history)
			backup := c.Backup()
			c.Restore(backup, c.Lineage, 1000)
			save := func(x *sessiontest.Agent, i int) {
				x.Save(syncproto.Change{Kind: 2, ID: record(i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte{byte('a' + i)}}}})
			}
			sync := func(x *sessiontest.Agent) {
				if u, err := x.Sync(c.Exchange); err != nil || !u.Equal || slices.Contains(x.Notices, syncproto.CodeDigest) {
					t.Fatalf("%v, %+v, %v", err, u, x.Notices)
				}
			}
			save(a, 30)
			sync(a) // knows the life that will be forgotten
			c.Restore(backup, nil, row.random)
			save(b, 31)
			sync(b) // knows the other one, which gave this change the position that the first gave a's
			if row.twice {
				c.Restore(c.Backup(), nil, 2000)
			}
			save(a, 32)
			sync(a)
			sync(b)
			sync(a)
			if got := len(c.Positions()); got != 4 {
				t.Errorf("%d changes at the centre, want 4", got)
			}
		})
	}
}

// TestOldBundleInALifeOfTheSameNumber: a bundle made before a restore is answered by a life that
// does not know of the one that its author lives in by now. It knows the life that the bundle
// names, so it answers it whole; that answer must not be followed.
func TestOldBundleInALifeOfTheSameNumber(t *testing.T) {
	c, a := synced(t, 1)
	save := func(i int) {
		a.Save(syncproto.Change{Kind: 2, ID: record(i), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte{byte('a' + i)}}}})
	}
	sync := func() {
		t.Helper()
		if u, err := a.Sync(c.Exchange); err != nil || !u.Equal || len(a.Notices) > 0 {
			t.Fatalf("%v, %+v, notices %v", err, u, a.Notices)
		}
	}
	backup := c.Backup()
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	c.Restore(backup, c.Lineage, 1000)
	save(30)
	sync()
	c.Restore(backup, nil, 1<<40) // the same number again, and it sorts behind the other
	r, err := c.Exchange(q)
	if err != nil || r.GetPage() == nil {
		t.Fatalf("%v, page %v", err, r.GetPage())
	}
	if _, err := a.Take(sent, r); err != nil {
		t.Fatal(err)
	}
	if !a.State.Return || len(a.State.Lineage) != 2 {
		t.Errorf("the answer was followed: lives %v", a.State.Lineage)
	}
	save(31)
	sync()
	if got := len(c.Positions()); got != 3 || c.Lineage.Newest().Number != 3 {
		t.Errorf("%d changes at the centre, want 3; its lives are %v", got, c.Lineage)
	}
}

// TestRestoredAmidPages: a fetch is cut after its first page, and then the centre is restored.
// A record that the page passed over, because its newest change stood further on, stands
// behind the cursor now: the fetch begins again where the last whole one ended.
func TestRestoredAmidPages(t *testing.T) {
	c, b, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history), sessiontest.NewAgent("u1", 9, history)
	save := func(ids ...int) {
		for _, id := range ids {
			value := bytes.Repeat([]byte{byte('a' + id)}, syncproto.MinBudgetBytes*3/4)
			b.Save(syncproto.Change{Kind: 2, ID: record(id), Edits: []syncproto.Edit{{Field: fieldPhone, Value: value}}})
		}
		if _, err := b.Sync(c.Exchange); err != nil {
			t.Fatal(err)
		}
	}
	save(1, 2, 3)
	backup := c.Backup()
	save(1)
	a.State.Budget = syncproto.MinBudgetBytes
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Exchange(q)
	if err != nil || !r.GetPage().GetMore() {
		t.Fatalf("%v, more %v", err, r.GetPage().GetMore())
	}
	if _, err := a.Take(sent, r); err != nil {
		t.Fatal(err)
	}
	c.Restore(backup, c.Lineage, 1000)
	a.State.Budget = syncproto.MaxBatchBytes
	if u, err := a.Sync(c.Exchange); err != nil || !u.Equal {
		t.Fatalf("%v, %+v", err, u)
	}
	if slices.Contains(a.Notices, syncproto.CodeDigest) || len(a.Layer()) != 3 {
		t.Errorf("notices %v, %d records, want 3", a.Notices, len(a.Layer()))
	}
}

// TestLostThereKeptHere: a restored centre gets the place of a change alone, because its frame
// was damaged meanwhile, and so does not know which record it was of. Who keeps its bytes is
// answered that it is lost; the record's answer, at an older position, is taken all the same.
func TestLostThereKeptHere(t *testing.T) {
	c, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history)
	b, other := sessiontest.NewAgent("u1", 9, history), sessiontest.NewAgent("u1", 8, history)
	sync := func(agents ...*sessiontest.Agent) {
		t.Helper()
		for _, x := range agents {
			if u, err := x.Sync(c.Exchange); err != nil || !u.Equal {
				t.Fatalf("%v, wanted %v", err, x.State.Wants)
			}
		}
	}
	backup := c.Backup()
	save := func(value string) {
		a.Save(syncproto.Change{Kind: 2, ID: record(1), Edits: []syncproto.Edit{{Field: fieldPhone, Value: []byte(value)}}})
		sync(a)
	}
	save("1")
	sync(other)
	save("2")
	sync(b)
	c.Restore(backup, c.Lineage, 1000)
	sync(other) // the first change is there again
	other.Save(syncproto.Change{Kind: 2, ID: record(1), Edits: []syncproto.Edit{{Field: fieldPhone, Value: []byte("3")}}})
	sync(other)
	b.Begin()
	b.State.Budget = 1 // one change a request
	for range 2 {      // it hears of the new life; it gives the first change back, and gets the record as it is now
		q, sent, err := b.Ask()
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Exchange(q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Take(sent, r); err != nil {
			t.Fatal(err)
		}
	}
	a.Lose(2)
	sync(a, b, b)
}

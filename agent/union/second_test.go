package union_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"unionsync/agent/journal"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
)

// withSecond opens a station again with a second place.
func (p *station) withSecond(stick string) {
	p.t.Helper()
	if err := p.u.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.stick = stick
	p.open()
}

func (p *station) open() {
	p.t.Helper()
	u, err := union.Open(p.dir, p.options())
	if err != nil {
		p.t.Fatal(err)
	}
	p.u = u
	p.t.Cleanup(func() { _ = u.Close() })
}

func image(t *testing.T, p *station) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSecondPlace: what was saved with a stick in comes back from it into an older image of
// the PC, before anything else is saved; status tells what is on this PC only.
func TestSecondPlace(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	stick := filepath.Join(t.TempDir(), "stick")
	p.withSecond(stick)
	p.members(0, 2)
	if st := status(t, p); st.OnlyHere != 4 || st.HereSince.IsZero() || st.Waiting != 4 {
		t.Errorf("stick not there: %+v", st)
	}
	if err := os.Mkdir(stick, 0o700); err != nil {
		t.Fatal(err)
	}
	p.members(10, 1) // catches up
	if st := status(t, p); st.OnlyHere != 0 || !st.HereSince.IsZero() || st.Waiting != 6 || st.Second.There != 6 {
		t.Errorf("stick there: %+v", st)
	}
	old := image(t, p)
	p.members(20, 3)
	lost := p.dots()
	if err := p.u.Close(); err != nil {
		t.Fatal(err)
	}
	q := openCopy(t, p, 5, old)
	if n := len(q.dots()); n != 6 {
		t.Fatalf("the image has %d changes", n)
	}
	q.withSecond(stick)
	if n, m := len(q.dots()), status(t, q).Records["member"]; n != len(lost) || m != 6 {
		t.Errorf("%d changes of %d came back, %d members shown", n, len(lost), m)
	}
	q.members(30, 1)
	q.mustSync()
	if n := lacks(c, append(lost, q.dots()...)); n != 0 {
		t.Errorf("%d changes are not at the centre", n)
	}
}

// TestSecondPlaceBranch: the image goes on without the stick; when it is plugged in, what is
// on it alone goes to the centre as another branch.
func TestSecondPlaceBranch(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	stick := t.TempDir()
	p.withSecond(stick)
	p.members(0, 1)
	p.mustSync()
	old := image(t, p)
	p.members(20, 2)
	saved := p.dots()
	if err := p.u.Close(); err != nil {
		t.Fatal(err)
	}
	q := openCopy(t, p, 5, old)
	q.members(30, 1)
	q.withSecond(stick)
	q.mustSync()
	if n := lacks(c, append(saved, q.dots()...)); n != 0 {
		t.Errorf("%d changes are not at the centre", n)
	}
	if n := status(t, q).Records["member"]; n != 4 {
		t.Errorf("%d members shown of 4", n)
	}
	q.equal()
}

// TestRestoreJournal: a journal whose file is gone is made again from the stick, under its
// own name, and syncs on.
func TestRestoreJournal(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	stick := t.TempDir()
	p.withSecond(stick)
	p.members(0, 2)
	p.mustSync()
	p.members(10, 1)
	saved, id := p.dots(), p.u.JournalID()
	if err := p.u.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(p.dir, journal.FileName)); err != nil {
		t.Fatal(err)
	}
	n, err := union.RestoreJournal(p.dir, exchangeUnion, stick, p.options())
	if err != nil || n != len(saved) {
		t.Fatalf("%d of %d entries, %v", n, len(saved), err)
	}
	p.open()
	if p.u.JournalID() != id {
		t.Error("the journal has another name")
	}
	p.mustSync()
	if n := lacks(c, saved); n != 0 {
		t.Errorf("%d changes are not at the centre", n)
	}
	if n := status(t, p).Records["member"]; n != 3 {
		t.Errorf("%d members shown of 3", n)
	}
	p.equal()
	if _, err := uniontest.Members(context.Background(), p.u, 50, 1); err != nil {
		t.Error(err)
	}
}

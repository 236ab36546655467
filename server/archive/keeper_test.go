package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

func TestLastOf(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.Local) }
	for _, row := range []struct {
		why     string
		minutes []int
		now     time.Time
		want    time.Time
	}{
		{"later on the day", []int{90}, at(5, 12, 0), at(5, 1, 30)},
		{"on the minute", []int{90}, at(5, 1, 30), at(5, 1, 30)},
		{"before it: yesterday's", []int{90}, at(5, 1, 29), at(4, 1, 30)},
		{"the newest of two", []int{90, 780}, at(5, 13, 1), at(5, 13, 0)},
		{"between two", []int{780, 90}, at(5, 2, 0), at(5, 1, 30)},
		{"the first of a month", []int{90}, at(1, 0, 0), time.Date(2026, 2, 28, 1, 30, 0, 0, time.Local)},
	} {
		if got := lastOf(row.minutes, row.now); !got.Equal(row.want) {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}

// TestPrefix: the watermark is what all backups offered have in common, across lives; a
// manifest that cannot be read leaves it unknown; without the oldest backup it may rise.
func TestPrefix(t *testing.T) {
	c := newCentre(t)
	f := newFolder(t)
	w := c.writer(f)
	at := syncproto.MakePosition
	prefix := func() (syncproto.Position, bool) {
		t.Helper()
		lives, err := c.ledger.Lineage()
		if err != nil {
			t.Fatal(err)
		}
		p, ok, err := w.Prefix(t.Context(), lives)
		if err != nil {
			t.Fatal(err)
		}
		return p, ok
	}
	if _, ok := prefix(); ok {
		t.Error("without a backup")
	}
	c.members(10)
	first := c.backup(w)
	c.members(10)
	second := c.backup(w)
	if p, ok := prefix(); !ok || p != at(1, 10) {
		t.Errorf("of two: %s", p)
	}
	c.apply(&entrypb.NewGeneration{Time: 5, Next: c.entryOf(syncproto.Generation{Number: 2, Random: 8, Base: at(1, 15), Operator: "o", Reason: "r"})})
	third := c.backup(w)
	if err := w.remove(t.Context(), manifestOf(first)); err != nil {
		t.Fatal(err)
	}
	if p, ok := prefix(); !ok || p != at(1, 15) {
		t.Errorf("of two branches: %s, want what both took over", p)
	}
	f.mustPut(t, manifestOf(second), []byte("damaged"))
	if p, ok := prefix(); ok {
		t.Errorf("a manifest that nobody can read lets it rise to %s", p)
	}
	if err := w.remove(t.Context(), manifestOf(second)); err != nil {
		t.Fatal(err)
	}
	if p, ok := prefix(); !ok || p != third.Position {
		t.Errorf("of the last: %s, want %s", p, third.Position)
	}
}

// TestMarks: what agents were told is remembered until a log has it all, or a restore gives
// it up.
func TestMarks(t *testing.T) {
	c := newCentre(t)
	w := c.writer(newFolder(t))
	at := syncproto.MakePosition
	lives := syncproto.Lineage{{Number: 1, Random: 1}, {Number: 2, Random: 2, Base: at(1, 10)}}
	want := func(why string, all ...syncproto.Position) {
		t.Helper()
		got, err := w.Marks(t.Context())
		if diff := cmp.Diff(all, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", why, err, diff)
		}
	}
	keep := func(p syncproto.Position) {
		t.Helper()
		if err := w.KeepMark(t.Context(), p, lives); err != nil {
			t.Fatal(err)
		}
	}
	want("at first")
	keep(at(1, 5))
	keep(at(1, 8))
	want("a later one has the earlier", at(1, 8))
	keep(at(1, 20))
	keep(at(2, 3))
	want("another branch has not", at(1, 20), at(2, 3))
	if lost := Lost([]syncproto.Position{at(1, 20), at(2, 3), at(1, 9), 0}, at(2, 7), lives); len(lost) != 1 || lost[0] != at(1, 20) {
		t.Errorf("lost %v", lost)
	}
	if err := w.LowerMarks(t.Context(), at(2, 7), lives); err != nil {
		t.Fatal(err)
	}
	want("given up", at(1, 10), at(2, 3))
}

// TestPrune: the newest stay, and of the log what they need; what a cut-off backup left goes
// when it is old enough not to be another node's work.
func TestPrune(t *testing.T) {
	c := newCentre(t)
	f := newFolder(t)
	w := c.writer(f)
	first := c.backup(w)
	s := c.stream(w)
	c.members(30)
	c.catchUp(s)
	second := c.backup(w)
	c.members(30)
	c.catchUp(s)
	third := c.backup(w)
	f.mustPut(t, backupsDir+nameOf(c.now, 1, []byte{1, 1, 1, 1})+"/"+partName(0), []byte("x"))
	before := len(f.segments(t))
	gone, err := w.Prune(t.Context(), 2, first.LogID, c.now.Add(time.Hour))
	if diff := cmp.Diff([]string{first.Name}, gone); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if n := len(f.segments(t)); n >= before || n == 0 {
		t.Errorf("%d segments of %d are left", n, before)
	}
	for _, m := range []*Manifest{second, third} {
		if b := rebuild(t, w.Reader, m, Rebuilding{WithLog: true}); b.Digest != digest(t, c.ledger) {
			t.Errorf("from %s it is not the whole state any more", m.Name)
		}
	}
	parts := func() int {
		all, err := f.List(t.Context(), backupsDir)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	with := parts()
	if _, err := w.Prune(t.Context(), 2, first.LogID, c.now.Add(25*time.Hour)); err != nil || parts() != with-1 {
		t.Errorf("a day later %d objects of %d, %v", parts(), with, err)
	}
}

// order is a target that notes what is put and deleted, and what the centre proposes.
type order struct {
	Target
	mu   sync.Mutex
	seen []string
}

func (o *order) note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, what)
}

// Put implements Target.
func (o *order) Put(ctx context.Context, name string, data []byte) error {
	if name == watermarkAt {
		o.note("watermark noted")
	}
	return o.Target.Put(ctx, name, data)
}

// Delete implements Target.
func (o *order) Delete(ctx context.Context, name string) error {
	if len(name) > len(manifestName) && name[len(name)-len(manifestName):] == manifestName {
		o.note("backup withdrawn")
	}
	return o.Target.Delete(ctx, name)
}

// proposing notes watermarks that are proposed.
type proposing struct {
	*centre
	o *order
}

// Propose implements Log.
func (p proposing) Propose(ctx context.Context, b []byte) error {
	p.o.note("watermark proposed")
	return p.centre.Propose(ctx, b)
}

// TestOrder: a backup is withdrawn before the watermark rises above it, and the target knows
// of a watermark before any agent can.
func TestOrder(t *testing.T) {
	c := newCentre(t)
	o := &order{Target: newFolder(t)}
	k := NewKeeper(Config{
		Writer: c.writer(o), Ledger: c.ledger, Log: proposing{c, o}, Policy: Policy{Keep: 2}, Dir: t.TempDir(),
		Rand: rand.Reader, Now: func() time.Time { return c.now }, Logger: discard,
	})
	for i := range 3 {
		c.members(10)
		c.now = c.now.Add(time.Minute)
		o.seen = nil
		if err := k.backUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := [][]string{{"watermark noted", "watermark proposed"}, nil, {"backup withdrawn", "watermark noted", "watermark proposed"}}[i]
		if diff := cmp.Diff(want, o.seen); diff != "" {
			t.Errorf("backup %d (-want +got):\n%s", i+1, diff)
		}
	}
	if got := c.ledger.Watermark(); got != syncproto.MakePosition(1, 20) {
		t.Errorf("the watermark is %s", got)
	}
}

// TestKeeper runs a keeper for some hours: it begins with a backup, streams, makes one when it
// is time, and does nothing while another node leads.
func TestKeeper(t *testing.T) {
	f := newFolder(t)
	dir := t.TempDir()
	city := newCity(t)
	var hourly []int
	for hour := range 24 {
		hourly = append(hourly, hour*60)
	}
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(ledger.Config{Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		c := foundIn(t, city, l)
		k := NewKeeper(Config{
			Writer: c.writer(f), Ledger: l, Log: c, Policy: Policy{At: hourly, Drill: -1}, Dir: dir,
			Rand: rand.Reader, Now: time.Now, Logger: discard,
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		c.members(10)
		<-time.After(time.Minute)
		s := k.Status()
		if s.Backup == nil || s.Streamed != l.Head() || s.Lag != 0 || !s.Active || s.Fault != nil {
			t.Errorf("after a minute: %+v", s)
		}
		c.members(10)
		<-time.After(time.Hour)
		all, err := c.writer(f).List(ctx)
		if err != nil || len(all) != 2 {
			t.Errorf("%d backups after an hour, %v", len(all), err)
		}
		c.mu.Lock()
		c.term = 0
		c.mu.Unlock()
		c.members(10)
		<-time.After(2 * time.Hour)
		if later, err := c.writer(f).List(ctx); err != nil || len(later) != len(all) || k.Status().Active || k.Status().Lag == 0 {
			t.Errorf("while another leads: %d backups, %v, %+v", len(all), err, k.Status())
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

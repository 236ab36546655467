package union

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/agent/journal"
	"unionsync/agent/second"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// How long the second place may keep people waiting: it is slow or gone at any time.
const (
	saveWait  = 300 * time.Millisecond
	closeWait = 2 * time.Second
	openWait  = 3 * time.Second
)

func (o *Options) patient(d time.Duration) time.Duration {
	if o.patience != 0 {
		return o.patience
	}
	return d
}

// noteName is the file beside the journal that says how far the second place came. It is
// not needed: without it changes count as not being there.
const noteName = "second.json"

// copier keeps the second place in step with the journal. It does one copy at a time and
// never keeps anybody from saving.
type copier struct {
	u     *Union
	place second.Place

	mu    sync.Mutex
	work  errgroup.Group // the copy that runs; it ends with the file's or the journal's end
	done  chan struct{}  // guarded by mu: closed when no copy runs
	again bool           // guarded by mu: the journal grew meanwhile
	err   error          // guarded by mu: of the newest copy
	back  uint64         // entries that came back at the opening; not changed afterwards
}

// secondNote is how far the second place came.
type secondNote struct {
	Dir  string         `json:"dir"`
	Seq  uint64         `json:"seq"`
	Hash syncproto.Hash `json:"hash"`
}

func secondKey(o *Options) *[seal.KeySize]byte {
	return seal.Derive(o.Key[:], "unionsync agent second")
}

// openSecond takes back what the second place has and the journal lacks, before anything is
// saved, and then brings it up to date. A second place that does not answer in time is left
// alone until the next opening.
func (u *Union) openSecond() {
	if u.o.Second == "" {
		return
	}
	done := make(chan struct{})
	close(done)
	c := &copier{u: u, done: done, place: second.Place{
		Dir: u.o.Second, Union: u.Code(), Journal: u.j.ID(), Key: secondKey(&u.o), Rand: u.o.Rand,
	}}
	u.second = c
	read := make(chan lacking, 1)
	c.work.Go(func() error {
		read <- c.look()
		return nil
	})
	select {
	case got := <-read:
		c.back = uint64(len(got.follow))
		if err := u.takeBack(got); err != nil {
			u.o.Log.Warn("the second place cannot be taken back", "error", err)
			return
		}
		c.follow()
	case <-time.After(u.o.patient(openWait)):
		u.o.Log.Warn("the second place does not answer")
	}
}

// lacking is what the journal lacks of the second place.
type lacking struct {
	follow, branch []journal.Frame
	err            error
}

// look reads all of the second place if its end is not where the journal's is.
func (c *copier) look() lacking {
	err := c.place.Fits(c.u.j)
	if err == nil || errors.Is(err, second.ErrAbsent) {
		return lacking{}
	}
	follow, branch, err := c.place.Missing(c.u.j)
	return lacking{follow, branch, err}
}

// takeBack puts entries back into the journal. Those of another branch are kept as changes
// that the centre is not known to have.
func (u *Union) takeBack(l lacking) error {
	if l.err != nil {
		return l.err
	}
	if len(l.follow) > 0 {
		if err := u.j.Restore(l.follow); err != nil {
			return err
		}
		u.o.Log.Warn("entries of the journal came back from the second place", "first", l.follow[0].Place.Seq, "n", len(l.follow))
	}
	return u.keepBranch(l.branch)
}

// keepBranch keeps changes of this PC's own journal that are on another branch of it. They
// have no position: they are sent with the next sync, signed by this PC, see [exchange.sign].
func (u *Union) keepBranch(branch []journal.Frame) error {
	var fresh []session.Kept
	for _, f := range branch {
		_, ok, err := u.j.Kept(f.Place.Dot())
		if err != nil {
			return err
		}
		if !ok {
			fresh = append(fresh, session.Kept{Placed: placed(f), Previous: f.Previous})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	u.o.Log.Warn("changes of another branch of the journal were found", "n", len(fresh))
	return u.j.Update(func(tx *journal.Tx) error {
		for _, k := range fresh {
			if err := tx.Keep(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow begins to copy what the journal has more, unless a copy runs: that one goes on.
func (c *copier) follow() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
	default:
		c.again = true
		return
	}
	c.again, c.done = false, make(chan struct{})
	done := c.done
	c.work.Go(func() error {
		defer close(done)
		for c.copy() {
		}
		return nil
	})
}

// copy makes one copy and reports whether another is due.
func (c *copier) copy() bool {
	got := c.look()
	err := got.err
	if err == nil && len(got.follow) == 0 {
		err = c.u.keepBranch(got.branch) // before the file that holds it becomes a part
	}
	if err == nil {
		_, err = c.place.Copy(c.u.j, c.note)
	}
	if err != nil && !errors.Is(err, second.ErrAbsent) {
		c.u.o.Log.Warn("the second place cannot be written", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	again := c.again
	c.again = false
	return again && err == nil
}

// note notes how far the second place came.
func (c *copier) note(at syncproto.Place) {
	b, err := json.Marshal(secondNote{Dir: c.place.Dir, Seq: at.Seq, Hash: at.Hash})
	if err != nil {
		return // plain data
	}
	name := filepath.Join(c.u.dir, noteName)
	if err := errors.Join(os.WriteFile(name+".new", b, 0o600), os.Rename(name+".new", name)); err != nil {
		c.u.o.Log.Warn("the note of the second place cannot be written", "error", err)
	}
}

// wait waits until no copy runs, at most for d.
func (c *copier) wait(d time.Duration) {
	if c == nil {
		return
	}
	c.mu.Lock()
	done := c.done
	c.mu.Unlock()
	timer := time.NewTimer(c.u.o.patient(d))
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// Second tells how the second place stands.
type Second struct {
	Dir   string // empty: there is none
	There uint64 // own changes up to here are known to be there
	Back  uint64 // entries that came back from there when the union was opened
	OK    bool   // the newest copy ended well
}

// SecondPlace tells how the second place stands, as far as is known here.
func (u *Union) SecondPlace() (Second, error) {
	if u.second == nil {
		return Second{}, nil
	}
	u.second.mu.Lock()
	out := Second{Dir: u.o.Second, OK: u.second.err == nil, Back: u.second.back}
	u.second.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(u.dir, noteName))
	var n secondNote
	if err != nil || json.Unmarshal(b, &n) != nil || n.Dir != u.o.Second {
		return out, nil //nolint:nilerr // a note that is lost counts for nothing
	}
	p, ok, err := u.place(n.Seq)
	if err == nil && ok && p.Hash == n.Hash {
		out.There = n.Seq
	}
	return out, err
}

// RestoreJournal makes the journal of a union that was lost again from a second place. The
// folder's other files stay; the union is opened afterwards as usual. It gives how many
// entries came back.
func RestoreJournal(dir, code, from string, o Options) (n int, err error) {
	o.defaults()
	ids, err := second.Journals(from, code, secondKey(&o))
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, syncproto.Fail(syncproto.CodeSecondEmpty, "restore journal", nil, "dir", from)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("restore journal: %w", err)
	}
	path := filepath.Join(dir, journal.FileName)
	j, err := journal.CreateAs(path, code, ids[0], o.journal())
	if err != nil {
		return 0, fmt.Errorf("restore journal: %w", err)
	}
	place := second.Place{Dir: from, Union: code, Journal: ids[0], Key: secondKey(&o), Rand: o.Rand}
	follow, _, err := place.Missing(j)
	if err == nil && len(follow) > 0 {
		err = j.Restore(follow)
	}
	if err = errors.Join(err, j.Close()); err != nil {
		return 0, errors.Join(fmt.Errorf("restore journal: %w", err), os.Remove(path))
	}
	return len(follow), nil
}

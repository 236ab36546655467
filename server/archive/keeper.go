package archive

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Policy says what is kept, and when.
type Policy struct {
	At     []int         // minutes after midnight, local time, at which a backup is made; default 01:30
	Keep   int           // backups that are offered; default 14
	Stream time.Duration // what is committed is on the target after this at the latest; default 20 s
	Drill  time.Duration // between two drills; default a week; negative: none
}

func (p *Policy) setDefaults() {
	if len(p.At) == 0 {
		p.At = []int{90}
	}
	if p.Keep == 0 {
		p.Keep = 14
	}
	if p.Stream == 0 {
		p.Stream = 20 * time.Second
	}
	if p.Drill == 0 {
		p.Drill = 7 * 24 * time.Hour
	}
}

// Config is what a keeper needs.
type Config struct {
	Writer  *Writer
	Ledger  *ledger.Ledger
	Log     Log
	Policy  Policy
	Dir     string    // of this node: scratch space and what the last drill said; it exists
	Rand    io.Reader // cryptographically random
	Now     func() time.Time
	Members func(*ledger.Ledger) (int, error) // see [Drilling]
	Logger  *slog.Logger
	Version string
}

// How often it is looked what is to do, and how long after a failure it is tried again.
const (
	lookEvery  = time.Second
	retryAfter = 30 * time.Second
	enough     = 2 << 20 // bytes of log that are streamed at once
)

// Keeper keeps the archive while this node leads: it streams the log, makes backups, takes
// old ones away, moves the watermark, and drills. A node that does not lead does nothing of
// it. Make it with [NewKeeper].
type Keeper struct {
	cfg    Config
	stream stream // owned by the streaming task of Run

	mu      sync.Mutex
	state   Status        // guarded by mu
	wanted  bool          // guarded by mu: a person asked for a backup
	gap     bool          // guarded by mu: the log cannot be streamed before a backup
	made    *Manifest     // guarded by mu: the newest backup that this node made or found in this lead
	retry   [3]time.Time  // guarded by mu: by job, not before
	changed chan struct{} // guarded by mu: closed and replaced when there is something to do
}

// NewKeeper makes a keeper.
func NewKeeper(cfg Config) *Keeper {
	cfg.Policy.setDefaults()
	k := &Keeper{cfg: cfg, changed: make(chan struct{})}
	k.stream = stream{w: cfg.Writer, log: cfg.Log, ledger: cfg.Ledger}
	k.state.Target = cfg.Writer.target.String()
	return k
}

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	if err := ClearScratch(k.cfg.Dir); err != nil {
		k.cfg.Logger.Warn("scratch folder not cleared", "error", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.runLead(ctx, k.streaming) })
	group.Go(func() error { return k.runLead(ctx, k.working) })
	return group.Wait()
}

// runLead calls task again and again while this node leads. begun is true at the first call
// in a lead.
func (k *Keeper) runLead(ctx context.Context, task func(ctx context.Context, begun bool)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := uint64(0)
	for {
		term, leads := k.cfg.Log.Leading()
		if leads && k.cfg.Ledger.Ready() {
			task(ctx, term != last)
			last = term
		} else {
			last = 0
			k.update(func(s *Status) { s.Active = false })
		}
		k.mu.Lock()
		changed := k.changed
		k.mu.Unlock()
		select {
		case <-tick.C:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Jobs, by which failures are told apart.
const (
	jobStream = iota
	jobBackup
	jobDrill
)

var jobNames = [...]string{"stream", "backup", "drill"}

// try does a job unless it failed a moment ago, and notes how it went.
func (k *Keeper) try(ctx context.Context, job int, do func() error) {
	k.mu.Lock()
	wait := k.cfg.Now().Before(k.retry[job])
	k.mu.Unlock()
	if wait {
		return
	}
	err := do()
	if ctx.Err() != nil {
		return
	}
	k.update(func(s *Status) { s.fault(jobNames[job], err, k.cfg.Now()) })
	if err != nil {
		k.mu.Lock()
		k.retry[job] = k.cfg.Now().Add(retryAfter)
		k.mu.Unlock()
		k.cfg.Logger.Error("archive: "+jobNames[job]+" failed", "error", err)
	}
}

// streaming streams what is due.
func (k *Keeper) streaming(ctx context.Context, begun bool) {
	s := &k.stream
	if begun {
		s.logID = "" // another node may have led since
	}
	whole, now := k.cfg.Ledger.Whole(), k.cfg.Now()
	logID := hex.EncodeToString(whole.LogID)
	k.mu.Lock()
	if k.gap && k.made != nil && k.made.LogID == logID && (s.logID != logID || k.made.Index > s.index) {
		s.begin(k.made)
		k.gap = false
	}
	gap := k.gap
	k.mu.Unlock()
	same := s.logID == logID
	if same && s.index >= whole.Index {
		k.update(func(st *Status) { st.streamed(s, now) })
		return
	}
	if gap || same && k.cfg.Log.Behind(s.index) < enough && now.Sub(k.caughtUp()) < k.cfg.Policy.Stream {
		return
	}
	k.try(ctx, jobStream, func() error {
		if err := k.cfg.Writer.KeepLives(ctx, k.lives()...); err != nil {
			return err
		}
		err := s.catchUp(ctx)
		if errors.Is(err, ErrGone) || syncproto.CodeOf(err) == syncproto.CodeLogAltered {
			k.needBackup()
			if !errors.Is(err, ErrGone) {
				k.cfg.Logger.Warn("archive: the end of the streamed log cannot be used; it begins again behind a new backup", "error", err)
			}
			return nil
		}
		if err == nil {
			k.update(func(st *Status) { st.streamed(s, now) })
		}
		return err
	})
}

// lives gives the entries of every life that the state knows; none while they cannot be read.
func (k *Keeper) lives() []*entrypb.Generation {
	all, err := k.cfg.Ledger.Generations()
	if err != nil {
		k.cfg.Logger.Error("archive: generations not read", "error", err)
	}
	return all
}

func (k *Keeper) caughtUp() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Unix(k.state.StreamedAt, 0)
}

func (k *Keeper) needBackup() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gap = true
	k.wake()
}

// wake makes Run look at once. mu is held.
func (k *Keeper) wake() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// BackUp asks for a backup now. It fails with [syncproto.CodeBackupRunning] when one is being
// made; what became of it stands in [Keeper.Status].
func (k *Keeper) BackUp() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wanted || k.state.Running == jobNames[jobBackup] {
		return syncproto.Fail(syncproto.CodeBackupRunning, "back up", nil)
	}
	k.wanted, k.retry[jobBackup] = true, time.Time{}
	k.wake()
	return nil
}

// working makes the backup or the drill that is due.
func (k *Keeper) working(ctx context.Context, begun bool) {
	if begun {
		k.try(ctx, jobBackup, func() error { return k.look(ctx) })
	}
	k.mu.Lock()
	due := k.wanted || k.gap || k.made == nil || time.Unix(k.made.Made, 0).Before(lastOf(k.cfg.Policy.At, k.cfg.Now()))
	k.mu.Unlock()
	if due {
		k.try(ctx, jobBackup, func() error { return k.backUp(ctx) })
		return
	}
	checked := time.Unix(k.checked().Time, 0)
	if k.cfg.Policy.Drill > 0 && k.cfg.Now().Sub(checked) >= k.cfg.Policy.Drill {
		k.try(ctx, jobDrill, func() error { return k.drill(ctx) })
	}
}

// look finds the newest backup on the target, and sets the watermark right.
func (k *Keeper) look(ctx context.Context) error {
	backups, err := k.cfg.Writer.List(ctx)
	if err != nil {
		return err
	}
	var newest *Manifest
	for _, b := range backups {
		if b.Manifest != nil {
			newest = b.Manifest
			break
		}
	}
	k.mu.Lock()
	k.made = newest
	k.mu.Unlock()
	if newest == nil {
		return nil
	}
	k.update(func(s *Status) { s.backup(newest) })
	return k.mark(ctx)
}

// backUp makes a backup, takes old ones away, and then moves the watermark: in this order,
// see DESIGN.md.
func (k *Keeper) backUp(ctx context.Context) error {
	k.update(func(s *Status) { s.Running, s.Bytes = jobNames[jobBackup], 0 })
	defer k.update(func(s *Status) { s.Running = "" })
	begun := k.cfg.Now()
	m, err := k.cfg.Writer.Backup(ctx, k.cfg.Ledger, Making{
		Rand: k.cfg.Rand, Now: begun, Version: k.cfg.Version,
		Step: func(n int64) { k.update(func(s *Status) { s.Bytes = n }) },
		Halt: func() error {
			if _, leads := k.cfg.Log.Leading(); !leads {
				return syncproto.Fail(syncproto.CodeNotLeader, "back up", nil, "leader", "?")
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.made, k.wanted = m, false
	k.wake()
	k.mu.Unlock()
	k.update(func(s *Status) { s.backup(m) })
	k.cfg.Logger.Info("backup made", "name", m.Name, "position", m.Position.String(), "bytes", m.Bytes, "stored", m.Stored(),
		"elapsed", k.cfg.Now().Sub(begun))
	gone, err := k.cfg.Writer.Prune(ctx, k.cfg.Policy.Keep, m.LogID, k.cfg.Now())
	for _, name := range gone {
		k.cfg.Logger.Info("backup no longer offered", "name", name)
	}
	if err != nil {
		return err
	}
	return k.mark(ctx)
}

// mark makes the watermark what the target has: noted there first, then proposed.
func (k *Keeper) mark(ctx context.Context) error {
	kept, err := k.cfg.Writer.Lives(ctx)
	if err != nil {
		return err
	}
	lives := lineageOf(kept, k.lives())
	p, ok, err := k.cfg.Writer.Prefix(ctx, lives)
	if err != nil || !ok {
		return err
	}
	// The backups may all be of another branch: what counts is what they have of this log.
	if p = lives.Common(p, k.cfg.Ledger.Whole().Head); p == k.cfg.Ledger.Watermark() {
		return nil
	}
	if err := k.cfg.Writer.KeepMark(ctx, p, lives); err != nil {
		return err
	}
	b, err := ledger.Entry(&entrypb.Watermark{Time: max(k.cfg.Now().Unix(), k.cfg.Ledger.Time()), Position: uint64(p)})
	if err != nil {
		return err
	}
	if err := k.cfg.Log.Propose(ctx, b); err != nil {
		return fmt.Errorf("move watermark: %w", err)
	}
	k.cfg.Logger.Info("watermark", "position", p.String())
	return nil
}

// drill puts the newest backup back in a scratch folder, and notes what came of it.
func (k *Keeper) drill(ctx context.Context) error {
	k.update(func(s *Status) { s.Running = jobNames[jobDrill] })
	defer k.update(func(s *Status) { s.Running = "" })
	key := new([32]byte)
	if _, err := io.ReadFull(k.cfg.Rand, key[:]); err != nil {
		return fmt.Errorf("drill: %w", err)
	}
	r, err := k.cfg.Writer.Drill(ctx, Drilling{Scratch: k.cfg.Dir, Key: key, Now: k.cfg.Now, Members: k.cfg.Members})
	if err != nil {
		return err
	}
	if err := SaveReport(k.cfg.Dir, r); err != nil {
		return err
	}
	k.cfg.Logger.Info("drill ended", "backup", r.Backup, "position", r.Position.String(), "problems", len(r.Problems), "seconds", r.Seconds)
	if !r.OK() {
		return r.Err()
	}
	return nil
}

// checked gives what the last drill or verification on this node said; zero if none did.
func (k *Keeper) checked() Report {
	r, err := LoadReport(k.cfg.Dir)
	if err != nil {
		k.cfg.Logger.Warn("last drill not read", "file", filepath.Base(reportFile), "error", err)
	}
	if r == nil {
		return Report{}
	}
	return *r
}

// lastOf gives the newest of the times of day at or before now.
func lastOf(minutes []int, now time.Time) time.Time {
	best := time.Time{}
	for _, m := range minutes {
		for _, day := range []int{0, -1} {
			t := time.Date(now.Year(), now.Month(), now.Day()+day, m/60, m%60, 0, 0, now.Location())
			if !t.After(now) && t.After(best) {
				best = t
			}
		}
	}
	return best
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// Report says what came of putting a backup back where nobody is served from it.
type Report struct {
	Time     int64              `json:"time"`   // when it ended, Unix seconds
	Backup   string             `json:"backup"` // that was put back; empty: none could be
	Made     int64              `json:"made"`
	Position syncproto.Position `json:"position"` // at the end
	Index    uint64             `json:"index"`
	Digest   string             `json:"digest"`
	Tally    ledger.Tally       `json:"tally"`
	Members  int                `json:"members"` // counted on the last day the state knows; -1: not counted
	Log      LogEnd             `json:"log"`
	Seconds  float64            `json:"seconds"`
	Checked  int                `json:"checked"` // further backups whose parts were compared
	Problems []Problem          `json:"problems"`
}

// OK reports whether all that was looked at is as it was written.
func (r *Report) OK() bool { return r.Backup != "" && len(r.Problems) == 0 }

// Problem is something that is not as it was written.
type Problem struct {
	Name string         `json:"name"`
	Code syncproto.Code `json:"code"`
	Err  error          `json:"-"`
}

// Drilling says how a drill is done.
type Drilling struct {
	Scratch string // a folder that exists; what is put back stands in one of its own there
	Key     *[32]byte
	Now     func() time.Time
	Members func(*ledger.Ledger) (int, error) // counts members; nil: they are not counted
	Step    func(what string, done int64)     // may be nil
}

// scratchPattern names the folders that drills make, and that a crash may leave.
const scratchPattern = "drill-*"

// ClearScratch takes away what drills that were cut off have left.
func ClearScratch(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, scratchPattern))
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range left {
		errs = append(errs, os.RemoveAll(d))
	}
	return errors.Join(errs...)
}

// Verify puts one backup back, without the log behind it, and compares it.
func (r *Reader) Verify(ctx context.Context, name string, how Drilling) (*Report, error) {
	begun := how.Now()
	m, err := r.Manifest(ctx, name)
	if err != nil {
		return nil, err
	}
	out := &Report{Members: -1, Problems: []Problem{}}
	if err := r.putBack(ctx, m, false, how, out); err != nil {
		return nil, err
	}
	return out.end(begun, how.Now()), nil
}

// Drill puts the newest usable backup back with all that was streamed behind it, and looks
// at everything else that is kept: the other backups' parts, the whole log, the lives. What
// is not as it was written is a problem in the report; the error is one of the drill itself,
// as a target that cannot be read.
func (r *Reader) Drill(ctx context.Context, how Drilling) (*Report, error) {
	begun := how.Now()
	out := &Report{Members: -1, Problems: []Problem{}}
	backups, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(backups) == 0 {
		return nil, syncproto.Fail(syncproto.CodeBackupUnusable, "drill", nil, "n", "0")
	}
	for _, b := range backups {
		err := b.Err
		switch {
		case err != nil:
		case out.Backup == "":
			err = r.putBack(ctx, b.Manifest, true, how, out)
		default:
			err = r.CheckParts(ctx, b.Manifest, func(int, int) {})
			out.Checked++
		}
		if err := out.note(b.Name, err); err != nil {
			return nil, err
		}
	}
	if err := r.drillRest(ctx, out); err != nil {
		return nil, err
	}
	return out.end(begun, how.Now()), nil
}

// drillRest looks at what is kept beside the backups.
func (r *Reader) drillRest(ctx context.Context, out *Report) error {
	all, err := r.spans(ctx, "")
	if err != nil {
		return err
	}
	for _, s := range all {
		_, _, err := r.header(ctx, s)
		if err := out.note(s.name, err); err != nil {
			return err
		}
	}
	_, err = r.Lives(ctx)
	if err := out.note("generations", err); err != nil {
		return err
	}
	_, err = r.Marks(ctx)
	return out.note(watermarkAt, err)
}

func (r *Report) end(begun, now time.Time) *Report {
	r.Time, r.Seconds = now.Unix(), now.Sub(begun).Seconds()
	return r
}

// note takes an error as a problem if it says that something is not as it was written, and
// gives any other back.
func (r *Report) note(name string, err error) error {
	switch code := syncproto.CodeOf(err); {
	case err == nil:
		return nil
	case code == syncproto.CodeBackupAltered, code == syncproto.CodeLogAltered, code == syncproto.CodeBackupKey, code == syncproto.CodeBackupUnknown:
		r.Problems = append(r.Problems, Problem{Name: name, Code: code, Err: err})
		return nil
	}
	return err
}

// putBack puts a backup back into a scratch folder, says what it holds, and takes it away.
func (r *Reader) putBack(ctx context.Context, m *Manifest, withLog bool, how Drilling, out *Report) (err error) {
	dir, err := os.MkdirTemp(how.Scratch, scratchPattern)
	if err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := r.Rebuild(ctx, m, ledger.Config{Dir: filepath.Join(dir, "ledger"), Key: how.Key},
		Rebuilding{WithLog: withLog, CutLog: true, Step: how.Step})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Ledger.Close()) }()
	if err := out.note("log", b.LogErr); err != nil {
		return err
	}
	if how.Members != nil {
		if out.Members, err = how.Members(b.Ledger); err != nil {
			return err
		}
	}
	out.Backup, out.Made, out.Position, out.Index = m.Name, m.Made, b.At.Head, b.At.Index
	out.Digest, out.Tally, out.Log = b.Digest, b.Tally, b.Log
	return nil
}

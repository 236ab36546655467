package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
)

// Status is how the archive stands, as the node that leads sees it. Its JSON form is stable.
type Status struct {
	Target string `json:"target"`
	Active bool   `json:"active"` // this node leads and keeps the archive

	Backup  *BackupStatus `json:"backup"`  // the newest; nil: none
	Running string        `json:"running"` // backup or drill; empty: neither
	Bytes   int64         `json:"bytes"`   // of the state, that the running backup has kept

	Streamed   syncproto.Position `json:"streamed"`    // all up to here is on the target
	StreamedAt int64              `json:"streamed_at"` // when all that was applied was there, Unix seconds; 0: never
	Lag        int64              `json:"lag"`         // seconds since then, 0 while nothing is outstanding

	Watermark syncproto.Position `json:"watermark"`
	Checked   *Report            `json:"checked"` // the last drill or verification on this node
	Fault     *Fault             `json:"fault"`   // what failed last and has not succeeded since
}

// BackupStatus is one backup.
type BackupStatus struct {
	Name     string             `json:"name"`
	Made     int64              `json:"made"` // Unix seconds
	Position syncproto.Position `json:"position"`
	Bytes    int64              `json:"bytes"`  // of the state
	Stored   int64              `json:"stored"` // on the target
}

// Fault is a job that failed.
type Fault struct {
	Job  string         `json:"job"` // stream, backup or drill
	Code syncproto.Code `json:"code"`
	Time int64          `json:"time"`
}

func (s *Status) backup(m *Manifest) {
	s.Backup = &BackupStatus{Name: m.Name, Made: m.Made, Position: m.Position, Bytes: m.Bytes, Stored: m.Stored()}
}

func (s *Status) streamed(at *stream, now time.Time) {
	s.Active, s.Streamed, s.StreamedAt = true, at.position, now.Unix()
}

// fault notes how a job went.
func (s *Status) fault(job string, err error, now time.Time) {
	s.Active = true
	if err != nil {
		s.Fault = &Fault{Job: job, Code: syncproto.CodeOf(err), Time: now.Unix()}
	} else if s.Fault != nil && s.Fault.Job == job {
		s.Fault = nil
	}
}

func (k *Keeper) update(do func(*Status)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do(&k.state)
}

// Status says how the archive stands.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	s := k.state
	k.mu.Unlock()
	s.Watermark = k.cfg.Ledger.Watermark()
	if s.Lag = 0; s.Streamed != k.cfg.Ledger.Whole().Head {
		s.Lag = max(0, k.cfg.Now().Unix()-s.StreamedAt)
	}
	if r := k.checked(); r.Time != 0 {
		s.Checked = &r
	}
	return s
}

// reportFile is where a node keeps what its last drill said.
const reportFile = "drill.json"

// SaveReport notes what a drill or verification said.
func SaveReport(dir string, r *Report) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("note drill: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, reportFile), append(b, '\n'), 0o600)
}

// LoadReport gives what the last drill or verification said, nil if there was none.
func LoadReport(dir string) (*Report, error) {
	b, err := os.ReadFile(filepath.Join(dir, reportFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last drill: %w", err)
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read last drill: %w", err)
	}
	return r, nil
}

// Err is the first problem that a report names, nil when it names none.
func (r *Report) Err() error {
	if len(r.Problems) > 0 {
		return r.Problems[0].Err
	}
	if r.Backup == "" {
		return syncproto.Fail(syncproto.CodeBackupUnusable, "drill", nil, "n", "0")
	}
	return nil
}

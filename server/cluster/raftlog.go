package cluster

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLog passes raft's log on to slog. raft never logs the data of entries. Its levels are
// lowered by one: what it calls info is its inner life, and an error is nearly always a
// node that does not answer, which an operator may act upon but need not.
type raftLog struct {
	hclog.Logger // of the methods that raft does not use; it is silent
	log          *slog.Logger
	name         string
	args         []any
	quiet        bool // of a part whose every complaint is made again, better, elsewhere
}

var _ hclog.Logger = (*raftLog)(nil)

func newRaftLog(l *slog.Logger) *raftLog {
	return &raftLog{Logger: hclog.NewNullLogger(), log: l, name: "raft"}
}

// silenced gives the logger of such a part.
func (r *raftLog) silenced(name string) *raftLog {
	out := r.derive()
	out.name, out.quiet = r.name+"."+name, true
	return out
}

func (r *raftLog) derive() *raftLog {
	out := *r
	return &out
}

func (r *raftLog) level(l hclog.Level) slog.Level {
	switch {
	case l >= hclog.Warn && !r.quiet:
		return slog.LevelWarn
	case l >= hclog.Info:
		return slog.LevelDebug
	default:
		return slog.LevelDebug - 4
	}
}

// Log implements [hclog.Logger].
func (r *raftLog) Log(l hclog.Level, msg string, args ...any) {
	at := r.level(l)
	if !r.log.Enabled(context.Background(), at) {
		return
	}
	attrs := make([]any, 0, len(args)+2)
	attrs = append(attrs, "message", msg)
	for _, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 { // a format and its values in one
			a = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		attrs = append(attrs, a)
	}
	r.log.Log(context.Background(), at, r.name, attrs...)
}

// Trace implements [hclog.Logger].
func (r *raftLog) Trace(msg string, args ...any) { r.Log(hclog.Trace, msg, args...) }

// Debug implements [hclog.Logger].
func (r *raftLog) Debug(msg string, args ...any) { r.Log(hclog.Debug, msg, args...) }

// Info implements [hclog.Logger].
func (r *raftLog) Info(msg string, args ...any) { r.Log(hclog.Info, msg, args...) }

// Warn implements [hclog.Logger].
func (r *raftLog) Warn(msg string, args ...any) { r.Log(hclog.Warn, msg, args...) }

// Error implements [hclog.Logger].
func (r *raftLog) Error(msg string, args ...any) { r.Log(hclog.Error, msg, args...) }

func (r *raftLog) enabled(l hclog.Level) bool {
	return r.log.Enabled(context.Background(), r.level(l))
}

// IsTrace implements [hclog.Logger].
func (r *raftLog) IsTrace() bool { return r.enabled(hclog.Trace) }

// IsDebug implements [hclog.Logger].
func (r *raftLog) IsDebug() bool { return r.enabled(hclog.Debug) }

// IsInfo implements [hclog.Logger].
func (r *raftLog) IsInfo() bool { return r.enabled(hclog.Info) }

// IsWarn implements [hclog.Logger].
func (r *raftLog) IsWarn() bool { return r.enabled(hclog.Warn) }

// IsError implements [hclog.Logger].
func (r *raftLog) IsError() bool { return r.enabled(hclog.Error) }

// ImpliedArgs implements [hclog.Logger].
func (r *raftLog) ImpliedArgs() []any { return r.args }

// With implements [hclog.Logger].
func (r *raftLog) With(args ...any) hclog.Logger {
	out := r.derive()
	out.log, out.args = r.log.With(args...), append(r.args[:len(r.args):len(r.args)], args...)
	return out
}

// Name implements [hclog.Logger].
func (r *raftLog) Name() string { return r.name }

// Named implements [hclog.Logger].
func (r *raftLog) Named(name string) hclog.Logger { return r.ResetNamed(r.name + "." + name) }

// ResetNamed implements [hclog.Logger].
func (r *raftLog) ResetNamed(name string) hclog.Logger {
	out := r.derive()
	out.name = name
	return out
}

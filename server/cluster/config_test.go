package cluster

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"unionsync/syncproto"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	good := r.add("n1").config()
	good.Timing, good.Space = Timing{}, Space{}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if good.Timing.Heartbeat != 1500*time.Millisecond || good.Space.EntryBytes != syncproto.MaxEntryBytes {
		t.Errorf("%+v, %+v", good.Timing, good.Space)
	}
	for _, row := range []struct {
		why    string
		change func(*Config)
	}{
		{"no folder", func(c *Config) { c.Dir = "" }},
		{"no address", func(c *Config) { c.Listen = "" }},
		{"no certificate", func(c *Config) { c.Own.Cert = nil }},
		{"no data key", func(c *Config) { c.DataKey = nil }},
		{"randomness", func(c *Config) { c.Rand = nil }},
		{"no logger", func(c *Config) { c.Log = nil }},
		{"heartbeat", func(c *Config) { c.Timing.Heartbeat = time.Millisecond }},
		{"commit", func(c *Config) { c.Timing.Commit = 1 }},
		{"size", func(c *Config) { c.Space.EntryBytes = -1 }},
		{"snapshot", func(c *Config) { c.Space.Snapshots = -1 }},
		{"entries", func(c *Config) { c.Space.AppendEntries = 2000 }},
	} {
		bad := r.nodes["n1"].config()
		row.change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), strings.Fields(row.why)[len(strings.Fields(row.why))-1]) {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

func TestLeaderOf(t *testing.T) {
	t.Parallel()
	err := syncproto.Fail(syncproto.CodeNotLeader, "propose", nil, "leader", "n2", "id", "n2", "address", "10.0.0.2:7001")
	if id, addr := LeaderOf(err); id != "n2" || addr != "10.0.0.2:7001" {
		t.Errorf("%s, %s", id, addr)
	}
	for _, err := range []error{nil, errors.New("x"), ErrUnknownOutcome} {
		if id, addr := LeaderOf(err); id != "" || addr != "" {
			t.Errorf("%v: %s, %s", err, id, addr)
		}
	}
}

// TestRaftLog: raft's own talk is on debug level, what an operator may act upon on warn.
func TestRaftLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newRaftLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	h := l.Named("wal").With("peer", "n2")
	h.Trace("trace")
	h.Debug("debug")
	h.Info("info", "servers", hclog.Fmt("%d of %d", 2, 3))
	h.Warn("warn")
	h.Error("error", "error", errors.New("cause"))
	l.silenced("transport").Error("noise")
	want := []string{
		"level=DEBUG-4 msg=raft.wal peer=n2 message=debug", "level=DEBUG msg=raft.wal peer=n2 message=info servers=\"2 of 3\"",
		"level=WARN msg=raft.wal peer=n2 message=warn", "level=WARN msg=raft.wal peer=n2 message=error error=cause",
		"level=DEBUG msg=raft.transport message=noise",
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	want = want[1:] // the handler's level leaves debug and trace out
	if len(got) != len(want) {
		t.Fatalf("%d lines:\n%s", len(got), &out)
	}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i]) {
			t.Errorf("line %d: %s, want %s", i, got[i], want[i])
		}
	}
	if h.IsTrace() || h.IsDebug() || !h.IsInfo() || !h.IsWarn() || !h.IsError() || h.Name() != "raft.wal" ||
		len(h.ImpliedArgs()) != 2 {
		t.Error("the small methods lie")
	}
}

//go:build linux

package health

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"unionsync/syncproto"
)

// TestWatchdog: systemd is told that the node lives while its checks for life hold, and
// hears nothing once they do not.
func TestWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000") // 60 ms
	t.Setenv("WATCHDOG_PID", "")
	read := func(patience time.Duration) string {
		t.Helper()
		b := make([]byte, 100)
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(b)
		if err != nil {
			return ""
		}
		return string(b[:n])
	}
	if err := Systemd(Started); err != nil {
		t.Fatal(err)
	}
	if got := read(time.Second); got != "READY=1" {
		t.Fatalf("%q", got)
	}
	var dead atomic.Bool
	checked := make(chan struct{}, 100)
	h := newTest(t, Check{"raft", ForLife, func(context.Context) error {
		checked <- struct{}{}
		if dead.Load() {
			return syncproto.Fail(syncproto.CodeNodeStopped, "check", nil)
		}
		return nil
	}}, Check{"leader", ForExchange, failing(syncproto.CodeNoLeader, "seconds", "5")}) // no reason for a restart
	h.cfg.Notify = Systemd
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.watchdog(ctx) }()
	for range 3 {
		if got := read(10 * time.Second); got != "WATCHDOG=1" {
			t.Fatalf("%q", got)
		}
	}
	dead.Store(true)
	for len(checked) > 0 {
		<-checked
	}
	<-checked // one that may have begun before
	for read(20*time.Millisecond) != "" {
	}
	<-checked
	<-checked
	if got := read(20 * time.Millisecond); got != "" {
		t.Errorf("a dead node says %q", got)
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

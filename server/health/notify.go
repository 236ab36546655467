package health

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// What a service manager is told (sd_notify(3)).
const (
	Started  = daemon.SdNotifyReady
	Stopping = daemon.SdNotifyStopping
	alive    = daemon.SdNotifyWatchdog
)

// Systemd tells systemd, where this process runs under it with Type=notify, and does
// nothing elsewhere.
func Systemd(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// watchdog tells the service manager that the node lives, as often as it asks for, twice
// over. While a check for life fails it says nothing, and is restarted.
func (h *Health) watchdog(ctx context.Context) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 || h.cfg.Notify == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		if results := h.cfg.Checks.Run(ctx, ForLife); !Failed(results) {
			if err := h.cfg.Notify(alive); err != nil {
				h.cfg.Log.Warn("the service manager was not told that the node lives", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

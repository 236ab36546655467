package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

// Config is what a node's health needs.
type Config struct {
	Checks Checks
	Facts  func() Facts                        // of this moment, cheap
	City   func(context.Context) (City, error) // costs a read of all devices and cases
	Meter  *Meter                              // counts what the door does
	Recent *Recent                             // the newest lines of the log; may be nil
	Log    *slog.Logger
	Notify func(state string) error // the system's service manager; nil: there is none
}

// Health is one node's. Make it with [New], then [Health.Run].
type Health struct {
	cfg      Config
	registry *prometheus.Registry
	gauges   *gauges
}

// New makes a node's health with a registry of its own. extra are further collectors, as of
// a room that keeps its own metrics.
func New(cfg Config, extra ...prometheus.Collector) (*Health, error) {
	h := &Health{cfg: cfg, registry: prometheus.NewRegistry(), gauges: newGauges(cfg.Facts)}
	for _, c := range append(processCollectors(), append([]prometheus.Collector{cfg.Meter, h.gauges}, extra...)...) {
		if err := h.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return h, nil
}

// Gatherer gives what /metrics gives.
func (h *Health) Gatherer() prometheus.Gatherer { return h.registry }

// Default is where a node tells of itself when nothing is set. If another node of this
// machine has it, a free port is taken.
const Default = "127.0.0.1:7301"

// Off as the address for health means that there is none.
const Off = "off"

// Listen takes the address for health; "" is [Default]. For [Off] it gives nil.
func Listen(address string) (net.Listener, error) {
	if address == Off {
		return nil, nil //nolint:nilnil // no listener is what was asked for
	}
	if address == "" {
		if l, err := net.Listen("tcp", Default); err == nil {
			return l, nil
		}
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeListen, "listen for health", err, "address", address)
	}
	return l, nil
}

// Bounds of the listener. A profile may be taken for minutes.
const (
	headTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Minute
	keepAlive    = 2 * time.Minute
	maxHeadBytes = 8 << 10
	surveyEvery  = time.Minute
)

// Run answers on l, which may be nil and is closed in the end, keeps the city's numbers up to
// date, and tells the service manager that the node lives, until ctx ends.
func (h *Health) Run(ctx context.Context, l net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.survey(ctx) })
	group.Go(func() error { return h.watchdog(ctx) })
	if l == nil {
		return group.Wait()
	}
	s := &http.Server{
		Handler: h.Handler(), ReadHeaderTimeout: headTimeout, ReadTimeout: headTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: keepAlive, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(h.cfg.Log.Handler(), slog.LevelDebug),
	}
	group.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return s.Close() // whoever scrapes comes again
	})
	return group.Wait()
}

// survey reads the city's numbers once a minute: a scrape never costs a read of all devices.
func (h *Health) survey(ctx context.Context) error {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		if err := h.surveyOnce(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("the city's numbers were not read", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *Health) surveyOnce(ctx context.Context) error {
	c, err := h.cfg.City(ctx)
	if err != nil {
		return err
	}
	h.gauges.setCity(c)
	return nil
}

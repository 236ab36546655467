package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/rpc/tlsid"
)

// Bounds of the server. A request is read and answered within these, however slow the line
// of a small union is: 256 KiB at 2 KB/s take two minutes.
const (
	headTimeout   = 60 * time.Second // of the handshake too
	readTimeout   = 150 * time.Second
	writeTimeout  = 180 * time.Second
	keepAlive     = 2 * time.Minute
	maxHeadBytes  = 16 << 10
	minStreams    = 128 // of a connection; another node forwards all that it works on over one
	shutdownGrace = 10 * time.Second
)

// Serve answers on l until ctx ends, then finishes what is under way. It closes l.
func (g *Gate) Serve(ctx context.Context, l net.Listener) error {
	config := tlsid.LiveServerTLS(g.cfg.Node.Live)
	config.VerifyConnection = nil // identify does it, where it can say why
	d := newDoor(l, g.cfg.Capacity, g.cfg.Meter)
	s := &http.Server{
		Handler:           g.Handler(),
		TLSConfig:         config,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeadBytes,
		ConnState:         g.followConn(d),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, guestOf(c))
		},
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: max(minStreams, 2*g.cfg.Capacity.Requests)},
		ErrorLog: slog.NewLogLogger(g.cfg.Logger.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := s.ServeTLS(d, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	})
	group.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := s.Shutdown(grace); err != nil {
			return errors.Join(fmt.Errorf("stop serving: %w", err), s.Close())
		}
		return nil
	})
	return group.Wait()
}

// guestKey is where a request's context has its guest.
type guestKey struct{}

// followConn tells the door and the metrics what becomes of a connection.
func (g *Gate) followConn(d *door) func(net.Conn, http.ConnState) {
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			g.cfg.Meter.Connected(1)
		case http.StateClosed, http.StateHijacked:
			g.cfg.Meter.Connected(-1)
		default:
		}
		d.state(c, state)
	}
}

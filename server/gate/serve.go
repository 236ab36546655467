package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
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
	maxStreams    = 128
	shutdownGrace = 10 * time.Second
)

// Serve answers on l until ctx ends, then finishes what is under way. It closes l.
func (g *Gate) Serve(ctx context.Context, l net.Listener) error {
	config := tlsid.LiveServerTLS(g.cfg.Node.Live)
	config.VerifyConnection = nil // identify does it, where it can say why
	s := &http.Server{
		Handler:           g.Handler(),
		TLSConfig:         config,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeadBytes,
		ConnState:         g.countConn,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(g.cfg.Logger.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := s.ServeTLS(limitListener(l, g.cfg.Capacity.Conns), "", "")
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

// countConn keeps the number of open connections.
func (g *Gate) countConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.cfg.Meter.Connected(1)
	case http.StateClosed, http.StateHijacked:
		g.cfg.Meter.Connected(-1)
	default:
	}
}

// limited is a listener with a bound on open connections: further ones wait in the system's
// queue, where they cost nothing.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func limitListener(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, free: func() { <-l.slots }}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once sync.Once
	free func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.once.Do(c.free)
	return c.Conn.Close()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// packetBytes is the largest packet: the interfaces' MTU, with room.
const packetBytes = 2 << 10

// openTun makes a network interface of the kernel's whose packets we carry, in the calling
// thread's namespace, with an address in a network of 256.
func openTun(name string, address [4]byte) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	q, err := unix.NewIfreq(name)
	if err == nil {
		q.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, q)
	}
	if err == nil {
		err = setUp(name, address)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make interface %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// setUp gives an interface of the calling thread's namespace an address and brings it up.
func setUp(name string, address [4]byte) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	set := func(what uint, value func(*unix.Ifreq) error) error {
		q, err := unix.NewIfreq(name)
		if err == nil {
			err = value(q)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, what, q)
		}
		return err
	}
	err = set(unix.SIOCSIFADDR, func(q *unix.Ifreq) error { return q.SetInet4Addr(address[:]) })
	if err == nil {
		err = set(unix.SIOCSIFNETMASK, func(q *unix.Ifreq) error { return q.SetInet4Addr([]byte{255, 255, 255, 0}) })
	}
	if err == nil {
		err = set(unix.SIOCSIFFLAGS, func(q *unix.Ifreq) error { q.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil })
	}
	return errors.Join(err, unix.Close(s))
}

// wire carries packets between two interfaces, badly.
type wire struct {
	ends [2]*os.File
	now  chan quality // one for each direction
}

// packet is one that is on its way.
type packet struct {
	bytes []byte
	due   time.Time
}

// run carries packets until ctx ends; then the interfaces are gone. How bad it is comes from
// quality, which is asked for each packet.
func (w *wire) run(ctx context.Context, now func() quality) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(w.ends[0].Close(), w.ends[1].Close())
	})
	for i := range w.ends {
		under := make(chan packet, 64)
		g.Go(func() error {
			defer close(under)
			w.take(ctx, i, under, now)
			return nil
		})
		g.Go(func() error {
			for p := range under {
				wait(ctx, time.Until(p.due))
				_, _ = w.ends[1-i].Write(p.bytes) // a packet that cannot be given is a lost one
			}
			return nil
		})
	}
	return g.Wait()
}

// take reads the packets of one direction, loses some and times the others.
func (w *wire) take(ctx context.Context, i int, under chan<- packet, now func() quality) {
	q := now()
	dice := rand.New(rand.NewPCG(q.Seed, uint64(i)))
	limit := rate.NewLimiter(rate.Inf, packetBytes)
	for {
		b := make([]byte, packetBytes)
		n, err := w.ends[i].Read(b)
		if err != nil {
			return // closed: the end
		}
		if q = now(); q.Rate > 0 {
			limit.SetLimit(rate.Limit(q.Rate))
		} else {
			limit.SetLimit(rate.Inf)
		}
		if limit.WaitN(ctx, n) != nil {
			return
		}
		if dice.Float64() < q.Loss {
			continue
		}
		select {
		case under <- packet{b[:n], time.Now().Add(q.Delay)}:
		case <-ctx.Done():
			return
		}
	}
}

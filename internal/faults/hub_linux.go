package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/netspace"
)

// hub joins the agents' namespace and those of the nodes: every packet between them goes
// through it, by the rules of the moment. Place 0 is the agents', the others are the nodes'.
type hub struct {
	ends  []*os.File
	rules atomic.Pointer[rules]
	seed  uint64
}

// rules say what becomes of packets, by place of origin and of destination.
type rules struct {
	cut   map[[2]int]bool
	loss  float64       // the part of all packets that is lost
	delay time.Duration // of each packet
}

// network is 10.78.0.0/24; the agents' address is the first, the nodes' follow.
func address(place int) [4]byte { return [4]byte{10, 78, 0, byte(place + 1)} }

func host(place int) string {
	a := address(place)
	return fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3])
}

// newHub makes the namespaces; the nodes' rooms live in g.
func newHub(g *errgroup.Group, nodes int, seed uint64) (*hub, []*netspace.Room, error) {
	h := &hub{seed: seed}
	h.rules.Store(&rules{})
	const name = "hub0"
	end, err := netspace.OpenTun(name, address(0))
	if err != nil {
		return nil, nil, err
	}
	h.ends = append(h.ends, end)
	var rooms []*netspace.Room
	for i := range nodes {
		room, end, err := netspace.NewRoom(g, name, address(i+1))
		if err != nil {
			return nil, nil, errors.Join(err, h.close(rooms))
		}
		h.ends, rooms = append(h.ends, end), append(rooms, room)
	}
	return h, rooms, nil
}

func (h *hub) close(rooms []*netspace.Room) error {
	for _, r := range rooms {
		r.Close()
	}
	errs := make([]error, len(h.ends))
	for i, e := range h.ends {
		errs[i] = e.Close()
	}
	return errors.Join(errs...)
}

// run carries packets until ctx ends; then the interfaces are gone.
func (h *hub) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return h.close(nil)
	})
	late := make([]chan packet, len(h.ends))
	for i := range h.ends {
		late[i] = make(chan packet, 4096)
		g.Go(func() error {
			h.deliver(ctx, i, late[i])
			return nil
		})
	}
	for i := range h.ends {
		g.Go(func() error {
			h.carry(ctx, i, late)
			return nil
		})
	}
	return g.Wait()
}

// packet is one that is late.
type packet struct {
	bytes []byte
	due   time.Time
}

func (h *hub) deliver(ctx context.Context, to int, late <-chan packet) {
	for {
		select {
		case p := <-late:
			select {
			case <-time.After(time.Until(p.due)):
			case <-ctx.Done():
				return
			}
			_, _ = h.ends[to].Write(p.bytes) // a packet that cannot be given is a lost one
		case <-ctx.Done():
			return
		}
	}
}

// carry takes the packets that come from a place.
func (h *hub) carry(ctx context.Context, from int, late []chan packet) {
	dice := rand.New(rand.NewPCG(h.seed, uint64(from)))
	b := make([]byte, netspace.PacketBytes)
	for {
		n, err := h.ends[from].Read(b)
		if err != nil {
			return // closed: the end
		}
		to := destination(b[:n]) - 1
		if to < 0 || to >= len(h.ends) || to == from {
			continue
		}
		r := h.rules.Load()
		if r.cut[[2]int{from, to}] || r.loss > 0 && dice.Float64() < r.loss {
			continue
		}
		if r.delay == 0 && len(late[to]) == 0 {
			_, _ = h.ends[to].Write(b[:n]) // see deliver
			continue
		}
		select {
		case late[to] <- packet{append([]byte{}, b[:n]...), time.Now().Add(r.delay)}:
		case <-ctx.Done():
			return
		default: // the queue is full, as a router's
		}
	}
}

// destination gives the last byte of the address that a packet goes to in our network, 0 for
// all else.
func destination(b []byte) int {
	const header = 20
	if len(b) < header || b[0]>>4 != 4 {
		return 0
	}
	if a := address(0); [3]byte(b[16:19]) != [3]byte(a[:3]) {
		return 0
	}
	return int(b[19])
}

// set makes new rules; nil: packets go as they should.
func (h *hub) set(r *rules) {
	if r == nil {
		r = &rules{}
	}
	h.rules.Store(r)
}

// between gives rules that cut all directions named.
func between(pairs ...[2]int) *rules {
	r := &rules{cut: map[[2]int]bool{}}
	for _, p := range pairs {
		r.cut[p] = true
	}
	return r
}

// both gives the two directions between two places.
func both(a, b int) [][2]int { return [][2]int{{a, b}, {b, a}} }

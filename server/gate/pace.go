package gate

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"unionsync/syncproto"
)

// Bounds of what a refused agent is told: never sooner than the first, nor later than the
// second, whatever the arithmetic says.
const (
	firstReturn = 30 * time.Second
	lastReturn  = 15 * time.Minute
)

// pacer tells those who are refused when to come again, each a little later than the one
// before: they come back as fast as the node works, and not together.
type pacer struct {
	mu    sync.Mutex
	turns int           // worked on at once
	takes time.Duration // how long one is worked on, a mean that moves
	next  time.Time     // of those told so far the last return
}

// newPacer expects a request to take 50 ms until it has seen some.
func newPacer(turns int) *pacer { return &pacer{turns: turns, takes: 50 * time.Millisecond} }

// took notes how long a request was worked on.
func (p *pacer) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes += (d - p.takes) / 16
}

// seconds gives the next return, as an error's argument.
func (p *pacer) seconds(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := now.Add(firstReturn); p.next.Before(first) {
		p.next = first
	}
	wait := min(p.next.Sub(now), lastReturn)
	p.next = now.Add(wait + max(p.takes/time.Duration(p.turns), time.Millisecond))
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// devices bounds what one device asks of this node: so many exchanges at once, and so many
// in a time. A sync makes one after the other; a second one may be what a cut line left.
type devices struct {
	atOnce int
	rate   rate.Limit
	burst  int

	mu    sync.Mutex
	known map[string]*asking
}

// asking is one device's exchanges.
type asking struct {
	under   int
	limiter *rate.Limiter
}

// maxAsking is how many devices are told apart; those that have been quiet are forgotten
// first. Only devices with a certificate of the city get here.
const maxAsking = 50_000

func newDevices(c Capacity) *devices {
	return &devices{atOnce: c.DeviceAtOnce, rate: rate.Limit(float64(c.DeviceRate) / 60), burst: 2 * c.DeviceRate, known: map[string]*asking{}}
}

// begin lets an exchange of a device in, until done is called; nil: it is refused, and may
// come again after the time given.
func (d *devices) begin(id string, now time.Time) (done func(), again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.known[id]
	if a == nil {
		if len(d.known) >= maxAsking {
			d.forget(now)
		}
		a = &asking{limiter: rate.NewLimiter(d.rate, d.burst)}
		d.known[id] = a
	}
	if a.under >= d.atOnce || !a.limiter.AllowN(now, 1) {
		return nil, firstReturn
	}
	a.under++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		a.under--
	}, 0
}

// forget drops the devices that are as if they had never asked.
func (d *devices) forget(now time.Time) {
	for id, a := range d.known {
		if a.under == 0 && a.limiter.TokensAt(now) >= float64(d.burst) {
			delete(d.known, id)
		}
	}
}

// refusal is an error that asks to come again.
func refusal(code syncproto.Code, op, seconds string, cause error) error {
	return syncproto.Fail(code, op, cause, argSeconds, seconds)
}

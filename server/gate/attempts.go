package gate

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"unionsync/syncproto"
)

// Wrong codes that are borne: a clerk mistypes some, a machine that guesses tries many. A
// code has 40 secret bits and lives for days.
const (
	wrongBurst  = 10
	wrongEvery  = 6 * time.Minute
	maxCounters = 10_000 // kept in memory; beyond, all newcomers share one
)

// attempts counts wrong codes by some key.
type attempts struct {
	mu     sync.Mutex
	byKey  map[string]*rate.Limiter
	others *rate.Limiter
}

func newAttempts() *attempts {
	return &attempts{byKey: map[string]*rate.Limiter{}, others: newLimiter()}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(wrongEvery), wrongBurst) }

// check refuses when there were too many wrong ones.
func (a *attempts) check(key string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.byKey[key]
	if l == nil && len(a.byKey) >= maxCounters {
		l = a.others
	}
	if l == nil || l.TokensAt(now) >= 1 {
		return nil
	}
	return syncproto.Fail(syncproto.CodeEnrolAttempts, "enrol", nil, "minutes", strconv.Itoa(int(wrongEvery/time.Minute)))
}

// wrong counts one.
func (a *attempts) wrong(key string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.byKey[key]
	if l == nil {
		if len(a.byKey) >= maxCounters {
			a.forget(now)
		}
		if l = a.others; len(a.byKey) < maxCounters {
			l = newLimiter()
			a.byKey[key] = l
		}
	}
	l.AllowN(now, 1)
}

// forget drops the counters that have run full again.
func (a *attempts) forget(now time.Time) {
	for k, l := range a.byKey {
		if l.TokensAt(now) >= wrongBurst {
			delete(a.byKey, k)
		}
	}
}

// addressKey is what counts as one address: of IPv6 the network that one customer has.
func addressKey(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

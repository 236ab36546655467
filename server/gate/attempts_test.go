package gate

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"unionsync/syncproto"
)

// TestAttempts: some mistakes are borne, many are not, and time heals.
func TestAttempts(t *testing.T) {
	a, now := newAttempts(), time.Unix(1_700_000_000, 0)
	for i := range wrongBurst {
		if err := a.check("x", now); err != nil {
			t.Fatalf("refused after %d wrong codes: %v", i, err)
		}
		a.wrong("x", now)
	}
	if err := a.check("x", now); syncproto.CodeOf(err) != syncproto.CodeEnrolAttempts {
		t.Fatalf("not refused: %v", err)
	}
	if err := a.check("y", now); err != nil {
		t.Fatalf("another address pays for it: %v", err)
	}
	if err := a.check("x", now.Add(wrongEvery)); err != nil {
		t.Fatalf("still refused after %s: %v", wrongEvery, err)
	}
}

// TestAttemptsAreBounded: many addresses neither fill the memory nor get more guesses.
func TestAttemptsAreBounded(t *testing.T) {
	a, now := newAttempts(), time.Unix(1_700_000_000, 0)
	refused := 0
	for i := range maxCounters * 2 {
		key := strconv.Itoa(i)
		if a.check(key, now) != nil {
			refused++
			continue
		}
		a.wrong(key, now)
	}
	if len(a.byKey) > maxCounters || refused < maxCounters-wrongBurst-1 {
		t.Fatalf("%d counters, %d refused", len(a.byKey), refused)
	}
	later := now.Add(wrongBurst * wrongEvery)
	a.wrong("new", later)
	if len(a.byKey) != 1 {
		t.Fatalf("%d counters are kept for nothing", len(a.byKey))
	}
}

// TestAddressKey: one customer is one address.
func TestAddressKey(t *testing.T) {
	for _, r := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"fe80::1%eth0", "fe80::2%eth1"},
		{"192.0.2.1", "192.0.2.1"},
	} {
		if x, y := addressKey(netip.MustParseAddr(r.a)), addressKey(netip.MustParseAddr(r.b)); x != y {
			t.Errorf("%s is %s, %s is %s", r.a, x, r.b, y)
		}
	}
	if addressKey(netip.MustParseAddr("192.0.2.1")) == addressKey(netip.MustParseAddr("192.0.2.2")) {
		t.Error("two addresses are one")
	}
	_ = addressKey(netip.Addr{}) // of a caller whose address is not known
}

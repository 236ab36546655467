package server

import (
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// fetch asks a node's address for health.
func fetch(t *testing.T, n *running, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + n.ready.Health + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }() // only read
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// metric reads one series.
func metric(t *testing.T, text, series string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in\n%s", series, text)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestHealthOfANode: what the node counts is what was done, it says when it is ready, and
// /metrics is as Prometheus wants it.
func TestHealthOfANode(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	a := c.enrolPC(n, "u1")
	c.enrolPC(n, "u2") // never comes
	for i := range 5 {
		a.Save(note(byte(i+1), "甲"))
	}
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	q.Client = &syncpb.Client{Version: "0.0.1", Alarms: 1, Time: time.Now().Add(-time.Hour).Unix()}
	r, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Take(sent, r); err != nil {
		t.Fatal(err)
	}
	if _, err := a.exchange(n.ready.API)(q); err != nil { // the answer was lost: nothing is decided again
		t.Fatal(err)
	}
	if _, err := a.exchange(n.ready.API)(&syncpb.Request{Union: "u2"}); syncproto.CodeOf(err) != syncproto.CodeNotYourUnion {
		t.Fatal(err)
	}
	if _, err := c.admin(n).ListDevices(t.Context(), ""); err != nil { // commits the pooled notes
		t.Fatal(err)
	}
	got, err := n.city(t.Context())
	if err != nil || got.Devices["fresh"] != 1 || got.Devices["never"] != 1 || got.Alarms["clock_wrong"] != 1 || got.Alarms["alarms"] != 1 {
		t.Fatalf("%+v: %v", got, err)
	}
	d, err := c.admin(n).Device(t.Context(), hex.EncodeToString(a.id)[:8])
	if err != nil || d.State != "fresh" || d.Alarms != 1 || !d.ClockWrong || d.Clock > -3500 || d.Version != "0.0.1" || len(d.Contacts) != 1 || d.Contacts[0].Union != "u1" {
		t.Errorf("%+v: %v", d, err)
	}
	if _, err := c.admin(n).Device(t.Context(), ""); syncproto.CodeOf(err) != syncproto.CodeDeviceNotFound {
		t.Error(err)
	}
	status, text := fetch(t, n, "/metrics")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v: %v", err, problems)
	}
	for series, want := range map[string]float64{
		`unionsync_exchanges_total{outcome="complete"}`: 2, `unionsync_exchanges_total{outcome="refused"}`: 1,
		`unionsync_changes_total{verdict="applied"}`: 5, `unionsync_raft_state{state="leader"}`: 1, `unionsync_raft_voters`: 1,
		`unionsync_ready_for_exchange`: 1, `unionsync_requests_in_progress`: 0,
	} {
		if got := metric(t, text, series); got != want {
			t.Errorf("%s %v, want %v", series, got, want)
		}
	}
	if metric(t, text, "unionsync_ledger_position") < 5 || metric(t, text, "unionsync_raft_commit_index") < 3 {
		t.Error("the log does not move")
	}
	if strings.Contains(text, "u1") || strings.Contains(text, "330702") {
		t.Error("a union stands in a metric")
	}
	if status, body := fetch(t, n, "/readyz/exchange?verbose"); status != http.StatusOK || !strings.Contains(body, "[+]leader ok\n") {
		t.Errorf("%d %s", status, body)
	}
	st, err := c.admin(n).Status(t.Context())
	if err != nil || st.Health != n.ready.Health || len(st.Checks) != len(n.checks) || health.Failed(st.Checks, health.ForLife, health.ForExchange) {
		t.Fatalf("%+v: %v", st, err)
	}
}

// TestSilentMember: the leader says which member does not answer, works on, and says no more
// once it does.
func TestSilentMember(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{})
	c.keepAddresses()
	leader := c.leader()
	i := slices.IndexFunc(c.nodes, func(n *running) bool { return n != leader })
	gone := c.nodes[i]
	wait := func(status int, line string) {
		t.Helper()
		deadline := time.After(patience)
		for {
			got, body := fetch(t, leader, "/readyz?verbose")
			if (status == 0 || got == status) && strings.Contains(body, line) {
				return
			}
			select {
			case <-deadline:
				t.Fatalf("%d %s", got, body)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	wait(http.StatusServiceUnavailable, "[-]members: Node "+gone.opt.Config.ID+" does not answer.")
	if status, body := fetch(t, leader, "/readyz/exchange"); status != http.StatusOK {
		t.Errorf("agents are sent away: %d %s", status, body)
	}
	c.nodes[i] = c.start(gone.dir)
	wait(0, "[+]members ok")
}

// TestReadinessWithoutAMajority: one node of three that is left lives, and sends agents away.
func TestReadinessWithoutAMajority(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{})
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader {
			if err := n.stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.After(patience)
	for {
		status, body := fetch(t, leader, "/readyz/exchange")
		if status == http.StatusServiceUnavailable && strings.Contains(body, "[-]leader") {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("still ready: %d %s", status, body)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if status, body := fetch(t, leader, "/livez"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

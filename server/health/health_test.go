package health

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"unionsync/syncproto"
)

func failing(code syncproto.Code, args ...string) func(context.Context) error {
	return func(context.Context) error { return syncproto.Fail(code, "check", nil, args...) }
}

func holds(context.Context) error { return nil }

// newTest makes a health with some checks and numbers of every kind.
func newTest(t *testing.T, checks ...Check) *Health {
	t.Helper()
	h, err := New(Config{
		Checks: checks, Meter: NewMeter(), Recent: NewRecent(), Log: slog.New(slog.DiscardHandler),
		Facts: func() Facts {
			return Facts{
				Version: "1.2.3", Ready: true, Queue: 7, Disk: Disk{Free: 1, Size: 2},
				Raft:   Raft{State: "leader", Term: 3, Committed: 9, Applied: 9, Last: 9, Voters: 3},
				Ledger: Ledger{Applied: 9, Changes: 120, LSMBytes: 11}, Census: Census{Ready: true, Changes: 100},
				Backup: &Backup{Taken: 1},
			}
		},
		City: func(context.Context) (City, error) {
			return City{Devices: map[string]int{"late": 4}, Cases: map[string]int{"conflict": 2, "other": 1}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.surveyOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h *Health, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:1"
	h.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestReadiness: each path answers by its own checks, and says in words which one is bad.
func TestReadiness(t *testing.T) {
	well := []Check{
		{"raft", ForLife, holds}, {"leader", ForExchange, holds}, {"census", ForCounts, holds}, {"disk", ForOperator, holds},
	}
	for _, tc := range []struct {
		why  string
		bad  string // the check that fails
		down []string
	}{
		{"all is well", "", nil},
		{"a dead log is beyond help everywhere", "raft", []string{"/livez", "/readyz", "/readyz/exchange", "/readyz/counts"}},
		{"without a leader no agents, yet counts as far as known", "leader", []string{"/readyz", "/readyz/exchange"}},
		{"while counts are made, agents may come", "census", []string{"/readyz", "/readyz/counts"}},
		{"a full disk is to be looked at, and turns nobody away", "disk", []string{"/readyz"}},
	} {
		checks := slices.Clone(well)
		for i := range checks {
			if checks[i].Name == tc.bad {
				checks[i].Run = failing(syncproto.CodeDiskLow, "mib", "5", "percent", "1")
			}
		}
		h := newTest(t, checks...)
		for _, path := range []string{"/livez", "/readyz", "/readyz/exchange", "/readyz/counts"} {
			want, last := http.StatusOK, "ok\n"
			if slices.Contains(tc.down, path) {
				want, last = http.StatusServiceUnavailable, "not ready\n"
			}
			status, body := get(t, h, path)
			if status != want || !strings.HasSuffix(body, last) {
				t.Errorf("%s: %s: %d, want %d: %q", tc.why, path, status, want, body)
			}
			if want != http.StatusOK && !strings.Contains(body, "[-]"+tc.bad+": Only 5 MiB (1 %) are left on the node's disk. (E634)") {
				t.Errorf("%s: %s does not say what is bad: %q", tc.why, path, body)
			}
			if strings.Contains(body, "[+]") {
				t.Errorf("%s: %s is verbose without being asked: %q", tc.why, path, body)
			}
		}
	}
	_, body := get(t, newTest(t, well...), "/readyz?verbose")
	if want := "[+]raft ok\n[+]leader ok\n[+]census ok\n[+]disk ok\nok\n"; body != want {
		t.Errorf("verbose: %q", body)
	}
	_, body = get(t, newTest(t, well...), "/readyz/counts?json")
	var results []Result
	if err := json.Unmarshal([]byte(body), &results); err != nil || len(results) != 2 || results[1].Name != "census" || !results[1].OK || results[1].For != ForCounts {
		t.Errorf("json: %q: %v", body, err)
	}
}

// TestCheckThatHangs: it does not keep the answer, nor the other checks, and a fault without
// a code shows none of its words.
func TestCheckThatHangs(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got := Checks{
		{"quick", ForLife, holds},
		{"stuck", ForLife, func(context.Context) error { <-stuck; return nil }},
		{"broken", ForLife, func(context.Context) error { return errors.New("张三's disk") }},
	}.Run(ctx)
	if !got[0].OK || got[1].OK || got[1].Code != syncproto.CodeCheckHangs || got[2].OK || got[2].Code != syncproto.CodeInternal || len(got[2].Args) > 0 {
		t.Fatalf("%+v", got)
	}
}

// TestMetrics: the names and helps are as Prometheus wants them (what `promtool check
// metrics` says), and no label can have more values than the program has words for.
func TestMetrics(t *testing.T) {
	h := newTest(t)
	h.cfg.Meter.Exchanged(OutcomeComplete, time.Second)
	h.cfg.Meter.Decided([]syncproto.Verdict{{Kind: syncproto.VerdictApplied}, {Kind: syncproto.VerdictHeld}})
	status, body := get(t, h, "/metrics")
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v: %v", err, problems)
	}
	for _, want := range []string{
		`unionsync_exchanges_total{outcome="complete"} 1`, `unionsync_exchanges_total{outcome="failed"} 0`,
		`unionsync_exchange_duration_seconds_bucket{outcome="complete",le="1"} 1`,
		`unionsync_changes_total{verdict="held"} 1`, `unionsync_devices{state="late"} 4`, `unionsync_devices{state="fresh"} 0`,
		`unionsync_open_cases{type="conflict"} 2`, `unionsync_open_cases{type="other"} 1`, `unionsync_census_lag_changes 20`,
		`unionsync_raft_state{state="leader"} 1`, `unionsync_raft_state{state="follower"} 0`, `unionsync_ledger_size_bytes{part="lsm"} 11`,
		`unionsync_backup_last_success_timestamp_seconds 1`, `unionsync_proposer_waiting_items 7`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	bounded(t, h.Gatherer())
}

// bounded fails on a label that nobody has thought about.
func bounded(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{
		"outcome": outcomes, "state": append(slices.Clone(DeviceStates), raftStates...), "alarm": DeviceAlarms, "type": CaseTypes,
		"verdict": {"applied", "parallel", "conflict", "held", "dropped", "refused"}, "part": {"lsm", "vlog"},
		"reason": {"turn", "queue", "memory", "device", "stranger", "slow"}, "conn": {stateGreeting, stateIdle},
	}
	free := []string{"version", "go_version"} // of the program: one series
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "unionsync_") {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if words, ok := known[l.GetName()]; !slices.Contains(free, l.GetName()) && (!ok || !slices.Contains(words, l.GetValue())) {
					t.Errorf("%s has a label %s=%q that is not bounded", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
}

// TestDebugIsForThisMachine: others who may scrape learn nothing of log and process.
func TestDebugIsForThisMachine(t *testing.T) {
	h := newTest(t)
	if _, err := h.cfg.Recent.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, h, "/debug/log"); status != http.StatusOK || body != "a line\n" {
		t.Errorf("here: %d %q", status, body)
	}
	for _, path := range []string{"/debug/log", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile", "/debug/pprof/trace"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = "10.0.0.7:4000"
		h.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %d", path, w.Code)
		}
	}
}

// TestListen: a second node on a machine finds a free port by itself; an address that was
// asked for is not replaced.
func TestListen(t *testing.T) {
	if l, err := Listen(Off); l != nil || err != nil {
		t.Fatal(l, err)
	}
	var all []net.Listener
	for range 2 {
		l, err := Listen("")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	if _, err := Listen(all[1].Addr().String()); syncproto.CodeOf(err) != syncproto.CodeListen {
		t.Errorf("a taken address: %v", err)
	}
	for _, l := range all {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRecent keeps the newest lines, whole, within its bound.
func TestRecent(t *testing.T) {
	r := &Recent{half: 20}
	for _, line := range []string{"one one\n", "two two\n", "three\n", "four four\n", "five five\n"} {
		if n, err := r.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := string(r.Bytes()); got != "three\nfour four\nfive five\n" && got != "one one\ntwo two\nthree\nfour four\nfive five\n" {
		t.Errorf("%q", got)
	}
	for range 100 {
		_, _ = io.WriteString(r, "more and more\n")
	}
	if got := r.Bytes(); len(got) > 40 || len(got)%14 != 0 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// TestLimits of what an operator is told.
func TestLimits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tc := range []struct {
		why  string
		err  error
		want syncproto.Code
	}{
		{"a big disk that is 99 % full and has 100 GiB left", CheckDisk(Disk{Free: 100 << 30, Size: 10 << 40}), 0},
		{"a small disk, half empty", CheckDisk(Disk{Free: 2 << 30, Size: 4 << 30}), 0},
		{"little left, by both", CheckDisk(Disk{Free: 2 << 30, Size: 100 << 30}), syncproto.CodeDiskLow},
		{"nobody knows", CheckDisk(Disk{}), 0},
		{"the default limit of a shell", CheckFiles(1024, true, 2000), syncproto.CodeFilesLow},
		{"the unit's limit", CheckFiles(65536, true, 8192), 0},
		{"Windows", CheckFiles(0, false, 8192), 0},
		{"a certificate with a year left", CheckCertificate("node.crt", now.AddDate(1, 0, 0), now), 0},
		{"with a week left", CheckCertificate("node.crt", now.AddDate(0, 0, 7), now), syncproto.CodeCertificateOld},
		{"ended", CheckCertificate("node.crt", now.AddDate(0, 0, -7), now), syncproto.CodeCertificateOld},
		{"no backup set up", CheckBackup(nil, now), 0},
		{"never taken", CheckBackup(&Backup{}, now), syncproto.CodeBackupOld},
		{"last night's", CheckBackup(&Backup{Taken: now.Unix() - 20*3600}, now), 0},
		{"that of the night before", CheckBackup(&Backup{Taken: now.Unix() - 40*3600}, now), syncproto.CodeBackupOld},
	} {
		if got := tc.err; (got == nil) != (tc.want == 0) || got != nil && syncproto.CodeOf(got) != tc.want {
			t.Errorf("%s: %v, want %d", tc.why, got, tc.want)
		}
	}
}

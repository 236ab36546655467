//go:build !windows

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"unionsync/agent"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/syncproto"
)

// clock is a clock that runs from a moment of its own.
func clock(from time.Time) func() time.Time {
	began := time.Now()
	return func() time.Time { return from.Add(time.Since(began)) }
}

// awayCentre is a centre in this process, whose clock can be another at each start.
type awayCentre struct {
	t    *testing.T
	dir  string
	api  string
	stop func()
}

func noEnv(string) string { return "" }

func (c *awayCentre) start(now func() time.Time) {
	c.t.Helper()
	cfg, err := server.LoadConfig(c.dir, noEnv, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ready := make(chan server.Ready, 1)
	n, err := server.Open(server.Options{
		Dir: c.dir, Config: cfg, World: server.World{Rand: rand.Reader, Now: now}, Log: slog.New(slog.DiscardHandler),
		Version: "test", Ready: func(r server.Ready) { ready <- r },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			c.t.Errorf("the centre ended: %v", err)
		}
	}
	select {
	case r := <-ready:
		c.api = r.API
	case err := <-ended:
		c.t.Fatalf("the centre ended: %v", err)
	}
}

// code imports the unions and gives an enrolment code for one.
func (c *awayCentre) code(union string) string {
	c.t.Helper()
	a, err := server.Dial(c.dir, noEnv, c.api)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	row := func(line uint32, values ...string) *unionrpc.OrgRow {
		r := &unionrpc.OrgRow{Line: line, Values: map[string]string{}}
		for i := 0; i < len(values); i += 2 {
			r.Values[values[i]] = values[i+1]
		}
		return r
	}
	_, err = a.ImportOrg(c.t.Context(), &unionrpc.ImportOrgRequest{Rows: []*unionrpc.OrgRow{
		row(2, "code", "330700", "name", "金华市总工会", "level", "city", "county", "SBJ"),
		row(3, "code", "330702", "name", "婺城区总工会", "level", "county", "parent", "330700", "county", "330702"),
		row(4, "code", union, "name", "工会", "level", "union", "parent", "330702"),
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := a.CreateCode(c.t.Context(), &unionrpc.CreateCodeRequest{Union: union})
	if err != nil {
		c.t.Fatal(err)
	}
	return r.GetCode()
}

// awayPC is a PC's data folder, opened with whatever clock the PC has.
func awayPC(t *testing.T, dir string, now func() time.Time) *agent.Agent {
	t.Helper()
	a, err := agent.Open(agent.Config{Dir: dir, Actor: "王芳", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// certificate is the PC's own, as its folder has it.
func certificate(t *testing.T, dir string) (*x509.Certificate, tlsid.Identity) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "centre.json"))
	var c struct{ Certificate []byte }
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	id, err := tlsid.Parse(cert)
	if err != nil {
		t.Fatal(err)
	}
	return cert, id
}

// TestAwayForYears: PCs that were enrolled thirteen years ago, and whose certificates, like
// the node's, ended three years ago, come back with clocks in 2010 and in 2090: the real
// agent and the real centre over TLS. They sync, rules go by the centre's day where that is
// later, what is saved is delivered, and the certificates are renewed. A code that was not used
// then opens nothing now.
func TestAwayForYears(t *testing.T) {
	t.Parallel()
	base, then := t.TempDir(), time.Now().AddDate(-13, 0, 0)
	c := &awayCentre{t: t, dir: filepath.Join(base, "n1")}
	cfg := server.Config{ID: "n1", City: "test", Listen: loopback(t), Raft: loopback(t), Heartbeat: "50ms"}
	if _, err := server.Init(c.dir, cfg, server.World{Rand: rand.Reader, Now: clock(then)}); err != nil {
		t.Fatal(err)
	}
	c.start(clock(then))
	clocks := map[string]time.Time{
		"a clock in 2010": time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC),
		"a clock in 2090": time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	first := map[string]int{"a clock in 2010": 0, "a clock in 2090": 25} // the latter's are no hundred years old in 2090
	for why, at := range clocks {
		e, err := awayPC(t, filepath.Join(base, why), clock(at)).Enrol(t.Context(), c.api, c.code("330702-00001"))
		if err != nil || e.Fetch != nil {
			t.Fatalf("%s: enrol: %v, %v", why, err, e.Fetch)
		}
		if cert, id := certificate(t, filepath.Join(base, why)); !cert.NotAfter.Before(time.Now()) || !slices.Equal(id.Unions, []string{"330702-00001"}) {
			t.Fatalf("%s: a certificate until %v of %v", why, cert.NotAfter, id.Unions)
		}
	}
	old := c.code("330702-00001")
	c.stop()
	c.start(time.Now)
	defer func() { c.stop() }()
	if _, err := awayPC(t, filepath.Join(base, "late"), time.Now).Enrol(t.Context(), c.api, old); syncproto.CodeOf(err) != syncproto.CodeEnrolExpired {
		t.Errorf("a code of thirteen years ago: %v", err)
	}
	for why, at := range clocks {
		a := awayPC(t, filepath.Join(base, why), clock(at))
		if r, err := a.Sync(t.Context(), "", nil); err != nil || !r.Complete {
			t.Fatalf("%s: %+v, %v", why, r, err)
		}
		u, err := a.Union("")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := u.Today(), max(at.Format(time.DateOnly), time.Now().In(at.Location()).Format(time.DateOnly)); got != want {
			t.Errorf("%s: today is %s, want %s", why, got, want)
		}
		if _, err := uniontest.Members(t.Context(), u, first[why], 3); err != nil {
			t.Errorf("%s: save: %v", why, err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := a.Sync(t.Context(), "", nil); err != nil || !r.Complete || !r.Equal || r.Sent != 6 {
			t.Errorf("%s: %+v, %v", why, r, err)
		}
		st, err := a.Status(t.Context(), "")
		if err != nil || st.Waiting != 0 || st.Held != 0 || st.Failures != 0 {
			t.Errorf("%s: %+v, %v", why, st, err)
		}
		if wait := st.Next.Sub(clock(at)()); wait < 0 || wait > 36*time.Hour {
			t.Errorf("%s: the next sync is in %s", why, wait)
		}
		if cert, id := certificate(t, filepath.Join(base, why)); cert.NotAfter.Before(time.Now()) || len(id.Unions) != 1 {
			t.Errorf("%s: a certificate until %v of %v", why, cert.NotAfter, id.Unions)
		}
	}
}

// TestRevokedPC: the real agent of a PC that the city revoked. What it has is sent and held,
// the sync ends with the code of a revocation, everything stays saved, and it gets nothing
// that the union's other PC enters, which goes on as before.
func TestRevokedPC(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	c := &awayCentre{t: t, dir: filepath.Join(base, "n1")}
	cfg := server.Config{ID: "n1", City: "test", Listen: loopback(t), Raft: loopback(t), Heartbeat: "50ms"}
	if _, err := server.Init(c.dir, cfg, server.World{Rand: rand.Reader, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	c.start(time.Now)
	defer func() { c.stop() }()
	lost, other := awayPC(t, filepath.Join(base, "lost"), time.Now), awayPC(t, filepath.Join(base, "other"), time.Now)
	device := ""
	for _, a := range []*agent.Agent{other, lost} {
		e, err := a.Enrol(t.Context(), c.api, c.code("330702-00001"))
		if err != nil || e.Fetch != nil {
			t.Fatal(err, e.Fetch)
		}
		device = e.Device
	}
	enter := func(a *agent.Agent, n int) {
		t.Helper()
		u, err := a.Union("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := uniontest.Members(t.Context(), u, n, 2); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	enter(lost, 0)
	if r, err := lost.Sync(t.Context(), "", nil); err != nil || !r.Equal {
		t.Fatalf("%+v, %v", r, err)
	}
	admin, err := server.Dial(c.dir, noEnv, c.api)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.Revoke(t.Context(), &unionrpc.RevokeRequest{Device: device[:8], Operator: "o", Reason: "lost"}); err != nil {
		t.Fatal(err)
	}
	enter(lost, 10)
	enter(other, 20)
	if r, err := other.Sync(t.Context(), "", nil); err != nil || !r.Equal || r.Records != 8 {
		t.Errorf("the other PC: %+v, %v", r, err)
	}
	for range 2 {
		r, err := lost.Sync(t.Context(), "", nil)
		if syncproto.CodeOf(err) != syncproto.CodeDeviceRevoked || r.Complete || r.Received != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	st, err := lost.Status(t.Context(), "")
	if err != nil || st.Error != syncproto.CodeDeviceRevoked || st.Held != 4 || st.Saved != 8 || st.Waiting != 0 || len(st.Back) != 4 {
		t.Errorf("%+v, %v", st, err)
	}
	if r, err := other.Sync(t.Context(), "", nil); err != nil || !r.Equal {
		t.Errorf("the other PC afterwards: %+v, %v", r, err)
	}
	if st, err := other.Status(t.Context(), ""); err != nil || st.Records["member"] != 4 || st.Held != 0 {
		t.Errorf("the other PC has %+v, %v", st, err)
	}
}

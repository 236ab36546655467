package agent_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionsync/agent"
	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

const (
	unionA = "330702-00001"
	unionB = "330782-00001"
)

// home is a PC with its data folder and a city's centre.
type home struct {
	t      *testing.T
	dir    string
	centre *agenttest.Centre
	twist  func(*unionrpc.EnrolResponse) // of enrolments
}

func newHome(t *testing.T, seed byte) *home {
	t.Helper()
	c, err := agenttest.New(seed)
	if err != nil {
		t.Fatal(err)
	}
	return &home{t: t, dir: filepath.Join(t.TempDir(), "data"), centre: c}
}

// twistedLine changes what the centre says to an enrolment.
type twistedLine struct {
	agent.Line
	twist func(*unionrpc.EnrolResponse)
}

func (l twistedLine) Enrol(ctx context.Context, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
	r, err := l.Line.Enrol(ctx, q)
	if err == nil && l.twist != nil {
		l.twist(r)
	}
	return r, err
}

func (h *home) agent() *agent.Agent {
	h.t.Helper()
	a, err := agent.Open(agent.Config{Dir: h.dir, Actor: "王芳", Timeout: 50 * time.Millisecond,
		Dial: func(*tls.Config, []string) (agent.Line, error) { return twistedLine{h.centre.Line(), h.twist}, nil }})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *home) code(union string) string {
	h.t.Helper()
	code, err := h.centre.Code(union, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

func (h *home) enrol(union string) agent.Enrolled {
	h.t.Helper()
	e, err := h.agent().Enrol(context.Background(), agenttest.Address, h.code(union))
	if err != nil || e.Fetch != nil {
		h.t.Fatal(err, e.Fetch)
	}
	return e
}

func TestEnrol(t *testing.T) {
	h := newHome(t, 1)
	e := h.enrol(unionA)
	if e.Union != unionA || e.Name == "" || len(e.Device) != 32 || !e.First.Complete {
		t.Fatalf("%+v", e)
	}
	a := h.agent()
	u, err := a.Union("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uniontest.Members(context.Background(), u, 0, 3); err != nil {
		t.Fatalf("saving after the first fetch: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Sync(context.Background(), "", nil); err != nil || r.Sent != 6 || !r.Equal || r.BytesSent == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	st, err := a.Status(context.Background(), "")
	if err != nil || st.Name == "" || st.Waiting != 0 || st.Failures != 0 || st.Next.IsZero() || st.Records["member"] != 3 {
		t.Fatalf("%+v, %v", st, err)
	}
}

// TestEnrolKeepsSecrets: neither the private key nor anything typed stands in clear.
func TestEnrolKeepsSecrets(t *testing.T) {
	h := newHome(t, 1)
	h.enrol(unionA)
	for _, name := range []string{"device.key", "centre.json", "key.bin"} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(h.dir, "device.key"))
	if err != nil || b[0] != 1 || len(b) != 1+16+32+seal.Overhead {
		t.Errorf("device.key: %d bytes, %v", len(b), err)
	}
}

// TestEnrolAgain: a second union joins the same device, and a lost answer costs nothing but
// another try with the same code.
func TestEnrolAgain(t *testing.T) {
	h := newHome(t, 1)
	code := h.code(unionA)
	h.centre.Fault = func(_ *syncpb.Request, answered bool) error {
		if answered {
			return agenttest.ErrHangUp
		}
		return nil
	}
	if _, err := h.agent().Enrol(context.Background(), agenttest.Address, code); syncproto.CodeOf(err) != syncproto.CodeCut {
		t.Fatalf("a lost answer: %v", err)
	}
	if all, err := h.agent().Unions(); err != nil || len(all) != 0 {
		t.Fatalf("enrolled without an answer: %v, %v", all, err)
	}
	h.centre.Fault = nil
	first, err := h.agent().Enrol(context.Background(), agenttest.Address, code)
	if err != nil || first.Fetch != nil {
		t.Fatalf("the same code again: %v, %v", err, first.Fetch)
	}
	again, err := h.agent().Enrol(context.Background(), agenttest.Address, code)
	if err != nil || again.Device != first.Device {
		t.Fatalf("once more: %+v, %v", again, err)
	}
	if e := h.enrol(unionB); e.Device != first.Device {
		t.Errorf("another device for the second union: %s, %s", e.Device, first.Device)
	}
	a := h.agent()
	if _, err := a.Union(""); syncproto.CodeOf(err) != syncproto.CodeWhichUnion {
		t.Errorf("which union: %v", err)
	}
	if _, err := a.Union("999"); syncproto.CodeOf(err) != syncproto.CodeUnionNotHere {
		t.Errorf("a union that is not here: %v", err)
	}
	for _, code := range []string{unionA, unionB} {
		if r, err := a.Sync(context.Background(), code, nil); err != nil || !r.Equal {
			t.Errorf("%s: %+v, %v", code, r, err)
		}
	}
}

// TestEnrolFetchesLater: when the line dies after the enrolment, it stands; nothing can be
// saved until a sync has ended the first fetch.
func TestEnrolFetchesLater(t *testing.T) {
	h := newHome(t, 1)
	h.centre.Fault = func(q *syncpb.Request, _ bool) error {
		if q != nil {
			return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
		}
		return nil
	}
	e, err := h.agent().Enrol(context.Background(), agenttest.Address, h.code(unionA))
	if err != nil || syncproto.CodeOf(e.Fetch) != syncproto.CodeUnreachable {
		t.Fatalf("%v, %v", err, e.Fetch)
	}
	a := h.agent()
	u, err := a.Union("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = uniontest.Members(context.Background(), u, 0, 1)
	if syncproto.CodeOf(err) != syncproto.CodeFirstFetch {
		t.Errorf("saving before the first fetch: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := a.Status(context.Background(), "")
	if err != nil || st.Failures != 1 || st.Error != syncproto.CodeUnreachable {
		t.Errorf("%+v, %v", st, err)
	}
	h.centre.Fault = nil
	if r, err := a.Sync(context.Background(), "", nil); err != nil || !r.Complete {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestEnrolRefuses: each refusal has its code, and leaves the PC as it was.
func TestEnrolRefuses(t *testing.T) {
	other := newHome(t, 2)
	for _, row := range []struct {
		why  string
		code func(h *home) string
		do   func(h *home)
		addr string
		want syncproto.Code
	}{
		{"a mistyped code is told before anything is sent", func(h *home) string {
			c := h.code(unionA)
			return c[:1] + strings.Map(func(r rune) rune { return r }, swap(c[1:]))
		}, func(h *home) {
			h.centre.Fault = func(*syncpb.Request, bool) error { h.t.Error("something was sent"); return nil }
		}, "", syncproto.CodeEnrolChecksum},
		{"a code that is too short", func(*home) string { return "ABC" }, nil, "", syncproto.CodeEnrolLength},
		{"a code that nobody gave out", func(h *home) string {
			stranger := newHome(h.t, 1) // another centre with the same CA
			return stranger.code(unionA)
		}, nil, "", syncproto.CodeEnrolUnknown},
		{"an expired code", func(h *home) string {
			c, err := h.centre.Code(unionA, true)
			if err != nil {
				h.t.Fatal(err)
			}
			return c
		}, nil, "", syncproto.CodeEnrolExpired},
		{"a code that another PC has used", func(h *home) string {
			c := h.code(unionA)
			b := &home{t: h.t, dir: filepath.Join(h.t.TempDir(), "data"), centre: h.centre}
			if _, err := b.agent().Enrol(context.Background(), agenttest.Address, c); err != nil {
				h.t.Fatal(err)
			}
			return c
		}, nil, "", syncproto.CodeEnrolUsed},
		{"no address", func(h *home) string { return h.code(unionA) }, nil, "ftp://x", syncproto.CodeAddress},
		{"the answer is of another CA", func(h *home) string { return h.code(unionA) }, func(h *home) {
			h.twist = func(r *unionrpc.EnrolResponse) { r.Ca = other.centre.CA.Raw }
		}, "", syncproto.CodeWrongCentre},
		{"the certificate is of another key", func(h *home) string { return h.code(unionA) }, func(h *home) {
			h.twist = func(r *unionrpc.EnrolResponse) { r.Certificate = h.centre.Own.Cert.Raw }
		}, "", syncproto.CodeAnswer},
		{"a union code that is a path", func(h *home) string { return h.code(unionA) }, func(h *home) {
			h.twist = func(r *unionrpc.EnrolResponse) { r.Union = "../../x" }
		}, "", syncproto.CodeAnswer},
		{"the centre cannot be reached", func(h *home) string { return h.code(unionA) }, func(h *home) {
			h.centre.Fault = func(*syncpb.Request, bool) error {
				return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
			}
		}, "", syncproto.CodeUnreachable},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newHome(t, 1)
			code := row.code(h)
			if row.do != nil {
				row.do(h)
			}
			if row.addr == "" {
				row.addr = agenttest.Address
			}
			if _, err := h.agent().Enrol(context.Background(), row.addr, code); err == nil || syncproto.CodeOf(err) != row.want {
				t.Fatalf("%v, want E%d", err, row.want)
			}
			if _, err := os.Stat(filepath.Join(h.dir, "centre.json")); !os.IsNotExist(err) {
				t.Errorf("the PC has a centre now: %v", err)
			}
			if _, err := h.agent().Which(""); syncproto.CodeOf(err) != syncproto.CodeNotEnrolled {
				t.Errorf("the PC has a union now: %v", err)
			}
		})
	}
}

// swap exchanges two different neighbours.
func swap(s string) string {
	for i := range len(s) - 1 {
		if s[i] != s[i+1] && s[i] != '-' && s[i+1] != '-' {
			return s[:i] + s[i+1:i+2] + s[i:i+1] + s[i+2:]
		}
	}
	return s
}

func TestEnrolOtherCity(t *testing.T) {
	h, other := newHome(t, 1), newHome(t, 2)
	h.enrol(unionA)
	if _, err := h.agent().Enrol(context.Background(), agenttest.Address, other.code(unionB)); syncproto.CodeOf(err) != syncproto.CodeOtherCity {
		t.Errorf("a code of another city: %v", err)
	}
	if all, err := h.agent().Unions(); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestIdentityDamaged: a PC whose identity is damaged exchanges nothing and says which file.
func TestIdentityDamaged(t *testing.T) {
	for _, row := range []struct {
		why, file string
		harm      func([]byte) []byte
		want      syncproto.Code
	}{
		{"the key is gone", "device.key", nil, syncproto.CodeDeviceFiles},
		{"the key is cut", "device.key", func(b []byte) []byte { return b[:9] }, syncproto.CodeDeviceFiles},
		{"the key is empty", "device.key", func([]byte) []byte { return []byte{} }, syncproto.CodeDeviceFiles},
		{"a bit of the key", "device.key", func(b []byte) []byte { b[60] ^= 1; return b }, syncproto.CodeDeviceFiles},
		{"another device's id", "device.key", func(b []byte) []byte { b[3] ^= 1; return b }, syncproto.CodeDeviceFiles},
		{"a newer form of the key", "device.key", func(b []byte) []byte { b[0] = 2; return b }, syncproto.CodeNewerFormat},
		{"the centre is no JSON", "centre.json", func([]byte) []byte { return []byte("{") }, syncproto.CodeDeviceFiles},
		{"the CA is none", "centre.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"ca": "M`), []byte(`"ca": "N`), 1) }, syncproto.CodeDeviceFiles},
		{"the data key is gone", "key.bin", nil, syncproto.CodeKeyMissing},
	} {
		t.Run(row.why, func(t *testing.T) {
			h := newHome(t, 1)
			h.enrol(unionA)
			path := filepath.Join(h.dir, row.file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if row.harm == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, row.harm(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.agent().Sync(context.Background(), "", nil); err == nil || syncproto.CodeOf(err) != row.want {
				t.Errorf("%v, want E%d", err, row.want)
			}
			if row.file == "key.bin" {
				_, err := h.agent().Enrol(context.Background(), agenttest.Address, h.code(unionB))
				if syncproto.CodeOf(err) != syncproto.CodeKeyMissing {
					t.Errorf("a lost key was replaced: %v", err)
				}
			}
		})
	}
}

// TestSyncRefused: what the centre says of the device comes through with its code.
func TestSyncRefused(t *testing.T) {
	h := newHome(t, 1)
	h.enrol(unionA)
	for _, code := range []syncproto.Code{syncproto.CodeNotYourUnion, syncproto.CodeDeviceUnknown, syncproto.CodeDeviceRevoked, syncproto.CodeBusy, syncproto.CodeNoLeader} {
		h.centre.Fault = func(*syncpb.Request, bool) error {
			return syncproto.Fail(code, "test", nil, "seconds", "600")
		}
		if _, err := h.agent().Sync(context.Background(), "", nil); err == nil || syncproto.CodeOf(err) != code {
			t.Errorf("%v, want E%d", err, code)
		}
		st, err := h.agent().Status(context.Background(), "")
		if err != nil || st.Error != code {
			t.Errorf("status %+v, %v", st, err)
		}
	}
}

func TestDefaultDir(t *testing.T) {
	abs := t.TempDir()
	home := func() (string, error) { return abs, nil }
	none := func(string) string { return "" }
	for _, row := range []struct {
		why, system string
		env         func(string) string
		want        string
	}{
		{"Linux", "linux", none, filepath.Join(abs, ".local", "share", "unionsync")},
		{"Linux with XDG", "linux", func(k string) string {
			if k == "XDG_DATA_HOME" {
				return filepath.Join(abs, "x")
			}
			return ""
		}, filepath.Join(abs, "x", "unionsync")},
		{"XDG says that relative paths do not count", "linux", func(string) string { return "x" }, filepath.Join(abs, ".local", "share", "unionsync")},
		{"Windows", "windows", func(k string) string {
			if k == "LOCALAPPDATA" {
				return filepath.Join(abs, "l")
			}
			return ""
		}, filepath.Join(abs, "l", "unionsync")},
		{"Windows without its variable", "windows", none, filepath.Join(abs, "AppData", "Local", "unionsync")},
		{"macOS", "darwin", none, filepath.Join(abs, "Library", "Application Support", "unionsync")},
	} {
		if got, err := agent.DefaultDir(row.system, row.env, home); err != nil || got != row.want {
			t.Errorf("%s: %s, %v", row.why, got, err)
		}
	}
	if _, err := agent.DefaultDir("linux", none, func() (string, error) { return "", os.ErrNotExist }); syncproto.CodeOf(err) != syncproto.CodeDataDir {
		t.Errorf("nobody's home: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file} {
		if _, err := agent.Open(agent.Config{Dir: dir}); syncproto.CodeOf(err) != syncproto.CodeDataDir {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// unfetched is a PC whose first fetch has not finished.
func unfetched(t *testing.T) *union.Union {
	t.Helper()
	h := newHome(t, 1)
	h.centre.Fault = func(q *syncpb.Request, _ bool) error {
		if q != nil {
			return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
		}
		return nil
	}
	if _, err := h.agent().Enrol(context.Background(), agenttest.Address, h.code(unionA)); err != nil {
		t.Fatal(err)
	}
	u, err := h.agent().Union("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

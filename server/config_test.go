package server

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/text"
	"unionsync/server/gate"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

func goodConfig() Config {
	return Config{ID: "n1", City: "test", Listen: "127.0.0.1:0", Raft: "127.0.0.1:0"}
}

// TestSettingsOrder: a flag wins over the environment, that over the file.
func TestSettingsOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := goodConfig()
	c.Heartbeat, c.LogFormat, c.LogLevel = "1s", "json", "warn"
	if err := c.save(dir); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string {
		return map[string]string{"UNIONSYNC_HEARTBEAT": "2s", "UNIONSYNC_LOG_LEVEL": "error"}[name]
	}
	got, err := LoadConfig(dir, env, map[string]string{"heartbeat": "3s"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Heartbeat != "3s" || got.LogLevel != "error" || got.LogFormat != "json" {
		t.Fatalf("%+v", got)
	}
	if len(Settings()) != len(settings) {
		t.Fatal(Settings())
	}
}

// TestBadConfig: what is wrong is said before anything starts.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	rows := []struct{ why, yaml, word string }{
		{"an unknown entry, as a mistyped one is", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nlissten: x\n", "lissten"},
		{"no id", "listen: 127.0.0.1:1\nraft: 127.0.0.1:2\n", "id"},
		{"an address without port", "id: n1\nlisten: localhost\nraft: 127.0.0.1:2\n", "listen"},
		{"an address that nobody can dial", "id: n1\nlisten: 0.0.0.0:1\nraft: 127.0.0.1:2\n", "dial"},
		{"the same for the other nodes", "id: n1\nlisten: 127.0.0.1:1\nraft: ':2'\n", "dial"},
		{"an address to tell that is none", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nadvertise: http://x\n", "address"},
		{"a time that is none", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nnight_start: 8pm\n", "night_start"},
		{"a size without a unit", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nsnapshot_log: 256\n", "snapshot_log"},
		{"a size of nothing", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nsnapshot_log: 0MiB\n", "snapshot_log"},
		{"a heartbeat that is none", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nheartbeat: fast\n", "heartbeat"},
		{"a level that is none", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nlog_level: loud\n", "log_level"},
		{"a form of log that is none", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nlog_format: xml\n", "log_format"},
		{"an address for health without port", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nmetrics_address: localhost\n", "metrics_address"},
		{"fewer connections than nodes and operators need", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nmax_connections: 3\n", "max_connections"},
		{"memory without a unit", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nmax_memory: 64\n", "max_memory"},
		{"a wait that outlasts every agent's patience", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\nmax_wait: 1h\n", "max_wait"},
		{"no exchange at all", "id: n1\nlisten: 127.0.0.1:1\nraft: 127.0.0.1:2\ndevice_at_once: 0\n", "device_at_once"},
		{"no YAML", "{{", ""},
	}
	for _, r := range rows {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, configFile), []byte(r.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadConfig(dir, noEnv, nil)
		if syncproto.CodeOf(err) != syncproto.CodeServerConfig || !strings.Contains(err.Error(), r.word) {
			t.Errorf("%s: %v", r.why, err)
		}
	}
	_, err := LoadConfig(t.TempDir(), noEnv, nil)
	wantCode(t, err, syncproto.CodeServerConfig)
	c := goodConfig()
	c.LogFormat = "xml"
	if _, err := c.NewLogger(os.Stderr); err == nil {
		t.Error("a log in xml")
	}
}

// TestCapacity: what the file says holds, and what the caller sets wins over it.
func TestCapacity(t *testing.T) {
	c := goodConfig()
	c.MaxConnections, c.MaxRequests, c.MaxWait, c.MaxMemory, c.DeviceAtOnce, c.DeviceRate = "100", "7", "5s", "3MiB", "4", "60"
	got, err := c.capacity(gate.Capacity{Requests: 9})
	want := gate.Capacity{Conns: 100, Requests: 9, Queue: 5 * time.Second, Memory: 3 << 20, DeviceAtOnce: 4, DeviceRate: 60}
	if err != nil || got != want {
		t.Fatalf("%+v %v", got, err)
	}
}

// TestAddressToDial: what others are told.
func TestAddressToDial(t *testing.T) {
	t.Parallel()
	for _, r := range []struct{ listen, advertise, want string }{
		{"127.0.0.1:7101", "", "https://127.0.0.1:7101"},
		{"0.0.0.0:7101", "centre.example:443", "https://centre.example:443"},
		{"0.0.0.0:7101", "https://centre.example/", "https://centre.example"},
	} {
		c := Config{Listen: r.listen, Advertise: r.advertise}
		if got, err := c.apiURL(r.listen); err != nil || got != r.want {
			t.Errorf("%+v: %s %v", r, got, err)
		}
	}
	c := Config{Listen: "0.0.0.0:1", Advertise: "https://c.example:2", Raft: "10.0.0.1:3", RaftAdvertise: "r.example:4"}
	if d := cmp.Diff([]string{"c.example", "10.0.0.1", "r.example"}, c.hosts()); d != "" {
		t.Error(d)
	}
}

// TestInitOnce: what is there is never overwritten, and half an identity cannot run.
func TestInitOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "n1")
	bad := goodConfig()
	bad.Listen = "nowhere"
	_, err := Init(dir, bad, testWorld())
	wantCode(t, err, syncproto.CodeServerConfig)
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("a bad configuration left a folder")
	}
	if _, err := Init(dir, goodConfig(), testWorld()); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	_, err = Init(dir, goodConfig(), testWorld())
	wantCode(t, err, syncproto.CodeServerExists)
	if err := os.Remove(filepath.Join(dir, configFile)); err != nil { // as a crash before the last step
		t.Fatal(err)
	}
	_, err = LoadConfig(dir, noEnv, nil)
	wantCode(t, err, syncproto.CodeServerConfig)
	_, err = Init(dir, goodConfig(), testWorld())
	wantCode(t, err, syncproto.CodeTrustExists)
	after := files(t, dir)
	delete(before, configFile)
	if d := cmp.Diff(before, after); d != "" {
		t.Fatal(d)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

// TestJoinRefused: a wrong key, a wrong centre, no centre: nothing that could run is left,
// and a later try works.
func TestJoinRefused(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, c0)
	n := c.nodes[0]
	key := filepath.Join(n.dir, trust.ClusterKeyFile)
	cfg := goodConfig()
	cfg.ID = "n2"
	dir := filepath.Join(t.TempDir(), "n2")
	_, err := Join(t.Context(), dir, cfg, Joining{Centre: "https://127.0.0.1:1", ClusterKey: key}, testWorld())
	wantCode(t, err, syncproto.CodeUnreachable)
	_, err = Join(t.Context(), dir, cfg, Joining{Centre: "ftp://x", ClusterKey: key}, testWorld())
	wantCode(t, err, syncproto.CodeInvalid)
	_, err = Join(t.Context(), t.TempDir(), cfg, Joining{Centre: n.ready.API}, testWorld())
	wantCode(t, err, syncproto.CodeClusterKeyFile)
	other := filepath.Join(t.TempDir(), "other")
	if _, err := trust.Init(other, trust.Founding{City: "o", NodeID: "n1", Rand: rand.Reader, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, err = Join(t.Context(), t.TempDir(), cfg, Joining{Centre: n.ready.API, ClusterKey: filepath.Join(other, trust.ClusterKeyFile)}, testWorld())
	wantCode(t, err, syncproto.CodeWrongCentre)
	cfg.ID = "n1"
	_, err = Join(t.Context(), t.TempDir(), cfg, Joining{Centre: n.ready.API, ClusterKey: key}, testWorld())
	wantCode(t, err, syncproto.CodeNodeExists)
	_, err = LoadConfig(dir, noEnv, nil)
	wantCode(t, err, syncproto.CodeServerConfig)
	cfg.ID = "n2"
	if _, err := Join(t.Context(), dir, cfg, Joining{Centre: n.ready.API}, testWorld()); err != nil {
		t.Fatal(err) // the key is there from the first try
	}
}

// TestParse: what people type for positions, durations and filters.
func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]syncproto.Position{"": 0, "7": 7, "1/4711": syncproto.MakePosition(1, 4711)} {
		if got, err := ParsePosition(s); err != nil || got != want {
			t.Errorf("%q: %s %v", s, got, err)
		}
	}
	for s, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: %s %v", s, got, err)
		}
	}
	for _, s := range []string{"x", "1/", "/1", "70000/1", "-1", "1/2/3"} {
		if _, err := ParsePosition(s); err == nil {
			t.Errorf("position %q", s)
		}
	}
	for _, s := range []string{"", "-1h", "0s", "d", "7 days", "-7d"} {
		if _, err := ParseDuration(s); err == nil {
			t.Errorf("duration %q", s)
		}
	}
	for _, s := range []string{"", "=x", "sex"} {
		if _, err := ParseFilter(s); err == nil {
			t.Errorf("filter %q", s)
		}
	}
	if f, err := ParseFilter("county=330702,"); err != nil || len(f.GetCodes()) != 2 {
		t.Error(f, err)
	}
}

// TestOrigins: each value is shown with where it comes from, and nothing that is secret.
func TestOrigins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := goodConfig()
	c.Heartbeat, c.LogLevel, c.MetricsAddress = "1s", "warn", "off"
	if err := c.save(dir); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"UNIONSYNC_LOG_LEVEL": "error"}[name] }
	got, err := Origins(dir, env, map[string]string{"heartbeat": "3s"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(Settings())+len(FileSettings()) {
		t.Errorf("%d settings", len(got))
	}
	for _, want := range []SettingValue{
		{"id", "n1", FromFile, "server.yaml"}, {"heartbeat", "3s", FromFlag, "--heartbeat"},
		{"log_level", "error", FromEnvironment, "UNIONSYNC_LOG_LEVEL"}, {"metrics_address", "off", FromFile, "server.yaml"},
		{"log_format", "text", FromDefault, ""}, {"advertise", "127.0.0.1:0", FromDefault, ""},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %+v in %+v", want, got)
		}
	}
	if _, err := Origins(dir, noEnv, map[string]string{"heartbeat": "fast"}); syncproto.CodeOf(err) != syncproto.CodeServerConfig {
		t.Errorf("a bad flag: %v", err)
	}
	for in, want := range map[string]string{
		"s3://user:word@bucket/prefix?endpoint=http://x:1&secret_key=abc": "s3://***@bucket/prefix?endpoint=http%3A%2F%2Fx%3A1&secret_key=***",
		"/srv/backup": "/srv/backup", "https://10.0.0.1:8443": "https://10.0.0.1:8443",
	} {
		if got := unsecret(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

// TestEverySettingCanBeShown: a field of the file that is neither a setting nor ours to take
// away would be shown by nothing; one without words would be documented by nothing.
func TestEverySettingCanBeShown(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[Config]()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		if err := CheckSetting(name); err != nil && name != "founder" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckSetting("lissten"); syncproto.CodeOf(err) != syncproto.CodeSettingUnknown {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(Settings(), FileSettings()...) {
		if !strings.Contains(string(page), "\n| `"+name+"` | ") {
			t.Errorf("docs/operations.md has no row for %s", name)
		}
		for _, lang := range []text.Lang{text.Chinese, text.English} {
			if words := text.Of(lang, "config."+name, nil); words == "config."+name || words == "" {
				t.Errorf("%s has no words in %s", name, lang)
			}
		}
	}
}

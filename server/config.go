package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"unionsync/internal/atomicfile"
	"unionsync/internal/rpc/tlsid"
	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/syncproto"
)

// Names in a node's folder.
const (
	configFile = "server.yaml"
	nodesFile  = "nodes.txt"
	ledgerDir  = "ledger"
	raftDir    = "raft"
)

// Config is how one node runs. It stands in server.yaml; what is changed there holds from
// the next start. A flag wins over the environment, that over the file, that over the
// default.
type Config struct {
	ID            string `yaml:"id"`                       // the node's name in its certificate; never changed
	City          string `yaml:"city,omitempty"`           // the city's name, for the CA's certificate
	Listen        string `yaml:"listen"`                   // host:port for agents and operators
	Advertise     string `yaml:"advertise,omitempty"`      // host:port or URL by which they reach it; default: listen
	Raft          string `yaml:"raft"`                     // host:port for the other nodes
	RaftAdvertise string `yaml:"raft_advertise,omitempty"` // host:port by which they reach it; default: raft
	NightStart    string `yaml:"night_start,omitempty"`    // when agents begin to come, as 20:00 (default)
	NightEnd      string `yaml:"night_end,omitempty"`      // when they should be done, as 06:00 (default)
	Heartbeat     string `yaml:"heartbeat,omitempty"`      // of the leader, as 1500ms (default); more on busy machines
	SnapshotLog   string `yaml:"snapshot_log,omitempty"`   // a snapshot is taken after so much log, as 256MiB (default)

	MaxConnections string `yaml:"max_connections,omitempty"` // open at a time, 16 to 100000; 2000 (default)
	MaxRequests    string `yaml:"max_requests,omitempty"`    // of agents, worked on at a time, 1 to 10000; 256 (default)
	MaxWait        string `yaml:"max_wait,omitempty"`        // for a turn, before an agent is told to come again, 1s to 2m; 30s (default)
	MaxMemory      string `yaml:"max_memory,omitempty"`      // of requests that come in and answers that go out, 2MiB to 4096MiB; 64MiB (default)
	DeviceAtOnce   string `yaml:"device_at_once,omitempty"`  // exchanges of one device at a time, 1 to 100; 2 (default)
	DeviceRate     string `yaml:"device_rate,omitempty"`     // exchanges of one device a minute, 10 to 100000; 300 (default)

	Backup           string `yaml:"backup,omitempty"`            // archive target: a folder, or s3://bucket/prefix?endpoint=…; without one nothing is kept
	BackupRecipients string `yaml:"backup_recipients,omitempty"` // age recipients (age1…) beside the city's own key, with blanks between
	BackupAt         string `yaml:"backup_at,omitempty"`         // when backups are made, as "01:30 13:00"; 01:30 (default), local time
	BackupKeep       string `yaml:"backup_keep,omitempty"`       // how many are offered for restore, at least 2; 14 (default)
	BackupStream     string `yaml:"backup_stream,omitempty"`     // what is committed is streamed within this, 1s to 1m; 20s (default)
	BackupDrill      string `yaml:"backup_drill,omitempty"`      // between drills, as 7d (default); never for none

	// MetricsAddress is host:port of /livez, /readyz and /metrics, or off; default 127.0.0.1:7301,
	// or a free port where another node of this machine has that.
	MetricsAddress string `yaml:"metrics_address,omitempty"`
	LogFormat      string `yaml:"log_format,omitempty"` // text (default) or json
	LogLevel       string `yaml:"log_level,omitempty"`  // debug, info (default), warn or error
	Founder        bool   `yaml:"founder,omitempty"`    // the first start makes a new centre; ours to take away
}

// setting is one entry of [Config] that flags and environment can set, by its name in the
// file.
type setting struct {
	name string
	at   func(*Config) *string
}

var settings = []setting{
	{"listen", func(c *Config) *string { return &c.Listen }},
	{"advertise", func(c *Config) *string { return &c.Advertise }},
	{"raft", func(c *Config) *string { return &c.Raft }},
	{"raft_advertise", func(c *Config) *string { return &c.RaftAdvertise }},
	{"night_start", func(c *Config) *string { return &c.NightStart }},
	{"night_end", func(c *Config) *string { return &c.NightEnd }},
	{"heartbeat", func(c *Config) *string { return &c.Heartbeat }},
	{"snapshot_log", func(c *Config) *string { return &c.SnapshotLog }},
	{"max_connections", func(c *Config) *string { return &c.MaxConnections }},
	{"max_requests", func(c *Config) *string { return &c.MaxRequests }},
	{"max_wait", func(c *Config) *string { return &c.MaxWait }},
	{"max_memory", func(c *Config) *string { return &c.MaxMemory }},
	{"device_at_once", func(c *Config) *string { return &c.DeviceAtOnce }},
	{"device_rate", func(c *Config) *string { return &c.DeviceRate }},
	{"backup", func(c *Config) *string { return &c.Backup }},
	{"backup_recipients", func(c *Config) *string { return &c.BackupRecipients }},
	{"backup_at", func(c *Config) *string { return &c.BackupAt }},
	{"backup_keep", func(c *Config) *string { return &c.BackupKeep }},
	{"backup_stream", func(c *Config) *string { return &c.BackupStream }},
	{"backup_drill", func(c *Config) *string { return &c.BackupDrill }},
	{"metrics_address", func(c *Config) *string { return &c.MetricsAddress }},
	{"log_format", func(c *Config) *string { return &c.LogFormat }},
	{"log_level", func(c *Config) *string { return &c.LogLevel }},
}

// Settings are the names that flags and, as UNIONSYNC_NAME, the environment can set.
func Settings() []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.name
	}
	return out
}

// EnvPrefix begins the names of environment variables.
const EnvPrefix = "UNIONSYNC_"

// overlay puts environment and flags over c.
func (c *Config) overlay(env func(string) string, flags map[string]string) {
	for _, s := range settings {
		if v := env(EnvPrefix + strings.ToUpper(s.name)); v != "" {
			*s.at(c) = v
		}
		if v := flags[s.name]; v != "" {
			*s.at(c) = v
		}
	}
}

// LoadConfig reads a node's configuration; flags are by the names of [Settings].
func LoadConfig(dir string, env func(string) string, flags map[string]string) (*Config, error) {
	path := filepath.Join(dir, configFile)
	c, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	c.overlay(env, flags)
	if err := c.Validate(); err != nil {
		return nil, badConfig(path, err)
	}
	return c, nil
}

func readConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, badConfig(path, err)
	}
	c := new(Config)
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(c); err != nil {
		return nil, badConfig(path, err)
	}
	return c, nil
}

// save writes the file; comments that somebody wrote there are lost.
func (c *Config) save(dir string) error {
	b, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, configFile), b, 0o600)
}

func badConfig(path string, err error) error {
	return syncproto.Fail(syncproto.CodeServerConfig, "read configuration", err,
		"file", filepath.Base(path), "what", firstLine(err))
}

func firstLine(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	if err := tlsid.CheckID(tlsid.RoleNode, c.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if err := reachable("listen", c.Listen, c.Advertise); err != nil {
		return err
	}
	if err := reachable("raft", c.Raft, c.RaftAdvertise); err != nil {
		return err
	}
	if _, err := c.apiURL(c.Listen); err != nil {
		return err
	}
	if _, err := c.window(); err != nil {
		return err
	}
	if _, err := c.heartbeat(); err != nil {
		return err
	}
	if _, err := c.capacity(gate.Capacity{}); err != nil {
		return err
	}
	if _, err := c.snapshotLog(); err != nil {
		return err
	}
	if _, err := c.policy(); err != nil {
		return err
	}
	if err := c.checkMetricsAddress(); err != nil {
		return err
	}
	_, err := c.NewLogger(io.Discard)
	return err
}

func (c *Config) checkMetricsAddress() error {
	if c.MetricsAddress == "" || c.MetricsAddress == health.Off {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.MetricsAddress); err != nil {
		return fmt.Errorf("metrics_address: %w", err)
	}
	return nil
}

// reachable checks an address, and that others are told one that they can dial.
func reachable(name, listen, advertise string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ip := net.ParseIP(host)
	if advertise == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("%s: nobody can dial %q: set the address to advertise", name, listen)
	}
	return nil
}

// apiURL is the URL by which others reach the node that listens at an address.
func (c *Config) apiURL(listening string) (string, error) {
	a := c.Advertise
	if a == "" {
		a = listening
	}
	return ParseURL(a)
}

// ParseURL makes a node's URL of what a person types: host:port or an https URL.
func ParseURL(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", fmt.Errorf("%q is no address of a node: want host:port or https://host:port", s)
	}
	return "https://" + u.Host, nil
}

// hosts are the names and addresses for the node's certificate.
func (c *Config) hosts() []string {
	var out []string
	for _, a := range []string{c.Listen, c.Advertise, c.Raft, c.RaftAdvertise} {
		a = strings.TrimSuffix(strings.TrimPrefix(a, "https://"), "/")
		if host, _, err := net.SplitHostPort(a); err == nil {
			a = host
		}
		if ip := net.ParseIP(a); a != "" && (ip == nil || !ip.IsUnspecified()) {
			out = append(out, a)
		}
	}
	return out
}

func (c *Config) heartbeat() (time.Duration, error) {
	if c.Heartbeat == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(c.Heartbeat)
	if err != nil {
		return 0, fmt.Errorf("heartbeat: %w", err)
	}
	return d, nil
}

// snapshotLog reads how many bytes of log call for a snapshot; 0: the default.
func (c *Config) snapshotLog() (int64, error) {
	if c.SnapshotLog == "" {
		return 0, nil
	}
	number, ok := strings.CutSuffix(c.SnapshotLog, "MiB")
	n, err := strconv.ParseUint(number, 10, 20)
	if !ok || err != nil || n == 0 {
		return 0, fmt.Errorf("snapshot_log: %q is no size: want one as 256MiB", c.SnapshotLog)
	}
	return int64(n) << 20, nil
}

// window reads the night; without it the gate's default holds.
func (c *Config) window() (gate.Window, error) {
	var w gate.Window
	for _, f := range []struct {
		name, value, none string
		to                *int
	}{{"night_start", c.NightStart, "20:00", &w.Start}, {"night_end", c.NightEnd, "06:00", &w.End}} {
		if f.value == "" {
			f.value = f.none
		}
		t, err := time.Parse("15:04", f.value)
		if err != nil {
			return w, fmt.Errorf("%s: want a time as 20:00", f.name)
		}
		*f.to = t.Hour()*60 + t.Minute()
	}
	return w, nil
}

package server

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"unionsync/server/gate"
	"unionsync/syncproto"
)

// Origin is where a setting's value comes from. The words stand in JSON; they are permanent.
type Origin string

// Origins, the weakest first.
const (
	FromDefault     Origin = "default"
	FromFile        Origin = "file"
	FromEnvironment Origin = "environment"
	FromFlag        Origin = "flag"
)

// SettingValue is a setting as it is in force. Its JSON form is stable.
type SettingValue struct {
	Name   string `json:"name"` // as in server.yaml
	Value  string `json:"value"`
	Origin Origin `json:"origin"`
	From   string `json:"from,omitempty"` // the file, variable or flag
}

// defaults are what holds where nothing is set; a setting that is not here has none.
var defaults = map[string]string{
	"night_start": "20:00", "night_end": "06:00", "heartbeat": "1500ms", "snapshot_log": "256MiB", "metrics_address": "127.0.0.1:7301",
	"log_format": "text", "log_level": "info",
	"max_connections": fmt.Sprint(gate.DefaultConns), "max_requests": fmt.Sprint(gate.DefaultRequests),
	"max_wait": gate.DefaultQueue.String(), "max_memory": fmt.Sprint(gate.DefaultMemory>>20) + memoryUnit,
	"device_at_once": fmt.Sprint(gate.DefaultDeviceAtOnce), "device_rate": fmt.Sprint(gate.DefaultDeviceRate),
	"backup_at": "01:30", "backup_keep": "14", "backup_stream": "20s", "backup_drill": "7d",
}

// filed are settings that stand in the file only, since they are of the node and not of a
// start.
var filed = []setting{
	{"id", func(c *Config) *string { return &c.ID }},
	{"city", func(c *Config) *string { return &c.City }},
}

// FileSettings are the names of settings that neither flag nor environment can set.
func FileSettings() []string {
	out := make([]string, len(filed))
	for i, s := range filed {
		out[i] = s.name
	}
	return out
}

// Origins gives all settings of a node's folder with where they come from, without what is
// secret, and what is wrong with them.
func Origins(dir string, env func(string) string, flags map[string]string) ([]SettingValue, error) {
	c, err := readConfig(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	var out []SettingValue
	for _, s := range filed {
		out = append(out, SettingValue{Name: s.name, Value: *s.at(c), Origin: FromFile, From: configFile})
	}
	for _, s := range settings {
		v := originOf(c, s, env, flags)
		v.Value = unsecret(v.Value)
		out = append(out, v)
	}
	_, err = LoadConfig(dir, env, flags)
	return out, err
}

func originOf(c *Config, s setting, env func(string) string, flags map[string]string) SettingValue {
	variable := EnvPrefix + strings.ToUpper(s.name)
	switch {
	case flags[s.name] != "":
		return SettingValue{s.name, flags[s.name], FromFlag, "--" + strings.ReplaceAll(s.name, "_", "-")}
	case env(variable) != "":
		return SettingValue{s.name, env(variable), FromEnvironment, variable}
	case *s.at(c) != "":
		return SettingValue{s.name, *s.at(c), FromFile, configFile}
	case s.name == "advertise":
		return SettingValue{Name: s.name, Value: c.Listen, Origin: FromDefault}
	case s.name == "raft_advertise":
		return SettingValue{Name: s.name, Value: c.Raft, Origin: FromDefault}
	}
	return SettingValue{Name: s.name, Value: defaults[s.name], Origin: FromDefault}
}

// hidden stands for what is secret.
const hidden = "***"

// unsecret hides in a URL what gives access: user and password, and values of the query
// whose names say so.
func unsecret(value string) string {
	u, err := url.Parse(value)
	if err != nil || !strings.Contains(value, "://") {
		return value
	}
	if u.User != nil {
		u.User = url.User(hidden)
	}
	q := u.Query()
	for name := range q {
		low := strings.ToLower(name)
		for _, word := range []string{"secret", "key", "token", "password", "credential"} {
			if strings.Contains(low, word) {
				q.Set(name, hidden)
			}
		}
	}
	u.RawQuery = q.Encode()
	return strings.ReplaceAll(u.String(), url.QueryEscape(hidden), hidden)
}

// CheckSetting fails with [syncproto.CodeSettingUnknown] if there is no such setting.
func CheckSetting(name string) error {
	for _, s := range append(append([]setting{}, filed...), settings...) {
		if s.name == name {
			return nil
		}
	}
	return syncproto.Fail(syncproto.CodeSettingUnknown, "read setting", nil, "name", name)
}

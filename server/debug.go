package server

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"unionsync/server/health"
	"unionsync/syncproto"
)

// Debugging says what [Debug] is to collect.
type Debugging struct {
	Dir     string
	Env     func(string) string
	Now     func() time.Time
	Version string
	Profile time.Duration // of the processor's time; 0: none
}

// DebugPart is one file of the bundle. Its JSON form is stable.
type DebugPart struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	Lacks string `json:"lacks,omitempty"` // why it is empty
	data  []byte
}

// maxDebugPart bounds what is read of the node for one file.
const maxDebugPart = 64 << 20

// Debug collects what whoever looks into a fault needs: never keys, never records, nothing
// that names a member. What cannot be had is named with the reason: a node that does not run
// has no metrics. It must run on the node's machine.
func Debug(ctx context.Context, o Debugging) ([]DebugPart, []byte, error) {
	d := Doctor(ctx, o.Dir, o.Env, o.Now)
	settings, err := Origins(o.Dir, o.Env, nil)
	if settings == nil {
		return nil, nil, err
	}
	var parts []DebugPart
	add := func(name string, data []byte, err error) {
		p := DebugPart{Name: name, Bytes: len(data), data: data}
		if err != nil {
			p.Lacks = fmt.Sprintf("E%d", syncproto.CodeOf(err))
		}
		parts = append(parts, p)
	}
	put := func(name string, v any, err error) {
		b, bad := json.MarshalIndent(v, "", "  ")
		add(name, b, errors.Join(err, bad))
	}
	put("program.json", map[string]any{
		"version": o.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU(),
		"time": o.Now().UTC().Format(time.RFC3339),
	}, nil)
	put("config.json", settings, err)
	put("doctor.json", d, nil)
	files, err := folder(o.Dir)
	add("files.txt", files, err)
	status, address, err := o.status(ctx)
	put("status.json", status, err)
	for _, f := range o.fetched() {
		b, err := fetchHealth(ctx, address, f.path)
		add(f.name, b, err)
	}
	packed, err := pack(parts, o.Now())
	return parts, packed, err
}

// fetched are the files that the running node gives.
func (o *Debugging) fetched() []struct{ name, path string } {
	all := []struct{ name, path string }{
		{"readyz.json", "/readyz?json"}, {"metrics.txt", "/metrics"}, {"log.txt", "/debug/log"},
		{"pprof/goroutine.txt", "/debug/pprof/goroutine?debug=1"}, {"pprof/heap.pb.gz", "/debug/pprof/heap"},
		{"pprof/allocs.pb.gz", "/debug/pprof/allocs"},
	}
	if o.Profile > 0 {
		all = append(all, struct{ name, path string }{
			"pprof/cpu.pb.gz", fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(o.Profile.Seconds())))})
	}
	return all
}

// status asks the node itself, and gives its address for health.
func (o *Debugging) status(ctx context.Context) (any, string, error) {
	c, err := LoadConfig(o.Dir, o.Env, nil)
	if err != nil {
		return nil, "", err
	}
	address := c.MetricsAddress
	if address == "" {
		address = health.Default
	}
	url, err := c.apiURL(c.Listen)
	if err != nil {
		return nil, address, err
	}
	a, err := Dial(o.Dir, o.Env, url)
	if err != nil {
		return nil, address, err
	}
	defer a.Close()
	st, err := a.Status(ctx)
	if err != nil {
		return nil, address, err
	}
	return st, st.Health, nil
}

// fetchHealth reads one path at a node's address for health.
func fetchHealth(ctx context.Context, address, path string) ([]byte, error) {
	silent := func(err error) error {
		return syncproto.Fail(syncproto.CodeHealthSilent, "ask for health", err, "address", address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, silent(err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, silent(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, silent(err)
	}
	defer func() { _ = r.Body.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(r.Body, maxDebugPart))
	if err != nil || r.StatusCode == http.StatusNotFound || r.StatusCode == http.StatusForbidden {
		return nil, silent(errors.Join(err, fmt.Errorf("status %d", r.StatusCode)))
	}
	return b, nil
}

// folder lists the node's files with their sizes.
func folder(dir string) ([]byte, error) {
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the node took it away meanwhile
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%12d  %s  %s  %s\n", info.Size(), info.Mode(), info.ModTime().UTC().Format(time.RFC3339), rel)
		return err
	})
	if err != nil {
		err = fmt.Errorf("list the node's folder: %w", err)
	}
	return b.Bytes(), err
}

// pack makes the bundle, with a list of its contents first.
func pack(parts []DebugPart, now time.Time) ([]byte, error) {
	var list strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&list, "%10d  %s  %s\n", p.Bytes, p.Name, p.Lacks)
	}
	all := append([]DebugPart{{Name: "CONTENTS.txt", data: []byte(list.String())}}, parts...)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, p := range all {
		h := &tar.Header{Name: "union-server-debug/" + p.Name, Mode: 0o600, Size: int64(len(p.data)), ModTime: now}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack debug bundle: %w", err)
		}
		if _, err := t.Write(p.data); err != nil {
			return nil, fmt.Errorf("pack debug bundle: %w", err)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("pack debug bundle: %w", err)
	}
	return b.Bytes(), nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/proc"
)

// profileFor is how long a processor's profile takes; it begins when a tenth of that has gone by.
const profileFor = 20 * time.Second

// profile takes profiles of a node while it works, if the options name a folder for them; the
// function returned waits for them.
func (l *lab) profile(ctx context.Context, leader *proc.Node) (wait func() error) {
	if l.o.profile == "" {
		return func() error { return nil }
	}
	var g errgroup.Group
	for _, n := range l.centre.Nodes {
		role := "follower"
		if n == leader {
			role = "leader"
		}
		g.Go(func() error {
			url, err := healthURL(n)
			if err != nil {
				return err
			}
			time.Sleep(profileFor / 10)
			for name, path := range map[string]string{
				"cpu": fmt.Sprintf("profile?seconds=%d", int(profileFor.Seconds())), "heap": "heap", "allocs": "allocs",
			} {
				file := filepath.Join(l.o.profile, fmt.Sprintf("%s-%s.%s.pb.gz", role, n.ID, name))
				if err := fetch(ctx, url+"/debug/pprof/"+path, file); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait
}

// healthURL finds where a node tells of itself, in what it wrote when it was ready.
func healthURL(n *proc.Node) (string, error) {
	for line := range strings.Lines(n.Tail(1 << 20)) {
		var ready struct {
			Health string `json:"health"`
		}
		if json.Unmarshal([]byte(line), &ready) == nil && ready.Health != "" {
			return "http://" + strings.TrimPrefix(ready.Health, "http://"), nil
		}
	}
	return "", fmt.Errorf("%s did not say where it can be profiled", n.ID)
}

func fetch(ctx context.Context, url, file string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("fetch profile: %w", err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("fetch profile: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	if err != nil {
		return fmt.Errorf("fetch profile: %w", err)
	}
	return os.WriteFile(file, b, 0o600)
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// cpu gives the processor time of each node's process so far, by process id, and under 0 of
// this one. Only Linux tells.
func (l *lab) cpu() (map[int]time.Duration, error) {
	out := map[int]time.Duration{}
	var err error
	if out[0], err = cpuOf("self"); err != nil {
		return nil, err
	}
	for _, n := range l.centre.Nodes {
		if out[n.PID()], err = cpuOf(strconv.Itoa(n.PID())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cpuOf reads a process's stat line: the 12th and 13th number behind its name are user and
// system time, in hundredths of a second.
func cpuOf(process string) (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join("/proc", process, "stat"))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const user, system = 11, 12
	if len(f) <= system {
		return 0, errors.New("read processor time: a short line")
	}
	u, err1 := strconv.Atoi(string(f[user]))
	s, err2 := strconv.Atoi(string(f[system]))
	return time.Duration(u+s) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// profileSeconds is how long a profile takes.
const profileSeconds = 10

// beginProfile profiles the leader for a while, if that is wanted; the function given waits
// for its end.
func (l *lab) beginProfile(ctx context.Context, dataDir, name string) func() error {
	if l.o.profile == "" {
		return func() error { return nil }
	}
	var g errgroup.Group
	g.Go(func() error { return l.profile(ctx, dataDir, name) })
	return g.Wait
}

func (l *lab) profile(ctx context.Context, dataDir, name string) (err error) {
	address, err := healthOf(ctx, l, dataDir)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, profileSeconds), nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return fmt.Errorf("profile the leader: %w", err)
	}
	defer func() { err = errors.Join(err, r.Body.Close()) }()
	f, err := os.Create(filepath.Join(l.o.profile, "night-"+name+".pprof"))
	if err != nil {
		return fmt.Errorf("keep profile: %w", err)
	}
	_, err = io.Copy(f, r.Body)
	return errors.Join(err, f.Close())
}

// healthOf gives the address at which a node tells of itself.
func healthOf(ctx context.Context, l *lab, dataDir string) (string, error) {
	for _, n := range l.centre.Nodes {
		if n.Data != dataDir {
			continue
		}
		var s struct {
			Health string `json:"health"`
		}
		r, err := n.Run(ctx, "status")
		if err == nil {
			err = r.Read(&s)
		}
		if err == nil && s.Health == "" {
			err = errors.New("the node names no address for health")
		}
		return s.Health, err
	}
	return "", errors.New("no such node")
}

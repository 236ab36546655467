package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"unionsync/internal/proc"
)

// plain measures the same changes through hashicorp/raft into Badger, on three processes of
// this program.
func (l *lab) plain(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ports, err := proc.FreePorts(nodes)
	if err != nil {
		return err
	}
	var peers []string
	for i, p := range ports {
		peers = append(peers, fmt.Sprintf("p%d=%s", i+1, p))
	}
	l.say("the same changes through raft into Badger")
	var all []*proc.Process
	seen := newMemory()
	defer func() {
		for _, p := range all {
			err = errors.Join(err, p.Kill())
		}
	}()
	for i := nodes; i >= 1; i-- { // the first feeds: it comes last
		id := fmt.Sprintf("p%d", i)
		p, err := proc.Start(id, "", self, plainWord, "-id", id, "-dir", filepath.Join(l.dir, id),
			"-peers", strings.Join(peers, ","), "-file", l.requestFile())
		if err != nil {
			return err
		}
		all = append(all, p)
		seen.add(id, p.PID())
		if _, err := p.Line(ctx, is("ready")); err != nil {
			return err
		}
	}
	began := time.Now()
	for _, p := range all {
		if _, err := p.Line(ctx, is("end")); err != nil {
			return err
		}
	}
	took := time.Since(began)
	l.say("it took %v; processor time a record: %s; %s", took, seen.costs(l.city.records), seen)
	return l.print("city_plain", float64(l.city.records)/took.Seconds(), "records/s")
}

func is(want string) func(string) bool { return func(line string) bool { return line == want } }

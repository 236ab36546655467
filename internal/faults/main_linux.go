package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/netspace"
)

// insideName is set in the environment of the process that has the namespaces for itself.
const insideName = "UNIONSYNC_FAULTS_INSIDE"

// errPromise says that a promise was broken. Which one has been printed.
var errPromise = errors.New("the centre did not keep what it promises")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status, err := start(ctx)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "faults:", err)
		status = 1
	}
	os.Exit(status)
}

// settings are those of one run.
type settings struct {
	seed     uint64
	duration time.Duration
	only     []string
	skip     bool   // end well where the machine cannot do it
	keep     bool   // leave logs and stores
	dir      string // for disks and logs
}

func start(ctx context.Context) (int, error) {
	s, err := parse(os.Args[1:], os.Getenv)
	if err != nil {
		return 1, err
	}
	if os.Getenv(insideName) == "" {
		if why := missing(); why != "" && s.skip {
			fmt.Fprintln(os.Stderr, "faults: skipped, nothing was tested:", why)
			return 0, nil
		} else if why != "" {
			return 1, errors.New(why)
		}
	}
	status, done, err := netspace.Enclose(ctx, insideName, true)
	if done || err != nil {
		return status, err
	}
	return 0, run(ctx, s, os.Stdout, os.Stderr)
}

func parse(args []string, env func(string) string) (settings, error) {
	s := settings{seed: uint64(time.Now().UnixNano()), duration: time.Hour}
	if _, err := os.Stat("/dev/shm"); err == nil {
		s.dir = "/dev/shm" // a disk in memory: other work on the machine is left alone
	}
	var err error
	if v := env("SEED"); v != "" {
		if s.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			return s, fmt.Errorf("SEED: %w", err)
		}
	}
	if v := env("DURATION"); v != "" {
		if s.duration, err = time.ParseDuration(v); err != nil {
			return s, fmt.Errorf("DURATION: %w", err)
		}
	}
	f := flag.NewFlagSet("faults", flag.ContinueOnError)
	only := f.String("only", env("ONLY"), "only these `faults`, separated by commas")
	f.BoolVar(&s.skip, "skip", false, "end well, and say so, where the machine cannot do it")
	f.BoolVar(&s.keep, "keep", false, "leave logs and disks behind")
	f.StringVar(&s.dir, "dir", s.dir, "`folder` for disks and logs")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	return s, nil
}

// missing says what the machine lacks; "" for nothing.
func missing() string {
	if os.Geteuid() != 0 {
		return "it needs root, for namespaces and mounts"
	}
	for _, name := range []string{"/dev/net/tun", "/dev/loop-control"} {
		if _, err := os.Stat(name); err != nil {
			return "it needs " + name
		}
	}
	for _, name := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(name); err != nil {
			return "it needs the command " + name
		}
	}
	return ""
}

// run is the program inside its namespaces.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp(s.dir, "unionsync-faults-")
	if err != nil {
		return fmt.Errorf("make the temporary folder: %w", err)
	}
	fmt.Fprintf(stderr, "SEED=%d, in %s\n", s.seed, dir)
	var rooms errgroup.Group
	net, all, err := newHub(&rooms, nodes, s.seed)
	if err != nil {
		return err
	}
	g, inner := errgroup.WithContext(context.WithoutCancel(ctx))
	inner, end := context.WithCancel(inner)
	g.Go(func() error { return net.run(inner) })
	g.Go(func() (err error) {
		defer end()
		l, err := newLab(ctx, dir, net, all, true, stderr)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.close(s.keep)) }()
		return l.test(ctx, s, stdout)
	})
	err = g.Wait()
	for _, r := range all {
		r.Close()
	}
	return errors.Join(err, rooms.Wait())
}

// test is one run: a city is made, agents work in it while the nemesis does its own, and in
// the end all is looked at.
func (l *lab) test(ctx context.Context, s settings, stdout io.Writer) error {
	if err := l.create(ctx); err != nil {
		return err
	}
	crew, err := l.enrol(ctx, s.seed)
	if err != nil {
		return err
	}
	n := &nemesis{lab: l, dice: rand.New(rand.NewPCG(s.seed, 0)), only: s.only}
	l.say("the city is there")
	work, stop := context.WithCancel(ctx)
	g, work := errgroup.WithContext(work)
	for _, w := range crew {
		g.Go(func() error { return w.run(work) })
	}
	g.Go(func() error {
		defer stop()
		return n.run(work, l.history.now()+s.duration, true)
	})
	err = g.Wait()
	stop()
	if err != nil {
		return l.withTails(err)
	}
	return l.report(context.WithoutCancel(ctx), n, crew, stdout)
}

// worker is an agent of the test.
type worker interface {
	run(context.Context) error
	settle(context.Context) error
}

// enrol makes the agents.
func (l *lab) enrol(ctx context.Context, seed uint64) ([]worker, error) {
	var crew []worker
	var urls []string
	for _, n := range l.nodes {
		urls = append(urls, n.URL())
	}
	for i := range unions {
		code, err := l.nodes[0].Code(ctx, unionCode(i))
		if err != nil {
			return nil, err
		}
		c, err := newClerk(l.history, l.dir, unionCode(i), seed+uint64(i))
		if err == nil {
			err = c.enrol(ctx, urls[i%len(urls)], code, 1+1000*i)
		}
		if err != nil {
			return nil, err
		}
		if code, err = l.nodes[0].Code(ctx, unionCode(i)); err != nil {
			return nil, err
		}
		p, err := newProbe(ctx, l.history, urls, code, seed+uint64(i))
		if err != nil {
			return nil, err
		}
		crew = append(crew, c, p)
	}
	return crew, nil
}

// settlePatience is how long agents may take in the end to deliver what they have.
const settlePatience = 2 * time.Minute

// report heals all, lets agents and nodes come to rest, and prints what was found.
func (l *lab) report(ctx context.Context, n *nemesis, crew []worker, stdout io.Writer) error {
	l.say("all is healed; agents deliver what they have")
	l.net.set(nil)
	if err := l.whole(ctx, false); err != nil {
		return l.withTails(err)
	}
	wait, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	var g errgroup.Group
	for _, w := range crew {
		g.Go(func() error { return w.settle(wait) })
	}
	settled := g.Wait()
	v, err := l.judged(ctx)
	if err != nil {
		return l.withTails(errors.Join(settled, err))
	}
	words := append(l.history.violations(checkPatience), v.words...)
	if settled != nil {
		words = append(words, settled.Error())
	}
	for _, w := range words {
		l.say("BROKEN %s", w)
	}
	fmt.Fprintf(stdout, "faults %d n\nfaults_receipts %d n\nfaults_looks %d n\nfaults_receipts_broken %d n\nfaults_violations %d n\nfaults_unequal %d n\nfaults_worst_gap %.1f s\n",
		n.count, l.history.receipts, l.history.reads, v.broken, len(words)-v.broken-v.unequal, v.unequal, n.worst.Seconds())
	if n.worst > allowedGap {
		l.say("a gap was longer than %s: on a machine that is busy with other things that says little", allowedGap)
	}
	if len(words) > 0 {
		return errPromise
	}
	return nil
}

// withTails adds the nodes' last words to an error.
func (l *lab) withTails(err error) error {
	for _, n := range l.nodes {
		l.say("%s:\n%s", n.ID, n.Tail(40))
	}
	return err
}

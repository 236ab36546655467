package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/seal"
	"unionsync/server/archive"
	"unionsync/server/census"
	"unionsync/server/cluster"
	"unionsync/server/ledger"
	"unionsync/server/trust"
)

// archiveDir is the scratch space of drills.
const archiveDir = "archive"

// bounds of the settings of the archive.
const (
	minKeep   = 2 // with one, every backup would go before the next is known to be good
	maxKeep   = 1000
	maxStream = time.Minute
)

// policy reads the settings of the archive; zero values are its defaults.
func (c *Config) policy() (p archive.Policy, err error) {
	for _, text := range strings.Fields(c.BackupAt) {
		t, err := time.Parse("15:04", text)
		if err != nil {
			return p, errors.New("backup_at: want times as 01:30")
		}
		p.At = append(p.At, t.Hour()*60+t.Minute())
	}
	if c.BackupKeep != "" {
		if p.Keep, err = strconv.Atoi(c.BackupKeep); err != nil || p.Keep < minKeep || p.Keep > maxKeep {
			return p, fmt.Errorf("backup_keep: want a number from %d to %d", minKeep, maxKeep)
		}
	}
	if c.BackupStream != "" {
		if p.Stream, err = time.ParseDuration(c.BackupStream); err != nil || p.Stream < time.Second || p.Stream > maxStream {
			return p, errors.New("backup_stream: want a time from 1s to 1m")
		}
	}
	switch c.BackupDrill {
	case "":
	case "never":
		p.Drill = -1
	default:
		if p.Drill, err = ParseDuration(c.BackupDrill); err != nil {
			return p, errors.New("backup_drill: want a time as 7d, or never")
		}
	}
	if i := slices.IndexFunc(c.recipients(), func(r string) bool { return !seal.IsRecipient(r) }); i >= 0 {
		return p, fmt.Errorf("backup_recipients: number %d is no age recipient", i+1)
	}
	return p, nil
}

func (c *Config) recipients() []string { return strings.Fields(c.BackupRecipients) }

// openArchive makes the keeper of the archive, if a target is configured. The target itself
// is not touched: a node serves also while it cannot be reached, and says so.
func (n *Node) openArchive() error {
	c := n.opt.Config
	if c.Backup == "" {
		return nil
	}
	policy, err := c.policy()
	if err != nil {
		return badConfig(configFile, err)
	}
	w, err := writerFor(n.trust, c, n.opt.env())
	if err != nil {
		return err
	}
	dir := filepath.Join(n.opt.Dir, archiveDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	n.keeper = archive.NewKeeper(archive.Config{
		Writer: w, Ledger: n.ledger, Log: streamable{n.cluster}, Policy: policy, Dir: dir,
		Rand: n.opt.World.Rand, Now: n.opt.World.Now, Logger: n.opt.Log, Version: n.opt.Version,
		// Members are not counted: a second census would double the memory of the node.
	})
	return nil
}

func (o *Options) env() func(string) string {
	if o.Env == nil {
		return os.Getenv
	}
	return o.Env
}

// writerFor opens a node's way to the archive target.
func writerFor(t *trust.Node, c *Config, env func(string) string) (*archive.Writer, error) {
	target, err := archive.OpenTarget(c.Backup, env)
	if err != nil {
		return nil, err
	}
	return archive.NewWriter(target, archiveKeys(t.City), t.Own, t.City.Sealed(), c.recipients()...)
}

func archiveKeys(city *trust.City) archive.Keys {
	return archive.Keys{CA: city.Certificate(), City: city.ArchiveKey()}
}

// Archive is how the archive stands, as this node sees it; nil if no target is configured.
func (n *Node) Archive() *archive.Status {
	if n.keeper == nil {
		return nil
	}
	s := n.keeper.Status()
	return &s
}

// quiet is for what a person sees the end of.
var quiet = slog.New(slog.DiscardHandler)

// streamable is the cluster as the archive sees it.
type streamable struct{ *cluster.Node }

var _ archive.Log = streamable{}

// Entries implements archive.Log.
func (s streamable) Entries(after, to uint64, do func(uint64, []byte) error) error {
	err := s.Node.Entries(after, to, do)
	if errors.Is(err, cluster.ErrCompacted) {
		return fmt.Errorf("%w: %w", archive.ErrGone, err)
	}
	return err
}

// Propose implements archive.Log.
func (s streamable) Propose(ctx context.Context, entry []byte) error {
	res, _, err := s.Node.Propose(ctx, entry)
	if refused, ok := res.(error); ok && err == nil {
		return refused
	}
	return err
}

// countMembers counts the members that a state at rest holds, on the newest day that it
// knows. It is what says to a person whether the right thing was put back.
func countMembers(l *ledger.Ledger, personKey *[32]byte) (members int, err error) {
	if !l.Ready() {
		return 0, nil
	}
	c, err := census.New(census.Config{Source: source{l}, Kinds: l.Kinds(), Key: personKey[:], Log: quiet})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ended(gctx, "census", c.Run(gctx)) })
	group.Go(func() error {
		defer cancel()
		if err := c.WaitFor(gctx, 0); err != nil {
			return nil // the census itself has failed and says why
		}
		a, err := c.Count(census.Query{Day: census.DayAt(l.Time()), Now: l.Time()})
		members = a.Total.Members
		return err
	})
	return members, group.Wait()
}

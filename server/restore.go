package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"unionsync/server/archive"
	"unionsync/server/cluster"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Restoring says what a centre is restored from, and how.
type Restoring struct {
	From       string // address of the archive target
	ClusterKey string // path of the cluster key
	Backup     string // the backup to begin with; "": the newest that can be used
	NoLog      bool   // leave out what was streamed behind it
	AcceptLoss bool   // also when changes are lost that a backup once had, or when the log is damaged
	Survivor   string // folder of a node that was stopped and is not damaged; "": none
	Operator   string // who does it; default: the node
	Reason     string // why
	Step       func(what string, done int64)
}

// Restored says what a restore has made. Its JSON form is stable.
type Restored struct {
	Made

	Backup     string             `json:"backup"` // that it began with; empty: a surviving node had more
	Position   syncproto.Position `json:"position"`
	Time       int64              `json:"time"` // of the centre at that position: what came later is with the agents
	Log        archive.LogEnd     `json:"log"`
	Survivor   int                `json:"survivor"` // entries that a surviving node gave
	Tally      ledger.Tally       `json:"tally"`
	Digest     string             `json:"digest"` // over what the archive gave, before the new generation; empty: a surviving node had more
	Generation uint16             `json:"generation"`
	Base       syncproto.Position `json:"base"`

	Unusable []archive.Problem    `json:"unusable"` // newer backups that could not be used
	LogFault syncproto.Code       `json:"log_fault,omitempty"`
	Lost     []syncproto.Position `json:"lost"` // watermarks that were accepted as lost
}

// Restore makes the first node of a restored centre in dir, which must be empty: the newest
// usable backup, what was streamed behind it, and what a surviving node has; then a new
// generation above every one ever written, which the archive gets first, and a new raft log
// that begins with this state. It serves when it is started; other nodes join it. The
// configuration is written last and is the commit point: what is left by a crash before it
// does not run, and after an error nothing is left.
func Restore(ctx context.Context, dir string, c Config, how Restoring, w World, env func(string) string) (*Restored, error) {
	c.Founder = false
	if c.Backup == "" {
		c.Backup = how.From // the restored centre goes on with the same archive
	}
	if err := c.Validate(); err != nil {
		return nil, badConfig(configFile, err)
	}
	if err := empty(dir); err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, VaultAt{From: how.From, ClusterKey: how.ClusterKey}, env)
	if err != nil {
		return nil, err
	}
	r := &restore{dir: dir, c: &c, how: how, w: w, v: v, env: env, out: &Restored{Unusable: []archive.Problem{}, Lost: []syncproto.Position{}}}
	if err := r.run(ctx); err != nil {
		return nil, errors.Join(err, r.undo())
	}
	return r.out, nil
}

// empty checks that there is nothing in a folder, or none.
func empty(dir string) error {
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if len(found) > 0 {
		return syncproto.Fail(syncproto.CodeRestoreFolder, "restore", nil, "dir", dir)
	}
	return nil
}

// restore is one restore at work.
type restore struct {
	dir string
	c   *Config
	how Restoring
	w   World
	v   *Vault
	env func(string) string

	ledger *ledger.Ledger
	lives  []*entrypb.Generation // on the target
	node   *trust.Node
	out    *Restored
}

func (r *restore) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		r.rebuild, r.survive, r.check, r.identify, r.begin, r.seed, r.finish,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// undo takes away what was made in the folder, which was empty.
func (r *restore) undo() error {
	var errs []error
	if r.ledger != nil {
		errs = append(errs, r.ledger.Close())
	}
	found, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, f := range found {
		errs = append(errs, os.RemoveAll(filepath.Join(r.dir, f.Name())))
	}
	return errors.Join(errs...)
}

// rebuild puts backup and log back.
func (r *restore) rebuild(ctx context.Context) error {
	b, problems, err := r.v.rebuild(ctx, r.how.Backup, r.ledgerConfig(),
		archive.Rebuilding{WithLog: !r.how.NoLog, CutLog: r.how.AcceptLoss, Step: r.how.Step})
	if err != nil {
		return err
	}
	r.ledger = b.Ledger
	r.out.Unusable = append(r.out.Unusable, problems...)
	r.out.Backup, r.out.Log = b.Manifest.Name, b.Log
	if b.LogErr != nil {
		r.out.LogFault = syncproto.CodeOf(b.LogErr)
	}
	r.out.Tally, r.out.Digest = b.Tally, b.Digest
	r.lives, err = r.v.Lives(ctx)
	return err
}

func (r *restore) ledgerConfig() ledger.Config {
	return ledger.Config{Dir: filepath.Join(r.dir, ledgerDir), Key: r.v.City.StoreKey(r.c.ID), Log: quiet}
}

// check refuses to lose what a backup once had, and a name that a node of the city has had:
// what that node signed is checked with the certificate that stands under its name.
func (r *restore) check(ctx context.Context) error {
	n, err := r.ledger.Node(r.c.ID)
	if err != nil {
		return err
	}
	if n != nil {
		return syncproto.Fail(syncproto.CodeNodeExists, "restore", nil, "node", r.c.ID)
	}
	marks, err := r.v.Marks(ctx)
	if err != nil && !r.how.AcceptLoss {
		return err
	}
	at := r.ledger.Whole()
	lives, err := r.lineage()
	if err != nil {
		return err
	}
	lost := archive.Lost(append(marks, at.Watermark), at.Head, lives)
	if len(lost) > 0 && !r.how.AcceptLoss {
		return syncproto.Fail(syncproto.CodeRestoreLoss, "restore", nil, "position", at.Head.String(), "watermark", slices.Max(lost).String())
	}
	r.out.Position, r.out.Time, r.out.Lost = at.Head, at.Time, append(r.out.Lost, lost...)
	return nil
}

// lineage is every life that the state or the archive knows.
func (r *restore) lineage() (syncproto.Lineage, error) {
	lives, err := r.ledger.Lineage()
	if err != nil {
		return nil, err
	}
	for _, e := range r.lives {
		lives, _ = lives.With(ledger.Generation(e))
	}
	return lives, nil
}

// identify makes the node's identity, certified with the city's own key.
func (r *restore) identify(context.Context) error {
	if err := copyKey(r.dir, r.how.ClusterKey); err != nil {
		return err
	}
	j, err := trust.BeginJoin(r.dir, r.w.Rand)
	if err != nil {
		return err
	}
	cert, err := r.v.City.SignNode(j.Public(), r.c.ID, r.c.hosts(), r.w.Now())
	if err != nil {
		return err
	}
	r.node, err = j.Finish(r.v.City.Sealed(), cert.Raw, r.w.Rand)
	return err
}

// begin begins the new generation: on the target first, so that no later restore gives its
// number again, whatever becomes of this one.
func (r *restore) begin(ctx context.Context) error {
	e, err := r.entry()
	if err != nil {
		return err
	}
	w, err := archive.NewWriter(r.v.Target(), archiveKeys(r.v.City), r.node.Own, r.v.City.Sealed(), r.c.recipients()...)
	if err != nil {
		return err
	}
	if err := w.KeepLives(ctx, e.GetNext()); err != nil {
		return err
	}
	lives, err := r.lineage()
	if err != nil {
		return err
	}
	if len(r.out.Lost) > 0 {
		if err := w.LowerMarks(ctx, r.out.Position, lives); err != nil {
			return err
		}
	}
	b, err := ledger.Entry(e)
	if err != nil {
		return err
	}
	res, err := r.ledger.Apply(r.ledger.Applied()+1, b)
	if refused, ok := res.(error); ok && err == nil {
		err = refused
	}
	r.out.Generation, r.out.Base = uint16(e.GetNext().GetNumber()), syncproto.Position(e.GetNext().GetBase())
	return err
}

// entry makes the entry of the new generation, with those that the archive knows and the
// state does not.
func (r *restore) entry() (*entrypb.NewGeneration, error) {
	own, err := r.ledger.Lineage()
	if err != nil {
		return nil, err
	}
	all, err := r.lineage()
	if err != nil {
		return nil, err
	}
	random := make([]byte, 8)
	if _, err := io.ReadFull(r.w.Rand, random); err != nil {
		return nil, fmt.Errorf("begin generation: %w", err)
	}
	if all.Newest().Number == math.MaxUint16 {
		return nil, errors.New("begin generation: no number is left")
	}
	g := syncproto.Generation{
		Number: all.Newest().Number + 1, Random: binary.BigEndian.Uint64(random), Base: own.Certain(r.out.Position, all),
		Operator: orElse(r.how.Operator, r.c.ID), Reason: orElse(r.how.Reason, "restored"),
	}
	n := &entrypb.NewGeneration{Time: max(r.w.Now().Unix(), r.ledger.Time()), Next: &entrypb.Generation{
		Number: uint32(g.Number), Random: g.Random, Base: uint64(g.Base), Operator: g.Operator, Reason: g.Reason,
		Signature: r.v.City.Sign(syncproto.DomainGeneration, g.Message()),
	}}
	for _, e := range r.lives {
		if _, known := own.Find(uint16(e.GetNumber()), e.GetRandom()); !known {
			n.Learned = append(n.Learned, e)
		}
	}
	return n, nil
}

func orElse(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// seed begins a raft log of its own with the state: its indexes have nothing to do with those
// of the log that the backup comes from.
func (r *restore) seed(context.Context) error {
	id := make([]byte, 16)
	if _, err := io.ReadFull(r.w.Rand, id); err != nil {
		return fmt.Errorf("draw log id: %w", err)
	}
	if err := r.ledger.BeginLog(id, cluster.SeedIndex); err != nil {
		return err
	}
	return cluster.Seed(cluster.Config{
		Dir: filepath.Join(r.dir, raftDir), Listen: r.c.Raft, Own: r.node.Own, DataKey: r.v.City.DataKey(), Rand: r.w.Rand, Log: quiet,
	}, orElse(r.c.RaftAdvertise, r.c.Raft), machine{r.ledger})
}

func (r *restore) finish(context.Context) error {
	err := r.ledger.Close()
	r.ledger = nil
	if err != nil {
		return err
	}
	m, err := made(r.dir, r.c, r.node) // commit point
	if err != nil {
		return err
	}
	r.out.Made = *m
	return nil
}

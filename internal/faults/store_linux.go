package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"unionsync/internal/proc"
	"unionsync/server/ledger"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// store is a node's ledger, opened while its node does not run.
type store struct{ *ledger.Ledger }

// openStore opens the ledger in a node's folder.
func openStore(dir string) (store, error) {
	own, err := trust.Open(dir, rand.Reader)
	if err != nil {
		return store{}, err
	}
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger"), Key: own.City.StoreKey(own.ID()), Log: slog.New(slog.DiscardHandler)})
	return store{l}, err
}

// Find implements state.
func (s store) Find(union string, j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Position, bool, error) {
	v := s.View(union)
	defer v.Done()
	_, verdict, ok, err := v.Find(j, seq, hash)
	return verdict.Position, ok, err
}

// Each implements state.
func (s store) Each(do func(j syncproto.JournalID, seq uint64) error) error {
	_, err := s.Log(0, func(i *ledger.LogItem) error { return do(i.Place.Journal, i.Place.Seq) })
	return err
}

// sum is how far a state is, and a hash of every key and value of it.
func (s store) sum() (applied uint64, sum string, err error) {
	snap, err := s.Snapshot()
	if err != nil {
		return 0, "", err
	}
	defer snap.Release()
	h := sha256.New()
	if err := snap.Stream(h); err != nil {
		return 0, "", err
	}
	return s.Applied(), hex.EncodeToString(h.Sum(nil)), nil
}

// verdict is what the nodes' stores say in the end.
type verdict struct {
	broken  int // receipts, the most that one node broke
	unequal int // nodes whose state is unlike the first one's
	words   []string
}

// judge opens the stores of nodes that do not run. again says that they were not equally far:
// then they have to run once more.
func (h *history) judge(names, dirs []string) (v verdict, again bool, err error) {
	var first string
	var at uint64
	for i, dir := range dirs {
		applied, sum, broken, words, err := h.judgeOne(names[i], dir)
		if err != nil {
			return v, false, fmt.Errorf("%s: %w", names[i], err)
		}
		switch {
		case i == 0:
			first, at = sum, applied
		case applied != at:
			return v, true, nil
		case sum != first:
			v.unequal++
			words = append(words, fmt.Sprintf("the states of %s and %s differ at %d", names[0], names[i], at))
		}
		v.broken = max(v.broken, broken)
		v.words = append(v.words, words...)
	}
	return v, false, nil
}

func (h *history) judgeOne(name, dir string) (applied uint64, sum string, broken int, words []string, err error) {
	s, err := openStore(dir)
	if err != nil {
		return 0, "", 0, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if applied, sum, err = s.sum(); err != nil {
		return 0, "", 0, nil, err
	}
	broken, words, err = h.honoured(name, s)
	return applied, sum, broken, words, err
}

// quiet is for how long nothing may have moved before the nodes are taken to be equally far.
const quiet = 3 * time.Second

// judged lets the nodes come to rest, kills them and judges them; where one was not as far
// as the others, which a kill cannot tell beforehand, it is done again.
func (l *lab) judged(ctx context.Context) (v verdict, err error) {
	for range 8 {
		if err := l.whole(ctx, false); err != nil {
			return v, err
		}
		if err := l.rest(ctx); err != nil {
			return v, err
		}
		var names, dirs []string
		for _, n := range l.nodes {
			if err := n.kill(); err != nil {
				return v, err
			}
			names, dirs = append(names, n.ID), append(dirs, n.Data)
		}
		v, again, err := l.history.judge(names, dirs)
		if err != nil || !again {
			return v, err
		}
	}
	return v, errors.New("the nodes are never equally far")
}

// rest waits until all nodes have applied the same, and nothing more comes for a while.
func (l *lab) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*readyPatience)
	defer cancel()
	var at uint64
	since := time.Now()
	return proc.Poll(ctx, "nodes at rest", func() error {
		for _, n := range l.nodes {
			s, err := n.admin.Status(ctx)
			if err != nil {
				return err
			}
			if s.Applied != at {
				at, since = s.Applied, time.Now()
				return fmt.Errorf("%s is at %d", n.ID, at)
			}
		}
		if time.Since(since) < quiet {
			return io.ErrNoProgress
		}
		return nil
	})
}

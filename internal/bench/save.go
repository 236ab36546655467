package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
)

const (
	unionMembers = 111 // of the average union
	savesPerRun  = 200
	quickSaves   = 5
)

// benchSave edits one field of one member at a time in the average union and times each
// save: rules, journal with fsync, store.
func benchSave(ctx context.Context, e *env) (values, error) {
	var took samples
	for run := range e.o.runs {
		if err := saveSome(ctx, e, uint64(run), &took); err != nil {
			return nil, err
		}
	}
	e.say("%d saves", len(took))
	return values{"save_p50": took.percentile(50), "save_p99": took.percentile(99)}, nil
}

func saveSome(ctx context.Context, e *env, seed uint64, took *samples) (err error) {
	u, err := uniontest.Create(e.folder("save"), "330784-00001", union.Options{Actor: "bench"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	members, err := newMembers(ctx, u, seed, unionMembers)
	if err != nil {
		return err
	}
	for i := range e.pick(savesPerRun, quickSaves) {
		d := union.Draft{Kind: "member", ID: members[i%len(members)], Text: map[string]string{"mobile": phone(i)}}
		began := time.Now()
		if _, err := u.Save(ctx, d); err != nil {
			return err
		}
		took.took(time.Since(began), time.Microsecond)
	}
	return nil
}

func phone(i int) string { return fmt.Sprintf("137%08d", i) }

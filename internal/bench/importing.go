package main

import (
	"context"
	"errors"
	"time"

	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
)

const (
	importRows  = 10_000
	quickRows   = 200
	importSeed  = 11
	importUnion = "330784-00001"
)

// benchImport imports a roster of 10,000 rows from an xlsx file into an empty union: read,
// plan, rules, and a member with a joining event for each row in journal and store.
func benchImport(ctx context.Context, e *env) (values, error) {
	rows := e.pick(importRows, quickRows)
	file, err := rosterFile(importSeed, rows)
	if err != nil {
		return nil, err
	}
	var rate samples
	for range e.o.runs {
		took, err := importOnce(ctx, e, file, rows)
		if err != nil {
			return nil, err
		}
		rate.add(float64(rows) / took.Seconds())
		e.say("%d rows in %v", rows, took.Round(time.Millisecond))
	}
	return values{"import": rate.median()}, nil
}

func importOnce(ctx context.Context, e *env, file []byte, rows int) (took time.Duration, err error) {
	u, err := uniontest.Create(e.folder("import"), importUnion, union.Options{Actor: "bench"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	began := time.Now()
	err = importRoster(ctx, u, file, rows)
	return time.Since(began), err
}

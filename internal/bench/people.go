package main

import (
	"bytes"
	"context"
	"fmt"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/testcity"
	"unionsync/syncproto"
)

// lastDay is the last day on which anything happens in what is invented here: before any
// day on which this can run.
const lastDay = "2025-12-31"

// rosterFile is a roster as a clerk has it, an xlsx file; equal seeds give equal people.
func rosterFile(seed uint64, rows int) ([]byte, error) {
	city := testcity.New(seed, testcity.Options{Counties: 1, Unions: 1, Members: 2 * rows, Today: lastDay})
	roster := city.Rosters[0]
	if len(roster.Rows) < rows {
		return nil, fmt.Errorf("invent a roster: %d rows, want %d", len(roster.Rows), rows)
	}
	roster.Rows = roster.Rows[:rows]
	return testcity.Encode(roster.Table(), testcity.XLSX)
}

// importRoster imports a roster all of whose rows are new members.
func importRoster(ctx context.Context, u *union.Union, file []byte, rows int) error {
	im, err := agent.ImportOptions{Apply: true}.Run(ctx, u, bytes.NewReader(file), int64(len(file)))
	if err == nil && im.New != rows {
		err = fmt.Errorf("import: %d of %d rows are new members", im.New, rows)
	}
	return err
}

// newMembers imports an invented roster and gives the members' ids.
func newMembers(ctx context.Context, u *union.Union, seed uint64, count int) (ids []syncproto.RecordID, err error) {
	file, err := rosterFile(seed, count)
	if err != nil {
		return nil, err
	}
	if err := importRoster(ctx, u, file, count); err != nil {
		return nil, err
	}
	err = u.Each(ctx, union.Query{Kind: "member"}, func(r union.Row) error {
		ids = append(ids, r.ID)
		return nil
	})
	return ids, err
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/testcity"
	"unionsync/server/census"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Size of the city that is counted, and how often.
const (
	countUnions   = 1000
	countMembers  = 111 // of a union, on average
	countRepeats  = 101
	quickUnions   = 20
	countSeed     = 7
	countPatience = 2 * time.Minute
)

// benchCount counts the members of a city by county and sex as of a day.
func benchCount(ctx context.Context, e *env) (values, error) {
	unions, repeats := e.pick(countUnions, quickUnions), e.pick(countRepeats, quickRuns)
	city := testcity.New(countSeed, testcity.Options{Unions: unions, Members: countMembers, Today: lastDay})
	source := &citySource{city: city}
	c, err := census.New(census.Config{
		Source: source, Kinds: kind.Embedded(), Key: []byte("a key of an invented city, 32 bytes"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return follow(ctx, c) })
	var took samples
	g.Go(func() (err error) {
		defer cancel() // ends the census too
		took, err = counted(ctx, c, city, repeats)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	e.say("%d members' records in %d unions counted %d times", source.members, unions, repeats)
	return values{"count_111k": took.median()}, nil
}

// follow lets the census work until it is told to stop.
func follow(ctx context.Context, c *census.Census) error {
	if err := c.Run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("follow the records: %w", err)
	}
	return nil
}

func counted(ctx context.Context, c *census.Census, city *testcity.City, repeats int) (took samples, err error) {
	if err := c.WaitFor(ctx, sourceHead); err != nil {
		return nil, fmt.Errorf("read the city: %w", err)
	}
	day, err := census.ParseDay(lastDay)
	if err != nil {
		return nil, err
	}
	q := census.Query{Day: day, By: []census.Dimension{census.ByCounty, census.BySex}}
	var answer census.Answer
	for range repeats {
		began := time.Now()
		if answer, err = c.Count(q); err != nil {
			return nil, err
		}
		took.took(time.Since(began), time.Millisecond)
	}
	return took, recounted(answer, city)
}

// recounted compares with an independent recount: how fast a wrong number comes is no figure.
func recounted(answer census.Answer, city *testcity.City) error {
	want := city.Recount(lastDay, nil, testcity.Dims["county"], testcity.Dims["sex"])
	for _, row := range answer.Rows {
		group := row.Keys[0].Code + " " + row.Keys[1].Code
		if row.Members != want[group] {
			return fmt.Errorf("the count of %q is %d, an independent recount says %d", group, row.Members, want[group])
		}
		delete(want, group)
	}
	for group, n := range want {
		if n > 0 {
			return fmt.Errorf("the count leaves out %q, of whom there are %d", group, n)
		}
	}
	return nil
}

// sourceHead is the only position of a [citySource].
var sourceHead = syncproto.MakePosition(1, 1)

// citySource gives the records of an invented city as the ledger would.
type citySource struct {
	city    *testcity.City
	members int // records of members given
}

var _ census.Source = (*citySource)(nil)

// Scan implements [census.Source].
func (s *citySource) Scan(_ []syncproto.KindNumber, do census.Do) (syncproto.Position, error) {
	for _, u := range s.city.Units {
		grassroots := "0"
		if u.Level == "union" {
			grassroots = "1"
		}
		key, r := plainRecord("org-unit", u.Code, map[string]string{"code": u.Code, "name": u.Name, "level": u.Level,
			"parent": u.Parent, "county": u.County, "grassroots": grassroots, "founded": u.Founded})
		if err := do(syncproto.CityUnion, key, r); err != nil {
			return 0, err
		}
	}
	for _, roster := range s.city.Rosters {
		for _, row := range roster.Rows {
			if err := s.member(roster.Union, row, do); err != nil {
				return 0, err
			}
		}
	}
	for i, ev := range s.city.Events {
		err := s.event(ev.Union, fmt.Sprint("later ", i), ev.ID, ev.Type, ev.Date, ev.Destination, do)
		if err != nil {
			return 0, err
		}
	}
	return sourceHead, nil
}

func (s *citySource) member(union string, row testcity.Row, do census.Do) error {
	migrant := "0"
	if row.Migrant {
		migrant = "1"
	}
	key, r := plainRecord("member", union+row.ID, map[string]string{"name": row.Name, "id_type": "111", "id_no": row.ID,
		"sex": row.Sex, "birth": row.Birth, "ethnic": row.Ethnic, "education": row.Education, "mobile": row.Phone,
		"migrant": migrant, "employer": row.Employer, "new_form": row.NewForm})
	if err := do(union, key, r); err != nil {
		return err
	}
	s.members++
	return s.event(union, "joining", row.ID, "1", row.Joined, "", do)
}

func (s *citySource) event(union, name, person, what, day, destination string, do census.Do) error {
	id := syncproto.HashedID("member", union+person)
	key, r := plainRecord("membership-event", union+name+person, map[string]string{
		"member": string(id[:]), "type": what, "date": day, "destination": destination})
	return do(union, key, r)
}

// Since implements [census.Source]: nothing ever changes.
func (s *citySource) Since(syncproto.Position, []syncproto.KindNumber, census.Do) (syncproto.Position, error) {
	return sourceHead, nil
}

// Wait implements [census.Source].
func (s *citySource) Wait(ctx context.Context, _ syncproto.Position) error {
	<-ctx.Done()
	return ctx.Err()
}

// plainRecord is a record with values nobody contests, in the order of field numbers.
func plainRecord(kindName, name string, fields map[string]string) (syncproto.RecordKey, *merge.Record) {
	k, ok := kind.Embedded().Kind(kindName)
	if !ok {
		panic("no kind " + kindName)
	}
	r := new(merge.Record)
	for _, f := range k.Fields { // in the order of numbers, as every record has them
		if v := fields[f.Name]; v != "" {
			r.Fields = append(r.Fields, merge.Field{Number: f.Number, Entries: []merge.Entry{{Value: []byte(v)}}})
		}
	}
	return syncproto.RecordKey{Kind: k.Number, ID: syncproto.HashedID(kindName, name)}, r
}

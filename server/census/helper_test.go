package census

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// plain is a record as a test writes it: fields by name. "void" and "same-as" are fields of
// every kind; a same-as, like a reference, holds the short name of another record.
type plain struct {
	kind, union, id string
	fields          map[string]string
}

func (p plain) with(pairs ...string) plain {
	p.fields = maps.Clone(p.fields)
	if p.fields == nil {
		p.fields = map[string]string{}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		p.fields[pairs[i]] = pairs[i+1]
	}
	return p
}

func aMember(union, id string, pairs ...string) plain {
	return plain{kind: "member", union: union, id: id}.with("id_type", "111").with(pairs...)
}

func anEvent(union, id, member string, what EventKind, date string, pairs ...string) plain {
	return plain{kind: "membership-event", union: union, id: id}.
		with("member", member, "type", fmt.Sprint(what), "date", date).with(pairs...)
}

func aUnit(code, county string, pairs ...string) plain {
	return plain{kind: "org-unit", union: syncproto.CityUnion, id: "unit " + code}.
		with("code", code, "county", county, "name", code+"工会", "level", "union", "grassroots", "1", "parent", "330700").with(pairs...)
}

// shortID turns a test's short name of a record into an id that orders as the name does.
func shortID(name string) (id syncproto.RecordID) {
	if len(name) > len(id) {
		return syncproto.HashedID(name)
	}
	copy(id[:], name)
	return id
}

func (p plain) key() syncproto.RecordKey {
	k, _ := kind.Embedded().Kind(p.kind)
	return syncproto.RecordKey{Kind: k.Number, ID: shortID(p.id)}
}

// record gives the record as the ledger would.
func (p plain) record() *merge.Record {
	k, _ := kind.Embedded().Kind(p.kind)
	r := new(merge.Record)
	for name, value := range p.fields {
		var n syncproto.FieldNumber
		b := []byte(value)
		switch name {
		case "void":
			n = syncproto.FieldVoid
		case "same-as":
			n = syncproto.FieldSameAs
		default:
			f, ok := k.Field(name)
			if !ok {
				panic("no field " + name + " in " + p.kind)
			}
			n = f.Number
		}
		if name == "same-as" || name == "member" {
			id := shortID(value)
			b = id[:]
		}
		if value != "" {
			r.Fields = append(r.Fields, merge.Field{Number: n, Entries: []merge.Entry{{Value: b}}})
		}
	}
	slices.SortFunc(r.Fields, func(a, b merge.Field) int { return int(a.Number) - int(b.Number) })
	return r
}

// source is a [Source] in memory. Each call of put is one position.
type source struct {
	mu      sync.Mutex
	records map[string]plain
	touched map[string]syncproto.Position
	head    syncproto.Position
	moved   chan struct{}
	fail    error
}

func newSource(records ...plain) *source {
	s := &source{records: map[string]plain{}, touched: map[string]syncproto.Position{}, head: syncproto.MakePosition(1, 100), moved: make(chan struct{})}
	for _, r := range records {
		s.records[r.union+"/"+r.kind+"/"+r.id] = r
	}
	return s
}

func (s *source) put(records ...plain) syncproto.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head++
	for _, r := range records {
		name := r.union + "/" + r.kind + "/" + r.id
		s.records[name], s.touched[name] = r, s.head
	}
	close(s.moved)
	s.moved = make(chan struct{})
	return s.head
}

func (s *source) Scan(kinds []syncproto.KindNumber, do Do) (syncproto.Position, error) {
	return s.each(kinds, do, func(string) bool { return true })
}

func (s *source) Since(after syncproto.Position, kinds []syncproto.KindNumber, do Do) (syncproto.Position, error) {
	return s.each(kinds, do, func(name string) bool { return s.touched[name] > after })
}

func (s *source) each(kinds []syncproto.KindNumber, do Do, want func(string) bool) (syncproto.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	for name, p := range s.records { // in any order, which Go sees to
		if key := p.key(); want(name) && slices.Contains(kinds, key.Kind) {
			if err := do(p.union, key, p.record()); err != nil {
				return 0, err
			}
		}
	}
	return s.head, nil
}

func (s *source) Wait(ctx context.Context, after syncproto.Position) error {
	for {
		s.mu.Lock()
		head, moved := s.head, s.moved
		s.mu.Unlock()
		if head > after {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var testKey = []byte("a key of the city, of 32 bytes!!")

func newCensus(t failer, s Source) *Census {
	t.Helper()
	c, err := New(Config{Source: s, Kinds: kind.Embedded(), Key: testKey, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// failer is what helpers need of *testing.T and *rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// stepper follows a source by hand, without goroutines.
type stepper struct {
	*Census
	people *people
	head   syncproto.Position
}

func newStepper(t failer) *stepper {
	c := newCensus(t, nil)
	s := &stepper{Census: c, people: newPeople(c.schema, c.key), head: syncproto.MakePosition(1, 0)}
	c.book = new(book)
	s.step()
	return s
}

// step puts records and makes them visible at the next position.
func (s *stepper) step(records ...plain) syncproto.Position {
	for _, p := range records {
		s.people.put(p.union, p.key(), p.record())
	}
	s.head++
	b := s.book
	b.turn(s.people.settle(int32(b.rows.len()), b.rows.row), s.people.unions.codes, s.head)
	return s.head
}

func (s *stepper) count(t failer, q Query) Answer {
	t.Helper()
	a, err := s.Count(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// numbers gives an answer's rows by their codes.
func numbers(a Answer) map[string]Numbers {
	out := map[string]Numbers{}
	for _, r := range a.Rows {
		var codes []string
		for _, k := range r.Keys {
			codes = append(codes, k.Code)
		}
		out[strings.Join(codes, "/")] = r.Numbers
	}
	return out
}

func day(s string) Day {
	d, err := ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"unionsync/internal/testcity"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// The real city: a union has 111 members on average.
const (
	cityUnions  = 12_040
	cityMembers = 1_335_900
)

const (
	seed      = 41
	lastDay   = "2025-12-31" // nothing happens later: before any day on which this can run
	savedAt   = 1_767_200_000
	smallest  = 56 // members of a union
	spread    = 111
	recordsOf = 2 // of a member: the member and the event of joining
)

// rosterSizes gives the number of members of each union: spread as in the real city's small unions, and in
// all exactly its share of the real city's.
func rosterSizes(unions int) []int {
	rng := rand.New(rand.NewPCG(seed, 1))
	left := unions * cityMembers / cityUnions
	sizes := make([]int, unions)
	for i := range sizes {
		sizes[i] = smallest + rng.IntN(spread)
		left -= sizes[i]
	}
	for i := 0; left != 0; i = (i + 1) % unions {
		step := max(-1, min(1, left))
		if sizes[i]+step > 0 {
			sizes[i], left = sizes[i]+step, left-step
		}
	}
	return sizes
}

// unionCode names a union by its number.
func unionCode(i int) string { return fmt.Sprintf("3307%02d-%05d", i%97, i) }

// writer writes the changes that a clerk's import makes: for each row of a roster a member and
// the event of joining, tied by a group.
type writer struct {
	union   string
	rng     *rand.Rand
	group   uint64
	millis  uint64 // of the newest record's id
	member  *kind.Kind
	joining *kind.Kind
	out     []*syncproto.Change
}

// changesOf invents a union of so many members and gives the changes that enter them, in order.
func changesOf(i, members int) ([]*syncproto.Change, error) {
	rows := testcity.New(seed+uint64(i), testcity.Options{
		Counties: 1, Unions: 1, Members: 2 * members, Twice: -1, Transfers: -1, Ended: -1, Today: lastDay,
	}).Rosters[0].Rows
	if len(rows) < members {
		return nil, fmt.Errorf("invent union %d: %d members, want %d", i, len(rows), members)
	}
	w := &writer{union: unionCode(i), rng: rand.New(rand.NewPCG(seed, uint64(i)+2)), millis: savedAt * 1000}
	w.group = w.rng.Uint64() | 1
	set := kind.Embedded()
	w.member, _ = set.Kind("member")
	w.joining, _ = set.Kind("membership-event")
	for k := range rows[:members] {
		if err := w.row(&rows[k]); err != nil {
			return nil, fmt.Errorf("invent union %d: %w", i, err)
		}
	}
	return w.out, nil
}

func (w *writer) row(r *testcity.Row) error {
	migrant := "0"
	if r.Migrant {
		migrant = "1"
	}
	id := w.newID()
	err := w.change(w.member, id, map[string]string{
		"name": r.Name, "id_type": "111", "id_no": r.ID, "sex": r.Sex, "birth": r.Birth, "ethnic": r.Ethnic,
		"education": r.Education, "skill": r.Skill, "mobile": r.Phone, "hukou_type": r.Hukou, "migrant": migrant,
		"employer": r.Employer, "new_form": r.NewForm, "department": r.Department, "post": r.Post,
	})
	if err != nil {
		return err
	}
	return w.change(w.joining, w.newID(), map[string]string{"member": string(id[:]), "type": "1", "date": r.Joined})
}

// change adds one save. A value that is not in its field's canonical form would be held at the
// centre.
func (w *writer) change(k *kind.Kind, id syncproto.RecordID, values map[string]string) error {
	c := &syncproto.Change{
		Union: w.union, Kind: k.Number, ID: id, KindVersion: k.Version, Actor: "clerk", Time: savedAt, Group: w.group,
	}
	for _, f := range k.Fields {
		v := []byte(values[f.Name])
		if len(v) == 0 {
			continue
		}
		if err := f.Valid(v); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		c.Edits = append(c.Edits, syncproto.Edit{Field: f.Number, Value: v})
	}
	w.out = append(w.out, c)
	return nil
}

// newID draws a UUIDv7, as an agent does.
func (w *writer) newID() (id syncproto.RecordID) {
	w.millis++
	binary.BigEndian.PutUint64(id[:8], w.millis<<16|0x7000|w.rng.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], w.rng.Uint64()>>2|1<<63)
	return id
}

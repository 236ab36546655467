package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"unionsync/internal/testcity"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

const (
	seed    = 43
	lastDay = "2025-12-31" // nothing happens later: before any day on which this can run
	savedAt = 1_767_200_000
	members = 5 // of a union, and all of them are edited
)

// unionCode names a union by its number.
func unionCode(i int) string { return fmt.Sprintf("3307%02d-%05d", i%97, i) }

// writer makes the changes of one union.
type writer struct {
	union           string
	rng             *rand.Rand
	millis          uint64 // of the newest record's id
	member, joining *kind.Kind
	ids             []syncproto.RecordID // of the members
	out             []syncproto.Change
}

// roster invents a union's members: for each a member and the event of joining, tied by a
// group, as an import makes them.
func roster(i int) (*writer, error) {
	rows := testcity.New(seed+uint64(i), testcity.Options{
		Counties: 1, Unions: 1, Members: 2 * members, Twice: -1, Transfers: -1, Ended: -1, Today: lastDay,
	}).Rosters[0].Rows
	if len(rows) < members {
		return nil, fmt.Errorf("invent union %d: %d members", i, len(rows))
	}
	w := &writer{union: unionCode(i), rng: rand.New(rand.NewPCG(seed, uint64(i))), millis: savedAt * 1000}
	w.member, _ = kind.Embedded().Kind("member")
	w.joining, _ = kind.Embedded().Kind("membership-event")
	for k := range rows[:members] {
		r := &rows[k]
		migrant := "0"
		if r.Migrant {
			migrant = "1"
		}
		id := w.newID()
		w.ids = append(w.ids, id)
		if err := w.change(w.member, id, map[string]string{
			"name": r.Name, "id_type": "111", "id_no": r.ID, "sex": r.Sex, "birth": r.Birth, "ethnic": r.Ethnic,
			"education": r.Education, "skill": r.Skill, "mobile": r.Phone, "hukou_type": r.Hukou, "migrant": migrant,
			"employer": r.Employer, "new_form": r.NewForm, "department": r.Department, "post": r.Post,
		}); err != nil {
			return nil, err
		}
		if err := w.change(w.joining, w.newID(), map[string]string{"member": string(id[:]), "type": "1", "date": r.Joined}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// edits are one or two fields of every member, which differ in every round.
func (w *writer) edits(round int) ([]syncproto.Change, error) {
	w.out = nil
	for i, id := range w.ids {
		values := map[string]string{"mobile": fmt.Sprintf("13%d%08d", round%10, w.rng.IntN(100_000_000))}
		if i%2 == 1 {
			values["department"] = fmt.Sprintf("第%d车间", round)
		}
		if err := w.change(w.member, id, values); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// change adds one save. A value that is not in its field's canonical form would be held at
// the centre.
func (w *writer) change(k *kind.Kind, id syncproto.RecordID, values map[string]string) error {
	c := syncproto.Change{Union: w.union, Kind: k.Number, ID: id, KindVersion: k.Version, Actor: "clerk", Time: savedAt}
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

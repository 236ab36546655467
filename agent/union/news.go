package union

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

// newsBucket keeps what a person saw last of fields that came to be changed elsewhere: kind
// (2), record id (16), field (2; 0: the record was not there) → version (1), whether there
// was a value (1), the value. What is newer stands in the record; who changed it, in the
// changes. The first before counts until the person has looked.
const newsBucket = "news"

const newsVersion = 1

// News is what the centre or a colleague did to one record since the person last looked.
type News struct {
	Kind    *kind.Kind
	ID      syncproto.RecordID
	Row     Row
	New     bool // the record was not here before
	Changes []NewsChange
}

// NewsChange is what became of one field.
type NewsChange struct {
	Field         syncproto.FieldNumber
	Before, After []byte   // nil: no value; of a set all elements, joined
	By            []Author // who gave the value that stands now, as far as is known here
}

// notNews are kinds of records that are told in their own ways.
var notNews = []string{"case", "finding"}

// noteNews notes what the person sees of the records that an answer is about to change. Own
// changes are no news, nor is anything that comes with the first fetch.
func (u *Union) noteNews(up *session.Update) ([]Fact, error) {
	s, err := u.store()
	if err != nil || !s.State().Fetched {
		return nil, err
	}
	sentBack := map[syncproto.Dot]bool{}
	for _, v := range up.Verdicts {
		if v.Verdict.Kind == syncproto.VerdictHeld {
			if p, ok, err := u.place(v.Seq); err == nil && ok {
				sentBack[p.Dot()] = true
			}
		}
	}
	var out []Fact
	for _, p := range up.Puts {
		k, ok := u.o.Kinds.ByNumber(p.Key.Kind)
		if !ok || slices.Contains(notNews, k.Name) {
			continue
		}
		n := newsOf{key: p.Key, kind: k, after: p.Record, own: u.j.ID(), sentBack: sentBack}
		if n.layer, err = s.Layer(p.Key); err == nil {
			n.seen, err = s.View(p.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("note news: %w", err)
		}
		for _, f := range n.facts() {
			have, err := u.j.Get(newsBucket, f.Key)
			if err != nil {
				return nil, fmt.Errorf("note news: %w", err)
			}
			if have == nil {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// newsOf is one record that an answer changes.
type newsOf struct {
	key      syncproto.RecordKey
	kind     *kind.Kind
	layer    *merge.Record // as the centre gave it before
	seen     *merge.Record // as the person saw it: with own changes on the way
	after    *merge.Record // as the centre gives it now
	own      syncproto.JournalID
	sentBack map[syncproto.Dot]bool // own changes that this answer holds
}

func (n *newsOf) facts() []Fact {
	if !there(n.seen) && !there(n.layer) {
		if there(n.after) {
			return []Fact{newsFact(n.key, 0, nil)}
		}
		return nil
	}
	var out []Fact
	for _, f := range append([]syncproto.FieldNumber{syncproto.FieldVoid, syncproto.FieldSameAs}, fieldNumbers(n.kind)...) {
		was, saw, is := shown(n.layer, f), shown(n.seen, f), shown(n.after, f)
		if bytes.Equal(was, is) || bytes.Equal(saw, is) {
			continue // not touched, or as the person has it already
		}
		if n.heldBack(f) {
			saw = was
		}
		out = append(out, newsFact(n.key, f, saw))
	}
	return out
}

// heldBack reports whether what the person saw of a field is gone only because the centre
// sent it back: that is told as such.
func (n *newsOf) heldBack(f syncproto.FieldNumber) bool {
	field := n.seen.Field(f)
	return field != nil && len(field.Entries) > 0 && slices.ContainsFunc(field.Entries[0].Dots, func(d syncproto.Dot) bool { return n.sentBack[d] })
}

func fieldNumbers(k *kind.Kind) []syncproto.FieldNumber {
	out := make([]syncproto.FieldNumber, len(k.Fields))
	for i, f := range k.Fields {
		out[i] = f.Number
	}
	return out
}

// shown is what is shown of a field: its current value, or all elements of a set; nil: none.
func shown(r *merge.Record, n syncproto.FieldNumber) []byte {
	if v, ok := r.Value(n); ok {
		return v
	}
	if set := r.Set(n); len(set) > 0 {
		return joinSet(set)
	}
	return nil
}

func newsFact(key syncproto.RecordKey, n syncproto.FieldNumber, before []byte) Fact {
	k := binary.BigEndian.AppendUint16(nil, uint16(key.Kind))
	k = binary.BigEndian.AppendUint16(append(k, key.ID[:]...), uint16(n))
	v := []byte{newsVersion, 0}
	if before != nil {
		v = append([]byte{newsVersion, 1}, before...)
	}
	return Fact{Bucket: newsBucket, Key: k, Value: v}
}

// parseNews reads what [newsFact] wrote; ok is false for what a newer program wrote.
func parseNews(k, v []byte) (key syncproto.RecordKey, n syncproto.FieldNumber, before []byte, ok bool) {
	if len(k) != 20 || len(v) < 2 || v[0] != newsVersion {
		return key, 0, nil, false
	}
	key.Kind = syncproto.KindNumber(binary.BigEndian.Uint16(k))
	copy(key.ID[:], k[2:])
	if v[1] == 1 {
		before = bytes.Clone(v[2:])
	}
	return key, syncproto.FieldNumber(binary.BigEndian.Uint16(k[18:])), before, true
}

// News tells what was changed elsewhere since the person last looked, by kinds and records.
func (u *Union) News(ctx context.Context) ([]News, error) {
	var out []News
	err := u.j.Each(newsBucket, func(k, v []byte) error {
		key, n, before, ok := parseNews(k, v)
		known, isKnown := u.o.Kinds.ByNumber(key.Kind)
		if !ok || !isKnown {
			return ctx.Err()
		}
		if len(out) == 0 || out[len(out)-1].ID != key.ID || out[len(out)-1].Kind != known {
			out = append(out, News{Kind: known, ID: key.ID})
		}
		last := &out[len(out)-1]
		if n == 0 {
			last.New = true
			return ctx.Err()
		}
		last.Changes = append(last.Changes, NewsChange{Field: n, Before: before})
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read news: %w", err)
	}
	for i := range out {
		if err := u.tell(&out[i]); err != nil {
			return nil, fmt.Errorf("read news: %w", err)
		}
	}
	return slices.DeleteFunc(out, func(n News) bool { return len(n.Changes) == 0 }), nil
}

// tell fills in what stands now, and drops what came to be as it was.
func (u *Union) tell(n *News) error {
	row, err := u.Get(n.Kind.Name, n.ID)
	if err != nil {
		if syncproto.CodeOf(err) == syncproto.CodeNotFound {
			n.Changes, err = nil, nil
		}
		return err
	}
	n.Row = row
	if n.New { // all that stands is new, whatever changed since it came
		n.Changes = nil
		for _, f := range fieldNumbers(n.Kind) {
			n.Changes = append(n.Changes, NewsChange{Field: f})
		}
	}
	kept := n.Changes[:0]
	for _, c := range n.Changes {
		if c.After = shown(row.Record, c.Field); bytes.Equal(c.Before, c.After) {
			continue
		}
		if c.By, err = u.by(dotsOf(row.Record.Field(c.Field))); err != nil {
			return err
		}
		if len(c.By) > 0 && !slices.ContainsFunc(c.By, func(a Author) bool { return !a.Own }) {
			continue // changed here since
		}
		kept = append(kept, c)
	}
	n.Changes = kept
	return nil
}

// dotsOf gives the changes behind what is shown of a field.
func dotsOf(f *merge.Field) []syncproto.Dot {
	if f == nil {
		return nil
	}
	if len(f.Entries) > 0 {
		return f.Entries[0].Dots
	}
	var out []syncproto.Dot
	for _, e := range f.Elements {
		out = append(out, e.Dots...)
	}
	return out
}

// Looked says that a person has seen these news. Of a record that has changed again meanwhile
// they stay.
func (u *Union) Looked(seen []News) error {
	u.write.Lock() // no answer is worked in meanwhile
	defer u.write.Unlock()
	done := map[syncproto.RecordKey]bool{}
	for _, n := range seen {
		again := News{Kind: n.Kind, ID: n.ID, New: n.New, Changes: slices.Clone(n.Changes)}
		if err := u.tell(&again); err != nil {
			return fmt.Errorf("mark news: %w", err)
		}
		same := func(a, b NewsChange) bool { return a.Field == b.Field && bytes.Equal(a.After, b.After) }
		done[syncproto.RecordKey{Kind: n.Kind.Number, ID: n.ID}] = slices.EqualFunc(again.Changes, n.Changes, same)
	}
	var facts []Fact
	err := u.j.Each(newsBucket, func(k, v []byte) error {
		if key, _, _, ok := parseNews(k, v); ok && done[key] {
			facts = append(facts, Fact{Bucket: newsBucket, Key: bytes.Clone(k)})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark news: %w", err)
	}
	return u.PutFacts(facts...)
}

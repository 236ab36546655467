package union

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Row is one record as it is shown.
type Row struct {
	Kind      *kind.Kind
	ID        syncproto.RecordID
	Values    kind.Values
	Void      string                  // the reason why it never was; empty: it is in force
	SameAs    []byte                  // the record that this one is a second copy of
	Conflicts []syncproto.FieldNumber // fields that hold several values
	Record    *merge.Record           // with all entries; not to be changed
}

func newRow(k *kind.Kind, id syncproto.RecordID, r *merge.Record) Row {
	same, _ := r.Value(syncproto.FieldSameAs)
	return Row{Kind: k, ID: id, Values: Values(k, r), Void: r.Text(syncproto.FieldVoid), SameAs: same,
		Conflicts: r.Conflicts(k.Class), Record: r}
}

// there reports whether a record shows anything. One of which all changes are held, here
// or at another PC, has a position and nothing else.
func there(r *merge.Record) bool {
	return r != nil && slices.ContainsFunc(r.Fields, func(f merge.Field) bool { return len(f.Entries)+len(f.Elements) > 0 })
}

// Title is what names the record to a person.
func (r *Row) Title(lang string) string {
	f, ok := r.Kind.Field(r.Kind.Title)
	if !ok {
		return r.ID.String()
	}
	return f.Format(r.Values[f.Number], lang)
}

// Get gives one record; one that is not here is [syncproto.CodeNotFound].
func (u *Union) Get(kindName string, id syncproto.RecordID) (Row, error) {
	k, err := u.o.Kinds.Find(kindName)
	if err != nil {
		return Row{}, err
	}
	s, err := u.store()
	if err != nil {
		return Row{}, err
	}
	r, err := s.View(syncproto.RecordKey{Kind: k.Number, ID: id})
	if err != nil {
		return Row{}, fmt.Errorf("read record: %w", err)
	}
	if !there(r) {
		return Row{}, syncproto.Fail(syncproto.CodeNotFound, "read record", nil, "what", id.String())
	}
	return newRow(k, id, r), nil
}

// Query says which records of a kind are listed.
type Query struct {
	Kind      string
	Where     kind.Values // canonical values that they must have; an empty one: none at all
	Text      string      // as for [Union.Find]; empty: all
	Void      bool        // void records too
	Conflicts bool        // only those that hold several values in a field
	Limit     int         // 0: all
	Offset    int
}

// Page is a part of a list.
type Page struct {
	Rows  []Row
	Total int // records that the query finds, whatever Limit says
}

// List gives records in the order in which they were made.
func (u *Union) List(ctx context.Context, q Query) (Page, error) {
	var p Page
	err := u.Each(ctx, q, func(r Row) error {
		if p.Total >= q.Offset && (q.Limit == 0 || len(p.Rows) < q.Limit) {
			p.Rows = append(p.Rows, r)
		}
		p.Total++
		return nil
	})
	return p, err
}

// Each calls do for every record that the query finds, in the order in which they were
// made, without holding them all; Limit and Offset do not count. All come from one moment.
func (u *Union) Each(ctx context.Context, q Query, do func(Row) error) error {
	k, err := u.o.Kinds.Find(q.Kind)
	if err != nil {
		return err
	}
	s, err := u.store()
	if err != nil {
		return err
	}
	match := newMatcher(q.Text)
	err = s.Each(k.Number, syncproto.RecordID{}, func(id syncproto.RecordID, r *merge.Record) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if !there(r) || r.Void() && !q.Void {
			return true, nil
		}
		row := newRow(k, id, r)
		if !q.finds(&row) || !match.row(&row) {
			return true, nil
		}
		return true, do(row)
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	return nil
}

func (q *Query) finds(r *Row) bool {
	if q.Conflicts && len(r.Conflicts) == 0 {
		return false
	}
	for n, want := range q.Where {
		if string(r.Values[n]) != string(want) {
			return false
		}
	}
	return true
}

// Find looks in all kinds for records in which some field holds text: a part of a name or
// of any other text, a label of a code table, the end or a part of a document number or
// telephone number. It gives at most limit records, 0 for all.
func (u *Union) Find(ctx context.Context, text string, limit int) ([]Row, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out []Row
	for _, k := range u.o.Kinds.All() {
		page, err := u.List(ctx, Query{Kind: k.Name, Text: text, Limit: limit})
		if err != nil {
			return nil, err
		}
		out = append(out, page.Rows...)
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// matcher looks for one text in records.
type matcher struct{ text string }

func newMatcher(text string) matcher { return matcher{fold(text)} }

// fold makes capitals and blanks not count.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }

func (m matcher) row(r *Row) bool {
	if m.text == "" {
		return true
	}
	for _, f := range r.Kind.Fields {
		v := r.Values[f.Number]
		if len(v) == 0 || f.Type == kind.TypeReference && f.Ref != kind.RefUnion {
			continue
		}
		if strings.Contains(fold(string(v)), m.text) ||
			strings.Contains(fold(f.Format(v, "zh")), m.text) || strings.Contains(fold(f.Format(v, "en")), m.text) {
			return true
		}
	}
	return false
}

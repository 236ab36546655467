package agent

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// FindKind finds a kind by its name or its label in either language.
func FindKind(set *kind.Set, word string) (*kind.Kind, error) {
	word = strings.TrimSpace(word)
	for _, k := range set.All() {
		if strings.EqualFold(word, k.Name) || word == k.Label.Zh || strings.EqualFold(word, k.Label.En) {
			return k, nil
		}
	}
	return set.Find(word)
}

// FindField finds a field by its name, its label in either language, or another heading of
// its column.
func FindField(k *kind.Kind, word string) (*kind.Field, error) {
	word = strings.TrimSpace(word)
	if f, ok := k.Field(strings.ToLower(word)); ok {
		return f, nil
	}
	for _, f := range k.Fields {
		if kind.Heading(word) == kind.Heading(f.Label.Zh) || strings.EqualFold(word, f.Label.En) {
			return f, nil
		}
	}
	for _, f := range k.Fields {
		for _, alias := range f.Aliases {
			if kind.Heading(word) == kind.Heading(alias) {
				return f, nil
			}
		}
	}
	return k.Find(word)
}

// Words for what every kind has, as they are typed.
var (
	voidWords = []string{"void", "作废"}
	sameWords = []string{"same-as", "same_as", "同一记录"}
)

func isOneOf(word string, words []string) bool {
	for _, w := range words {
		if strings.EqualFold(strings.TrimSpace(word), w) {
			return true
		}
	}
	return false
}

// Drafts turns words as they are typed, each field=value, into drafts of one save: the
// record and, where it is new and its kind has one, the companion that is made with it. A
// value that is empty clears the field; a reference may be shortened like any id;
// void=reason says that the record never was, same-as=id that it is a second copy. id is
// zero for a new record.
func Drafts(ctx context.Context, u *union.Union, k *kind.Kind, id syncproto.RecordID, words []string) ([]union.Draft, error) {
	w := &typed{u: u, main: union.Draft{Kind: k.Name, ID: id, Text: map[string]string{}, Values: kind.Values{}}}
	if id == (syncproto.RecordID{}) {
		if err := w.begin(k); err != nil {
			return nil, err
		}
	}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, syncproto.Fail(syncproto.CodeFieldPair, "read fields", nil, "word", word)
		}
		if err := w.set(ctx, k, name, value); err != nil {
			return nil, err
		}
	}
	if w.companion == nil {
		return []union.Draft{w.main}, nil
	}
	return []union.Draft{w.main, *w.companion}, nil
}

// typed are the words of one save, being read.
type typed struct {
	u         *union.Union
	main      union.Draft
	companion *union.Draft
	columns   []kind.Column // of the companion, that are typed like fields of the record
	of        *kind.Kind    // the companion's
}

// begin makes the drafts of a new record.
func (w *typed) begin(k *kind.Kind) (err error) {
	if w.main.ID, err = w.u.NewID(); err != nil {
		return err
	}
	w.main.New = true
	c := k.Companion
	if c == nil {
		return nil
	}
	if w.of, err = w.u.Kinds().Find(c.Kind); err != nil {
		return err
	}
	link, err := w.of.Find(c.Link)
	if err != nil {
		return err
	}
	id := w.main.ID
	w.columns = c.Columns
	w.companion = &union.Draft{Kind: w.of.Name, Text: map[string]string{}, Values: kind.Values{link.Number: id[:]}}
	for name, value := range c.Set {
		f, err := w.of.Find(name)
		if err != nil {
			return err
		}
		w.companion.Values[f.Number] = []byte(value)
	}
	if w.main.Group, err = w.u.NewGroup(); err != nil {
		return err
	}
	w.companion.Group = w.main.Group
	return nil
}

// set reads one word.
func (w *typed) set(ctx context.Context, k *kind.Kind, name, value string) error {
	d := &w.main
	switch {
	case isOneOf(name, voidWords):
		if d.Void = strings.TrimSpace(value); d.Void == "" {
			d.Clear = append(d.Clear, syncproto.FieldVoid)
		}
		return nil
	case isOneOf(name, sameWords):
		if strings.TrimSpace(value) == "" {
			d.Clear = append(d.Clear, syncproto.FieldSameAs)
			return nil
		}
		id, err := Resolve(ctx, w.u, k, value)
		d.Values[syncproto.FieldSameAs] = id[:]
		return err
	}
	f, err := FindField(k, name)
	if column := w.column(name); err != nil && column != nil {
		f, d, err = column, w.companion, nil
		delete(d.Values, f.Number)
	}
	if err != nil {
		return err
	}
	if f.Type != kind.TypeReference || f.Ref == kind.RefUnion || strings.TrimSpace(value) == "" {
		d.Text[f.Name] = value
		return nil
	}
	other, err := w.u.Kinds().Find(f.Ref)
	if err != nil {
		return err
	}
	id, err := Resolve(ctx, w.u, other, value)
	d.Values[f.Number] = id[:]
	return err
}

// column finds the companion's field that a word means; nil: none.
func (w *typed) column(word string) *kind.Field {
	for _, c := range w.columns {
		f, ok := w.of.Field(c.Field)
		if !ok {
			continue
		}
		names := append([]string{c.Field, c.Label.Zh, f.Label.Zh}, c.Aliases...)
		for _, name := range names {
			if kind.Heading(word) == kind.Heading(name) || strings.EqualFold(strings.TrimSpace(word), c.Label.En) {
				return f
			}
		}
	}
	return nil
}

// Decide makes a draft settle the conflicts of the fields that it sets: whoever sets a
// field has seen what it holds.
func Decide(d *union.Draft, row union.Row) {
	for _, n := range row.Conflicts {
		_, said := d.Values[n]
		if f, ok := row.Kind.FieldByNumber(n); ok && !said {
			_, said = d.Text[f.Name]
		}
		if said || n == syncproto.FieldVoid && d.Void != "" || slices.Contains(d.Clear, n) {
			d.Decide = append(d.Decide, n)
		}
	}
}

// shortest is how much of an id must be typed at least.
const shortest = 4

// ResolveAny is [Resolve], also for a record of which nothing is shown because the centre
// sent everything back.
func ResolveAny(ctx context.Context, u *union.Union, k *kind.Kind, word string) (syncproto.RecordID, error) {
	id, err := Resolve(ctx, u, k, word)
	if err == nil || syncproto.CodeOf(err) != syncproto.CodeRecordUnknown {
		return id, err
	}
	held, heldErr := u.HeldChanges(ctx)
	if heldErr != nil {
		return id, heldErr
	}
	short := plain(word)
	for _, h := range held {
		if h.Change != nil && h.Change.Kind == k.Number && fits(h.Change.ID, short) {
			return h.Change.ID, nil
		}
	}
	return id, err
}

// plain is how ids are compared.
func plain(word string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(word), "-", ""))
}

// fits reports whether an id begins or ends with what was typed.
func fits(id syncproto.RecordID, short string) bool {
	hex := plain(id.String())
	return len(short) >= shortest && (strings.HasPrefix(hex, short) || strings.HasSuffix(hex, short))
}

// Resolve finds the record meant by a whole id, by a beginning or end of one that fits no
// other record of the kind, or, where records have one, by a document number.
func Resolve(ctx context.Context, u *union.Union, k *kind.Kind, word string) (syncproto.RecordID, error) {
	if id, err := syncproto.ParseRecordID(strings.ToLower(strings.TrimSpace(word))); err == nil {
		_, err := u.Get(k.Name, id)
		return id, known(k, err)
	}
	short := plain(word)
	number := documentNumber(k, word)
	var found []syncproto.RecordID
	err := u.Each(ctx, union.Query{Kind: k.Name, Void: true}, func(r union.Row) error {
		switch {
		case number != nil && string(r.Values[number.field]) == number.value:
			found = append(found, r.ID)
		case fits(r.ID, short):
			found = append(found, r.ID)
		}
		return nil
	})
	switch {
	case err != nil:
		return syncproto.RecordID{}, err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return syncproto.RecordID{}, syncproto.Fail(syncproto.CodeRecordUnclear, "find record", nil, "n", strconv.Itoa(len(found)))
	}
	return syncproto.RecordID{}, unknown(k)
}

func known(k *kind.Kind, err error) error {
	if syncproto.CodeOf(err) == syncproto.CodeNotFound && err != nil {
		return unknown(k)
	}
	return err
}

func unknown(k *kind.Kind) error {
	return syncproto.Fail(syncproto.CodeRecordUnknown, "find record", nil, "kind_zh", k.Label.Zh, "kind_en", k.Label.En)
}

// document is a document's number and the field that holds it.
type document struct {
	field syncproto.FieldNumber
	value string
}

func documentNumber(k *kind.Kind, word string) *document {
	for _, f := range k.Fields {
		if f.Type != kind.TypeCitizenID {
			continue
		}
		if v, _, problem := f.Parse(word); problem == nil && len(v) > 0 {
			return &document{field: f.Number, value: string(v)}
		}
		return &document{field: f.Number, value: strings.ToUpper(strings.TrimSpace(word))}
	}
	return nil
}

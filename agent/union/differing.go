package union

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

const (
	maxVersionText = 12 << 10 // bytes: the case is one change, with room for the rest
	maxDotsNamed   = 24       // changes named one by one; more have a hash in their place

	differingActor = "agent" // stands in what a PC saves by itself
)

// noteDiffering saves a case about each record that the centre turned out not to have, or to
// have otherwise, with what was here: the layer takes the centre's. It comes before the layer
// does, so that no crash hides what was here; what is noted again makes no second case. It
// never fails a sync: what cannot be saved is in the log.
func (u *Union) noteDiffering(all []session.Differing) {
	u.write.Lock()
	defer u.write.Unlock()
	for _, d := range all {
		if k, ok := u.o.Kinds.ByNumber(d.Key.Kind); ok && slices.Contains(notNews, k.Name) {
			continue // the centre's own questions: it asks them anew
		}
		if err := u.saveDiffering(d); err != nil && syncproto.CodeOf(err) != syncproto.CodeNothingChanged {
			u.o.Log.Error("a record differs, and no case could be saved about it", "record", d.Key, "error", err)
		}
	}
}

func (u *Union) saveDiffering(d session.Differing) error {
	g, err := u.newGroup()
	if err != nil {
		return err
	}
	k, err := u.o.Kinds.Find(caseKind)
	if err != nil {
		return err
	}
	dotsField, err := k.Find("dots")
	if err != nil {
		return err
	}
	typ := CaseDigest
	if d.Theirs == nil {
		typ = CaseMissing
	}
	number, record := strconv.Itoa(int(d.Key.Kind)), d.Key.ID.String()
	// As the centre names its cases: type, kind, record, no field, no journal.
	key := syncproto.RecordKey{Kind: k.Number, ID: syncproto.HashedID(caseKind, string(typ), number, record, "", "")}
	before, err := g.view(key)
	if err != nil {
		return err
	}
	dots := dotsText(d.Mine)
	if there(before) && before.Text(dotsField.Number) == dots {
		return nil // the same doubt, also if a person has closed it
	}
	err = g.add(Draft{Kind: caseKind, ID: key.ID, New: !there(before), Actor: differingActor, Text: map[string]string{
		"type": string(typ), "state": caseOpenWord, "kind": number, "record": record,
		"dots": dots, "version": firstBytes(u.readable(d.Key, d.Mine), maxVersionText),
	}})
	if err != nil {
		return err
	}
	_, err = u.commit(g)
	return err
}

// readable is a record as a person reads it: a line for each field, with all values that
// stand in it.
func (u *Union) readable(key syncproto.RecordKey, r *merge.Record) string {
	k, known := u.o.Kinds.ByNumber(key.Kind)
	var lines []string
	for i := range r.Fields {
		f := &r.Fields[i]
		label, format := strconv.Itoa(int(f.Number)), func(v []byte) string { return strings.ToValidUTF8(string(v), "?") }
		if known {
			if x, ok := k.FieldByNumber(f.Number); ok {
				label, format = x.Label.In("zh"), func(v []byte) string { return x.Format(v, "zh") }
			}
		}
		var values []string
		for _, e := range f.Entries {
			if !e.Cleared {
				values = append(values, format(e.Value))
			}
		}
		for _, e := range f.Elements {
			values = append(values, format(e.Value))
		}
		if len(values) > 0 {
			lines = append(lines, fmt.Sprintf("%s：%s", label, strings.Join(values, "、")))
		}
	}
	return strings.Join(lines, "；")
}

// dotsText names the changes of which a record consists.
func dotsText(r *merge.Record) string {
	var all []syncproto.Dot
	for i := range r.Fields {
		for _, e := range r.Fields[i].Entries {
			all = append(all, e.Dots...)
		}
		for _, e := range r.Fields[i].Elements {
			all = append(all, e.Dots...)
		}
	}
	slices.SortFunc(all, syncproto.Dot.Compare)
	all = slices.Compact(all)
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.String()
	}
	text := strings.Join(names, " ")
	if len(names) > maxDotsNamed {
		text = fmt.Sprintf("%d %s", len(names), syncproto.HashedID(text))
	}
	return text
}

// firstBytes gives at most n bytes of s, no character cut.
func firstBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

package gate

import (
	"cmp"
	"slices"
	"strings"

	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// kindUnit is the kind of the city's tree; the gate owns its import and its list.
const kindUnit = "org-unit"

// unitID gives the record id of a unit: the same wherever it is made.
func unitID(code string) syncproto.RecordID { return syncproto.HashedID(kindUnit, code) }

// tree is the city's organisation as its records stand, read as the kind file in force.
type tree struct {
	kind  *kind.Kind
	code  *kind.Field
	name  *kind.Field
	above *kind.Field
	units map[string]kind.Values // by code
}

func newTree(kinds *kind.Set) (*tree, error) {
	if kinds == nil {
		return nil, syncproto.Fail(syncproto.CodeNotReady, "read tree", nil, argSeconds, leaderSeconds)
	}
	k, err := kinds.Find(kindUnit)
	if err != nil {
		return nil, err
	}
	t := &tree{kind: k, units: map[string]kind.Values{}}
	for name, to := range map[string]**kind.Field{"code": &t.code, "name": &t.name, "parent": &t.above} {
		if *to, err = k.Find(name); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// readTree reads the whole tree.
func (g *Gate) readTree() (*tree, error) {
	t, err := newTree(g.cfg.Ledger.Kinds())
	if err != nil {
		return nil, err
	}
	_, err = g.cfg.Ledger.AllRecords([]syncproto.KindNumber{t.kind.Number}, func(union string, _ syncproto.RecordKey, r *merge.Record) error {
		if union == syncproto.CityUnion {
			t.put(r)
		}
		return nil
	})
	return t, err
}

func (t *tree) put(r *merge.Record) {
	if r.Void() {
		return
	}
	v := t.values(r)
	if code := v.Text(t.code); code != "" {
		t.units[code] = v
	}
}

func (t *tree) values(r *merge.Record) kind.Values {
	v := kind.Values{}
	for _, f := range t.kind.Fields {
		if b, ok := r.Value(f.Number); ok {
			v[f.Number] = slices.Clone(b)
		}
	}
	return v
}

// unionName gives the name of a union of the tree, or an error that says there is none.
func (g *Gate) unionName(code string) (string, error) {
	t, err := newTree(g.cfg.Ledger.Kinds())
	if err != nil {
		return "", err
	}
	v := g.cfg.Ledger.View(syncproto.CityUnion)
	defer v.Done()
	r, err := readUnit(v, t, code)
	if err != nil {
		return "", err
	}
	if r == nil || r.Void() {
		return "", syncproto.Fail(syncproto.CodeUnionUnknown, "find union", nil, "union", clip(code, syncproto.MaxUnionCode))
	}
	return t.values(r).Text(t.name), nil
}

func readUnit(v *ledger.View, t *tree, code string) (*merge.Record, error) {
	return v.Read(syncproto.RecordKey{Kind: t.kind.Number, ID: unitID(code)})
}

// below reports whether a unit stands below another, at any depth. A tree that goes round
// in a circle, as concurrent edits can make it, ends the walk.
func (t *tree) below(code, above string) bool {
	seen := map[string]bool{}
	for at := t.units[code].Text(t.above); at != "" && !seen[at]; at = t.units[at].Text(t.above) {
		if at == above {
			return true
		}
		seen[at] = true
	}
	return false
}

// matches reports whether code or name contains a text.
func (t *tree) matches(code, text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(strings.ToLower(code), text) || strings.Contains(strings.ToLower(t.units[code].Text(t.name)), text)
}

// codes gives the codes below one (all, when it is empty) that match, in order.
func (t *tree) codes(above, text string) []string {
	var out []string
	for code := range t.units {
		if (above == "" || t.below(code, above)) && t.matches(code, text) {
			out = append(out, code)
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

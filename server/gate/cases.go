package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Cases are the questions that wait for a person, as of a position.
type Cases struct {
	Position uint64 `json:"position"` // of the list: a decision names it
	Cases    []Case `json:"cases"`
	LeftOut  int    `json:"left_out,omitempty"` // not confirmed yet: see [Case]
}

// Case is one question, with what a person needs to answer it.
type Case struct {
	Union  string `json:"union"`
	ID     string `json:"id"`
	Type   string `json:"type"`
	Closed bool   `json:"closed"`
	// A device of the union may still send again what settles it, since the newest life of the
	// centre began: left out of the list unless all are asked for. One that stood open in a
	// backup too: it may have been decided in what was lost.
	Unconfirmed bool `json:"unconfirmed,omitempty"`

	Kind    string      `json:"kind,omitempty"`
	Record  string      `json:"record,omitempty"`
	Field   string      `json:"field,omitempty"`
	Journal string      `json:"journal,omitempty"`
	Note    string      `json:"note,omitempty"`
	Values  []CaseValue `json:"values,omitempty"` // of a conflict: the first is current
	Held    []CaseHeld  `json:"held,omitempty"`   // of a hold, in their order

	Branches []CaseWho `json:"branches,omitempty"` // of a fork: the newest change of each branch
}

// CaseValue is one of several values of a field.
type CaseValue struct {
	Number  int       `json:"number"` // by which it is chosen, from 1
	Value   string    `json:"value"`
	Cleared bool      `json:"cleared,omitempty"`
	By      []CaseWho `json:"by"`
}

// CaseWho is who made a change and when, by their own clock.
type CaseWho struct {
	Actor string `json:"actor"`
	Time  int64  `json:"time"`
}

// CaseHeld is a held change.
type CaseHeld struct {
	CaseWho
	Reason string            `json:"reason"`
	Edits  map[string]string `json:"edits,omitempty"` // by the field's name
}

// ListCases lists cases as this node has them.
func (s *adminService) ListCases(_ context.Context, req *connect.Request[unionrpc.ListCasesRequest]) (*connect.Response[unionrpc.ListCasesResponse], error) {
	const op = "list cases"
	list, err := s.g.listCases(req.Msg)
	if err != nil {
		return answer[unionrpc.ListCasesResponse](s.g, op, nil, err)
	}
	b, err := json.Marshal(list)
	return answer(s.g, op, &unionrpc.ListCasesResponse{Json: b}, err)
}

func (g *Gate) listCases(q *unionrpc.ListCasesRequest) (*Cases, error) {
	list := &Cases{Position: uint64(g.cfg.Ledger.Head()), Cases: []Case{}} // not after what is read
	all, err := g.cfg.Ledger.Cases(q.GetUnion(), q.GetClosed())
	if err != nil {
		return nil, err
	}
	unconfirmed, err := g.cfg.Ledger.Unconfirmed()
	if err != nil {
		return nil, err
	}
	for i := range all {
		early := unconfirmed[all[i].Union] && !all[i].Closed
		if early && !q.GetAll() {
			list.LeftOut++
			continue
		}
		c, err := g.describe(&all[i], cmp.Or(q.GetLang(), "zh"))
		if err != nil {
			return nil, err
		}
		c.Unconfirmed = early
		list.Cases = append(list.Cases, *c)
	}
	return list, nil
}

func (g *Gate) describe(c *ledger.Case, lang string) (*Case, error) {
	d := &Case{Union: c.Union, ID: c.ID.String(), Type: c.Type, Closed: c.Closed, Note: c.Note}
	if c.Journal != 0 {
		d.Journal = c.Journal.String()
	}
	k, known := g.cfg.Ledger.Kinds().ByNumber(c.Record.Kind)
	if c.Record.Kind != 0 {
		d.Kind, d.Record = kindName(k, known, c.Record.Kind), c.Record.ID.String()
	}
	if c.Field != 0 {
		d.Field = fieldName(k, known, c.Field)
	}
	v := g.cfg.Ledger.View(c.Union)
	defer v.Done()
	var err error
	switch c.Type {
	case ledger.CaseConflict:
		d.Values, err = caseValues(v, k, known, c, lang)
	case ledger.CaseHeld:
		d.Held, err = caseHeld(v, k, known, c, lang)
	case ledger.CaseFork:
		d.Branches, err = caseBranches(v, c)
	}
	return d, err
}

// caseBranches tells of the changes on which a fork stands.
func caseBranches(v *ledger.View, c *ledger.Case) (out []CaseWho, err error) {
	for _, word := range strings.Fields(c.Dots) {
		d, ok := syncproto.ParseDot(word)
		if !ok {
			continue
		}
		item, err := v.At(d)
		if err != nil {
			return nil, err
		}
		if who, ok := whoOf(item); ok {
			out = append(out, who)
		}
	}
	return out, nil
}

func caseValues(v *ledger.View, k *kind.Kind, known bool, c *ledger.Case, lang string) ([]CaseValue, error) {
	r, err := v.Read(c.Record)
	if err != nil || r.Field(c.Field) == nil {
		return nil, err
	}
	var out []CaseValue
	for i, e := range r.Field(c.Field).Entries {
		x := CaseValue{Number: i + 1, Value: shown(k, known, c.Field, e.Value, lang), Cleared: e.Cleared}
		for _, d := range e.Dots {
			item, err := v.At(d)
			if err != nil {
				return nil, err
			}
			if who, ok := whoOf(item); ok {
				x.By = append(x.By, who)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func caseHeld(v *ledger.View, k *kind.Kind, known bool, c *ledger.Case, lang string) ([]CaseHeld, error) {
	items, err := v.Held(c.Journal, c.Record)
	if c.Record.Kind == 0 {
		items, err = unreadable(v, c)
	}
	if err != nil {
		return nil, err
	}
	var out []CaseHeld
	for _, item := range items {
		h := CaseHeld{Reason: item.Verdict.Reason.String()}
		h.CaseWho, _ = whoOf(item)
		if ch, err := syncproto.DecodeChange(item.Bytes, item.Place.Journal); err == nil {
			h.Edits = map[string]string{}
			for i := range ch.Edits {
				h.Edits[fieldName(k, known, ch.Edits[i].Field)] = shown(k, known, ch.Edits[i].Field, ch.Edits[i].Value, lang)
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// unreadable gives the change that a case about no record names: it can only be dropped.
func unreadable(v *ledger.View, c *ledger.Case) ([]*ledger.LogItem, error) {
	dot, err := parseDot(c.Dots)
	if err != nil {
		return nil, nil //nolint:nilerr // closed, or a case that somebody else wrote
	}
	item, err := v.At(dot)
	if err != nil || item == nil {
		return nil, err
	}
	return []*ledger.LogItem{item}, nil
}

func whoOf(item *ledger.LogItem) (CaseWho, bool) {
	if item == nil {
		return CaseWho{}, false
	}
	c, err := syncproto.DecodeChange(item.Bytes, item.Place.Journal)
	if err != nil {
		return CaseWho{}, false
	}
	return CaseWho{Actor: c.Actor, Time: c.Time}, true
}

func kindName(k *kind.Kind, known bool, n syncproto.KindNumber) string {
	if known {
		return k.Name
	}
	return numberName(uint16(n))
}

func fieldName(k *kind.Kind, known bool, n syncproto.FieldNumber) string {
	if f, ok := field(k, known, n); ok {
		return f.Name
	}
	return numberName(uint16(n))
}

// shown gives a value in the form that people type, or as it is where its field is not known.
func shown(k *kind.Kind, known bool, n syncproto.FieldNumber, value []byte, lang string) string {
	if f, ok := field(k, known, n); ok {
		return f.Format(value, lang)
	}
	return string(value)
}

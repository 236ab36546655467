package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Verbs by which staff settle a case.
const (
	verbAccept = "accept" // held changes are merged
	verbDrop   = "drop"   // held changes go to history
	verbChoose = "choose" // one of several values stands
	verbClose  = "close"  // the case is closed and nothing else
)

// Decide settles a case, as staff.
func (s *adminService) Decide(ctx context.Context, req *connect.Request[unionrpc.DecideRequest]) (*connect.Response[unionrpc.DecideResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.DecideRequest, unionrpc.DecideResponse]{
		op: "decide case", head: req.Header(), local: g.decide,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.DecideRequest]) (*connect.Response[unionrpc.DecideResponse], error) {
			return g.adminAt(url).Decide(ctx, q)
		},
	}, req.Msg)
	return answer(g, "decide case", r, err)
}

func (g *Gate) decide(ctx context.Context, q *unionrpc.DecideRequest) (*unionrpc.DecideResponse, error) {
	const op = "decide case"
	c, change, err := g.decision(q)
	if err != nil {
		return nil, err
	}
	actor := q.GetOperator()
	if actor == "" {
		actor = g.cfg.Node.ID()
	}
	if _, err := g.propose(ctx, &entrypb.Staff{Time: g.now(), Actor: actor, Node: g.cfg.Node.ID(), Changes: []*entrypb.StaffChange{change}}); err != nil {
		return nil, err
	}
	v := g.cfg.Ledger.View(c.Union)
	defer v.Done()
	after, _, err := v.Case(c.ID)
	if err != nil {
		return nil, err
	}
	d, err := g.describe(&after, "zh")
	if err != nil {
		return nil, err
	}
	g.cfg.Logger.Info("case decided", "union", c.Union, "case", c.ID.String(), "verb", q.GetVerb(), "closed", after.Closed)
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return &unionrpc.DecideResponse{Json: b}, nil
}

// decision makes the change that a request asks for, from the case as it is now. What came
// after the person's list is not decided.
func (g *Gate) decision(q *unionrpc.DecideRequest) (c ledger.Case, change *entrypb.StaffChange, err error) {
	const op = "decide case"
	id, err := syncproto.ParseRecordID(q.GetCase())
	if err != nil || q.GetUnion() == "" || len(q.GetUnion()) > syncproto.MaxUnionCode {
		return c, nil, syncproto.Fail(syncproto.CodeCaseUnknown, op, err)
	}
	if len(q.GetOperator()) > syncproto.MaxActorBytes || len(q.GetNote()) > syncproto.MaxNoteBytes {
		return c, nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "operator")
	}
	v := g.cfg.Ledger.View(q.GetUnion())
	defer v.Done()
	c, ok, err := v.Case(id)
	switch {
	case err != nil:
		return c, nil, err
	case !ok:
		return c, nil, syncproto.Fail(syncproto.CodeCaseUnknown, op, nil)
	case c.Closed, q.GetSeen() != 0 && c.Position > syncproto.Position(q.GetSeen()):
		return c, nil, syncproto.Fail(syncproto.CodeCaseMoved, op, nil)
	}
	switch verb := q.GetVerb(); {
	case c.Type == ledger.CaseHeld && (verb == verbAccept || verb == verbDrop):
		change, err = decideHeld(v, &c, q)
	case c.Type == ledger.CaseConflict && verb == verbChoose:
		change, err = g.decideValue(v, &c, q)
	case c.Type != ledger.CaseHeld && c.Type != ledger.CaseConflict && verb == verbClose:
		change = &entrypb.StaffChange{Kind: uint32(ledger.KindCase), Id: c.ID[:], Fields: []*entrypb.FieldValue{
			{Field: uint32(ledger.FieldCaseState), Value: []byte(ledger.CaseClosed)},
		}}
	default:
		err = syncproto.Fail(syncproto.CodeCaseVerb, op, nil, "verb", clip(verb, maxVersion))
	}
	if err != nil {
		return c, nil, err
	}
	change.Union, change.Note = c.Union, q.GetNote()
	return c, change, nil
}

// decideHeld names what is held of a record and journal; of a change that cannot be read,
// itself.
func decideHeld(v *ledger.View, c *ledger.Case, q *unionrpc.DecideRequest) (*entrypb.StaffChange, error) {
	m := &entrypb.StaffChange{Kind: uint32(c.Record.Kind), Id: c.Record.ID[:], Verb: uint32(syncproto.VerbDrop)}
	if q.GetVerb() == verbAccept {
		m.Verb = uint32(syncproto.VerbAccept)
	}
	if c.Record.Kind == 0 {
		if q.GetVerb() == verbAccept {
			return nil, syncproto.Fail(syncproto.CodeCaseVerb, "decide case", nil, "verb", verbAccept)
		}
		m.Kind, m.Id = uint32(ledger.KindCase), c.ID[:]
		dot, err := parseDot(c.Dots)
		if err != nil {
			return nil, err
		}
		m.Resolves = append(m.Resolves, fieldDot(0, dot))
		return m, nil
	}
	items, err := v.Held(c.Journal, c.Record)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if q.GetSeen() == 0 || item.Position <= syncproto.Position(q.GetSeen()) {
			m.Resolves = append(m.Resolves, fieldDot(0, item.Place.Dot()))
		}
	}
	if len(m.Resolves) == 0 {
		return nil, syncproto.Fail(syncproto.CodeCaseMoved, "decide case", nil)
	}
	return m, nil
}

// decideValue names all values of the field and gives it the one that was chosen.
func (g *Gate) decideValue(v *ledger.View, c *ledger.Case, q *unionrpc.DecideRequest) (*entrypb.StaffChange, error) {
	r, err := v.Read(c.Record)
	if err != nil {
		return nil, err
	}
	f := r.Field(c.Field)
	choice := int(q.GetChoice())
	if f == nil || choice < 1 || choice > len(f.Entries) {
		most := 0
		if f != nil {
			most = len(f.Entries)
		}
		return nil, syncproto.Fail(syncproto.CodeCaseChoice, "decide case", nil, "n", strconv.Itoa(choice), "max", strconv.Itoa(most))
	}
	m := &entrypb.StaffChange{Kind: uint32(c.Record.Kind), Id: c.Record.ID[:], Fields: []*entrypb.FieldValue{
		{Field: uint32(c.Field), Value: f.Entries[choice-1].Value},
	}}
	if k, ok := g.cfg.Ledger.Kinds().ByNumber(c.Record.Kind); ok {
		m.KindVersion = k.Version
	}
	for _, e := range f.Entries {
		for _, d := range e.Dots {
			m.Resolves = append(m.Resolves, fieldDot(c.Field, d))
		}
	}
	return m, nil
}

func fieldDot(n syncproto.FieldNumber, d syncproto.Dot) *entrypb.FieldDot {
	return &entrypb.FieldDot{Field: uint32(n), Journal: uint64(d.Journal), Seq: d.Seq, Tag: d.Tag}
}

// parseDot reads what [syncproto.Dot.String] gives.
func parseDot(s string) (d syncproto.Dot, err error) {
	var j uint64
	if _, err = fmt.Sscanf(s, "%16x/%d/%8x", &j, &d.Seq, &d.Tag); err != nil {
		return d, fmt.Errorf("read dot: %w", err)
	}
	d.Journal = syncproto.JournalID(j)
	return d, nil
}

func numberName(n uint16) string { return strconv.Itoa(int(n)) }

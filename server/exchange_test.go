package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// Numbers of the kind files that the tests write; kind's own tests keep them permanent.
const (
	kindMember = 2
	kindEvent  = 3
)

// note is a change to a field of a kind that no kind file names: anything goes.
func note(id byte, value string) syncproto.Change {
	return syncproto.Change{Kind: 900, KindVersion: 1, ID: syncproto.RecordID{id}, Actor: "t",
		Edits: []syncproto.Edit{{Field: 20, Value: []byte(value)}}}
}

// TestTwoPCsOfAUnion: what one saves the other fetches, both ends prove equal, and the
// centre can tell.
func TestTwoPCsOfAUnion(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	a, b := c.enrolPC(n, "u1"), c.enrolPC(n, "u1")
	for i := range 120 {
		a.Save(note(byte(i+1), "甲"))
	}
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	q.Client = &syncpb.Client{Version: "test", Waiting: 120, Alarms: 1}
	r, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := a.Take(sent, r); err != nil || !u.Equal || a.State.Receipt != a.State.Head {
		t.Fatalf("receipt %v of %v: %v", a.State.Receipt, a.State.Head, err)
	}
	if list, err := c.admin(n).ListOrg(t.Context(), &unionrpc.ListOrgRequest{Text: "u1"}); err != nil || Units(list)[0].Waiting != 0 {
		t.Fatalf("still waiting: %v %v", list, err)
	}
	if u := b.sync(n); !u.Equal || len(b.Layer()) != 120 {
		t.Fatalf("equal %v with %d records", u.Equal, len(b.Layer()))
	}
	b.Save(note(7, "乙"))
	b.sync(n)
	a.sync(n)
	if d := cmp.Diff(encoded(a.Agent), encoded(b.Agent)); d != "" {
		t.Fatal(d)
	}
	a.sync(n) // reports what it proved
	list, err := c.admin(n).ListOrg(t.Context(), &unionrpc.ListOrgRequest{Parent: "330702"})
	if err != nil {
		t.Fatal(err)
	}
	units := Units(list)
	if len(units) != 2 || units[0].Code != "u1" || units[0].Devices != 2 || units[0].Complete == 0 || !units[0].Proved {
		t.Fatalf("%+v", units)
	}
	if units[1].Heard != 0 || units[1].Devices != 0 {
		t.Fatalf("a union that never came: %+v", units[1])
	}
}

func encoded(a *sessiontest.Agent) map[syncproto.RecordKey]string {
	out := map[syncproto.RecordKey]string{}
	for k, r := range a.Layer() {
		h := merge.Hash(k, r)
		out[k] = string(h[:])
	}
	return out
}

// TestIdleExchangeCommitsNothing: a night of idle exchanges must not fill the log.
func TestIdleExchangeCommitsNothing(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{Contacts: patience})
	n := c.nodes[0]
	c.importUnions("u1")
	a := c.enrolPC(n, "u1")
	a.Save(note(1, "x"))
	a.sync(n)
	before := n.ledger.Applied()
	for range 3 {
		a.sync(n)
	}
	if got := n.ledger.Applied(); got != before {
		t.Fatalf("applied went from %d to %d", before, got)
	}
	state := c.state(n) // asks for the status, which commits the note
	if state.applied != before+1 {
		t.Fatalf("the pooled notes took %d entries", state.applied-before)
	}
}

// TestSameRequestAgain: an answer that was lost costs a resend and never a second change.
func TestSameRequestAgain(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{Contacts: patience})
	n := c.nodes[0]
	c.importUnions("u1")
	a := c.enrolPC(n, "u1")
	a.Save(note(1, "x"))
	a.Save(note(2, "y"))
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	before := n.ledger.Applied()
	again, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(verdicts(first), verdicts(again)); d != "" {
		t.Fatal(d)
	}
	if after := n.ledger.Applied(); after != before {
		t.Fatalf("it cost %d log entries", after-before)
	}
	if u, err := a.Take(sent, again); err != nil || !u.Equal {
		t.Fatal(u, err)
	}
}

func verdicts(r *syncpb.Response) []string {
	var out []string
	for _, v := range r.GetVerdicts() {
		out = append(out, v.String())
	}
	return out
}

// TestSegmentsStandAlone: a segment that is refused does not touch the others of the
// request, and changes nothing.
func TestSegmentsStandAlone(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	a, other, stranger := c.enrolPC(n, "u1"), c.enrolPC(n, "u1"), c.enrolPC(n, "u2")
	segment := func(p *pc, union string, first byte) *syncpb.Segment {
		agent := sessiontest.NewAgent(union, syncproto.JournalID(first), nil)
		agent.Key = p.Key
		agent.Save(note(first, "v"))
		q, _, err := agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		s := q.GetBatch()[0]
		s.Journal = uint64(first)
		s.Signer = p.id
		return s
	}
	late := segment(a, "u1", 11)
	late.First, late.Previous = 5, make([]byte, syncproto.WireHashSize)
	empty := segment(a, "u1", 12)
	empty.Changes = nil
	forged := segment(a, "u1", 13)
	forged.Signature[10] ^= 1
	wrongSigner := segment(stranger, "u1", 14)
	nobody := segment(a, "u1", 15)
	nobody.Signer = []byte("nobody")
	q, _, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	q.Batch = []*syncpb.Segment{
		segment(a, "u1", 10), late, empty, forged, wrongSigner, nobody, segment(other, "u1", 16), segment(a, "u2", 17),
	}
	head := n.ledger.Head()
	r, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint32]syncproto.Code{
		1: syncproto.CodeUnknownPrevious, 2: syncproto.CodeSegment, 3: syncproto.CodeSignature,
		4: syncproto.CodeSignerUnknown, 5: syncproto.CodeSignerUnknown, 7: syncproto.CodeSignature, // signed for another union
	}
	got := map[uint32]syncproto.Code{}
	for _, f := range r.GetRefused() {
		got[f.GetSegment()] = syncproto.Code(f.GetCode())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if len(r.GetVerdicts()) != 2 || n.ledger.Head() != head+2 {
		t.Fatalf("%d verdicts, head %s after %s", len(r.GetVerdicts()), n.ledger.Head(), head)
	}
}

// TestSegmentsByTurns: a refill brings the changes of two PCs in their old order, so that one
// journal has several segments in a request: each is taken behind the one before it. One whose
// predecessor is refused is refused too.
func TestSegmentsByTurns(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	a, b := c.enrolPC(n, "u1"), c.enrolPC(n, "u1")
	tips := map[syncproto.JournalID]syncproto.Place{}
	segment := func(p *pc, j syncproto.JournalID, id byte) *syncpb.Segment {
		change, before := note(id, "v"), tips[j]
		change.Union, before.Journal = "u1", j
		raw := change.Encode(j)
		s := &syncpb.Segment{Journal: uint64(j), First: before.Seq + 1, Changes: [][]byte{raw}, Signer: p.id}
		if before.Seq > 0 {
			s.Previous = before.Hash.Wire()
		}
		tips[j] = before.Next(raw)
		s.Signature = seal.Sign(p.Key, syncproto.DomainSegment, syncproto.SegmentMessage("u1", tips[j]))
		return s
	}
	q, _, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	q.Batch = []*syncpb.Segment{segment(a, 10, 1), segment(b, 11, 2), segment(a, 10, 3), segment(b, 11, 4), segment(a, 12, 5), segment(a, 12, 6)}
	q.Batch[4].Signature[10] ^= 1
	head := n.ledger.Head()
	r, err := a.exchange(n.ready.API)(q)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint32]syncproto.Code{}
	for _, f := range r.GetRefused() {
		got[f.GetSegment()] = syncproto.Code(f.GetCode())
	}
	if d := cmp.Diff(map[uint32]syncproto.Code{4: syncproto.CodeSignature, 5: syncproto.CodeUnknownPrevious}, got); d != "" {
		t.Error(d)
	}
	if now := n.ledger.Head(); now != head+4 {
		t.Errorf("head %s after %s, want four changes", now, head)
	}
}

// TestValuesAreHeld: what is not canonical for its field never touches a record; what a
// newer agent may know passes.
func TestValuesAreHeld(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	a := c.enrolPC(n, "u1")
	k, ok := n.ledger.Kinds().Kind("member")
	if !ok {
		t.Fatal("no members")
	}
	field := func(name string) syncproto.FieldNumber {
		f, ok := k.Field(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		return f.Number
	}
	member := func(id byte, version uint32, f syncproto.FieldNumber, value string) syncproto.Change {
		return syncproto.Change{Kind: kindMember, KindVersion: version, ID: syncproto.RecordID{id}, Actor: "t",
			Edits: []syncproto.Edit{{Field: f, Value: []byte(value)}}}
	}
	rows := []struct {
		why    string
		change syncproto.Change
		want   syncproto.HeldReason
	}{
		{"a good value", member(1, k.Version, field("birth"), "1990-02-28"), syncproto.HeldNot},
		{"a day that no calendar has", member(2, k.Version, field("birth"), "1990-02-30"), syncproto.HeldValue},
		{"a code that is in no table", member(3, k.Version, field("sex"), "zz"), syncproto.HeldValue},
		{"the same from a newer kind file", member(4, k.Version+1, field("sex"), "zz"), syncproto.HeldNot},
		{"a field of a newer agent", member(5, k.Version, 9999, "?"), syncproto.HeldNot},
		{"a kind of a newer agent", note(6, "?"), syncproto.HeldNot},
		{"text that is not UTF-8", member(7, k.Version, field("name"), "\xff\xfe"), syncproto.HeldValue},
		{"a reference of a wrong length", member(8, k.Version, syncproto.FieldSameAs, "short"), syncproto.HeldValue},
		{"a void with a reason", member(9, k.Version, syncproto.FieldVoid, "录错"), syncproto.HeldNot},
		{"a later change behind the held one", member(2, k.Version, field("birth"), "1990-02-28"), syncproto.HeldBehind},
	}
	for _, r := range rows {
		a.Save(r.change)
	}
	a.Append([]byte{0xff, 0xff, 0xff}, nil) // bytes that are no change at all
	a.sync(n)
	for i, r := range rows {
		if v := a.Verdicts()[uint64(i+1)]; v.Reason != r.want || (v.Kind == syncproto.VerdictHeld) != (r.want != syncproto.HeldNot) {
			t.Errorf("%s: %s %s, want %s", r.why, v.Kind, v.Reason, r.want)
		}
	}
	if v := a.Verdicts()[uint64(len(rows)+1)]; v.Reason != syncproto.HeldMalformed {
		t.Errorf("no change at all: %s", v.Reason)
	}
	if a.State.Receipt != a.State.Head {
		t.Error("held changes are receipted too")
	}
}

// TestCounts: from two devices to the city's number, through the log and the census.
func TestCounts(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	for u, ids := range map[string][]string{"u1": {"11010519491231002X"}, "u2": {"440524188001010014"}} {
		p := c.enrolPC(n, u)
		for i, id := range ids {
			p.joins(n, byte(i+1), id, "2020-01-01")
		}
		p.sync(n)
		for seq, v := range p.Verdicts() {
			if v.Kind != syncproto.VerdictApplied {
				t.Fatalf("change %d: %s %s", seq, v.Kind, v.Reason)
			}
		}
	}
	head := n.ledger.Head()
	a, err := c.admin(n).Counts(t.Context(), &unionrpc.CountsRequest{Day: "2026-01-01", By: []string{"union"}, AtLeast: uint64(head)})
	if err != nil {
		t.Fatal(err)
	}
	if a.Total.Members != 2 || a.Unions.Fresh != 2 || a.Unions.Grassroots != 2 || len(a.Rows) != 2 {
		t.Fatalf("%+v", a)
	}
	if a, err = c.admin(n).Counts(t.Context(), &unionrpc.CountsRequest{
		Day: "2026-01-01", Filter: []*unionrpc.CountsFilter{{Dimension: "union", Codes: []string{"u2"}}}}); err != nil || a.Total.Members != 1 {
		t.Fatal(a, err)
	}
	_, err = c.admin(n).Counts(t.Context(), &unionrpc.CountsRequest{Day: "yesterday"})
	wantCode(t, err, syncproto.CodeCountDay)
	_, err = c.admin(n).Counts(t.Context(), &unionrpc.CountsRequest{By: []string{"moon"}})
	wantCode(t, err, syncproto.CodeCountDimension)
}

// joins saves a member and the event that makes it one.
func (p *pc) joins(n *running, id byte, number, day string) {
	p.t.Helper()
	set := func(kindName string, values map[string]string) []syncproto.Edit {
		k, ok := n.ledger.Kinds().Kind(kindName)
		if !ok {
			p.t.Fatalf("no kind %s", kindName)
		}
		var edits []syncproto.Edit
		for _, f := range k.Fields {
			if v, ok := values[f.Name]; ok {
				edits = append(edits, syncproto.Edit{Field: f.Number, Value: []byte(v)})
			}
		}
		return edits
	}
	member := syncproto.RecordID{1, id}
	p.Save(syncproto.Change{Kind: kindMember, KindVersion: 1, ID: member, Actor: "t", Group: 1,
		Edits: set("member", map[string]string{"name": "某某", "id_type": "111", "id_no": number})})
	p.Save(syncproto.Change{Kind: kindEvent, KindVersion: 1, ID: syncproto.RecordID{2, id}, Actor: "t", Group: 1,
		Edits: set("membership-event", map[string]string{"member": string(member[:]), "type": "1", "date": day})})
}

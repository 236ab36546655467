package union_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// town is a centre with some PCs of one union, all of which have one member.
type town struct {
	t  *testing.T
	c  *agenttest.Centre
	pc []*station
	id syncproto.RecordID
}

func newTown(t *testing.T, pcs int) *town {
	w := &town{t: t, c: exchangeCentre(t)}
	for i := range pcs {
		w.pc = append(w.pc, newStation(t, w.c, byte(i+1)))
	}
	w.pc[0].mustSync()
	w.id = addMember(t, w.pc[0].u, 1)
	w.sync()
	return w
}

// sync makes everybody know everything.
func (w *town) sync() {
	w.t.Helper()
	for range 2 {
		for _, p := range w.pc {
			p.mustSync()
		}
	}
	for _, p := range w.pc {
		p.equal()
	}
}

// set saves on one PC.
func (w *town) set(pc int, field, value string) {
	w.t.Helper()
	_, err := w.pc[pc].u.Save(ctx, union.Draft{Kind: "member", ID: w.id, Text: map[string]string{field: value}})
	must(w.t, err)
}

func (w *town) draft(pc int, d union.Draft) {
	w.t.Helper()
	d.Kind, d.ID = "member", w.id
	_, err := w.pc[pc].u.Save(ctx, d)
	must(w.t, err)
}

// cases says what one PC shows, a line for each case, with its choices.
func (w *town) cases(pc int) []string {
	w.t.Helper()
	all, err := w.pc[pc].u.Cases(ctx)
	must(w.t, err)
	var out []string
	for _, c := range all {
		line := string(c.Type)
		if c.Type != union.CaseHeld && c.Type != union.CaseFork {
			line += fmt.Sprint(" ", c.Field)
		}
		for _, x := range c.Choices {
			line += " " + wordOf(x)
		}
		for _, x := range c.Unseen {
			line += fmt.Sprint(" unseen ", x.Field, " ", wordOf(x.Choice))
		}
		for _, h := range c.Held {
			line += " " + h.Reason.String()
		}
		out = append(out, line)
	}
	return out
}

func wordOf(x union.Choice) string {
	if x.Cleared {
		return "none"
	}
	return string(x.Value)
}

// want compares the cases of all PCs.
func (w *town) want(why string, lines ...string) {
	w.t.Helper()
	for i := range w.pc {
		if got := w.cases(i); !slices.Equal(got, lines) {
			w.t.Errorf("%s: PC %d shows %q, want %q", why, i, got, lines)
		}
	}
}

// decide decides the only case of a PC.
func (w *town) decide(pc int, d union.Decision) {
	w.t.Helper()
	all, err := w.pc[pc].u.Cases(ctx)
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("PC %d has %d cases", pc, len(all))
	}
	_, err = w.pc[pc].u.Decide(ctx, all[0], d)
	must(w.t, err)
}

// choose decides for a value by what it says.
func (w *town) choose(pc int, word string) {
	w.t.Helper()
	all, err := w.pc[pc].u.Cases(ctx)
	must(w.t, err)
	i := slices.IndexFunc(all[0].Choices, func(x union.Choice) bool { return wordOf(x) == word })
	w.decide(pc, union.Decision{Choose: i + 1})
}

func (w *town) value(pc int, n syncproto.FieldNumber) string {
	w.t.Helper()
	r, err := w.pc[pc].u.Get("member", w.id)
	must(w.t, err)
	return r.Record.Text(n)
}

var education = field("education")

// TestConflictIsDecided: both see both values; one decides, the other sees the outcome after
// its sync.
func TestConflictIsDecided(t *testing.T) {
	w := newTown(t, 2)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.want("before they know of each other")
	w.sync()
	first := w.value(0, education)
	w.want("a conflict", w.cases(0)...)
	if got := w.cases(1); len(got) != 1 || len(strings.Fields(got[0])) != 4 {
		t.Fatalf("%q", got)
	}
	all, err := w.pc[1].u.Cases(ctx)
	must(t, err)
	c := all[0]
	own := slices.IndexFunc(c.Choices, func(x union.Choice) bool { return x.Own() })
	if len(c.Number) < 4 || own < 0 || c.Choices[own].By[0].Actor != "王芳" || c.Choices[own].By[0].Time != w.pc[1].now {
		t.Errorf("%+v", c)
	}
	if again, err := w.pc[1].u.Case(ctx, c.Number); err != nil || again.ID != w.id {
		t.Errorf("%+v, %v", again, err)
	}
	w.decide(1, union.Decision{Choose: 2})
	if got := w.cases(1); len(got) != 0 {
		t.Errorf("decided, and still %q", got)
	}
	w.sync()
	w.want("decided")
	if w.value(0, education) == first || w.value(0, education) != w.value(1, education) {
		t.Errorf("the outcome is %s and %s", w.value(0, education), w.value(1, education))
	}
}

// TestNumberIsOfWhatWasSeen: a decision counts for what the person saw. When a third value has
// come, the number is another, and the old one decides nothing.
func TestNumberIsOfWhatWasSeen(t *testing.T) {
	w := newTown(t, 3)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.set(2, "education", "大学专科")
	w.pc[0].mustSync()
	w.pc[1].mustSync()
	all, err := w.pc[1].u.Cases(ctx)
	must(t, err)
	w.sync()
	if _, err := w.pc[1].u.Case(ctx, all[0].Number); syncproto.CodeOf(err) != syncproto.CodeCaseGone {
		t.Errorf("the number of what was seen: %v", err)
	}
	head := w.pc[1].u.Head()
	if _, err := w.pc[1].u.Decide(ctx, all[0], union.Decision{Choose: 1}); syncproto.CodeOf(err) != syncproto.CodeCaseGone {
		t.Errorf("deciding by what was seen: %v", err)
	}
	if w.pc[1].u.Head() != head {
		t.Error("something was saved")
	}
	if got := w.cases(1); len(got) != 1 || len(strings.Fields(got[0])) != 5 {
		t.Errorf("%q", got)
	}
	all, err = w.pc[1].u.Cases(ctx)
	must(t, err)
	w.set(2, "education", "初中") // as many values as before, one of them another
	w.sync()
	if _, err := w.pc[1].u.Case(ctx, all[0].Number); syncproto.CodeOf(err) != syncproto.CodeCaseGone {
		t.Errorf("a value was replaced: %v", err)
	}
}

// TestTwoDecisions: two that differ leave the case open at both, with both decisions; two
// that are equal agree; a third value settles it too.
func TestTwoDecisions(t *testing.T) {
	w := newTown(t, 2)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.sync()
	a, b := w.cases(0)[0], strings.Fields(w.cases(0)[0])
	w.choose(0, b[2])
	w.choose(1, b[3])
	w.sync()
	open := w.cases(0)
	w.want("two different decisions", open...)
	if len(open) != 1 || len(strings.Fields(open[0])) != 4 {
		t.Fatalf("%q after %q", open, a)
	}
	w.choose(0, b[3])
	w.choose(1, b[3])
	w.sync()
	w.want("two equal decisions")
	if w.value(0, education) != b[3] {
		t.Errorf("agreed on %s, and it is %s", b[3], w.value(0, education))
	}
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "大学专科")
	w.sync()
	third := "初中"
	w.decide(0, union.Decision{Text: &third})
	w.sync()
	w.want("neither of them")
}

// TestVoidAgainstEdit: who voids a record without knowing of an edit asks a question; either
// answer ends it, and an answer is not doubted itself.
func TestVoidAgainstEdit(t *testing.T) {
	for _, keep := range []bool{true, false} {
		w := newTown(t, 2)
		w.set(0, "education", "博士研究生")
		w.draft(1, union.Draft{Void: "录错人"})
		w.sync()
		code := w.value(0, education)
		w.want("void and edit", fmt.Sprintf("void %d 录错人 none unseen %d %s", syncproto.FieldVoid, education, code))
		if keep {
			w.choose(0, "录错人")
		} else {
			w.choose(0, "none")
		}
		w.sync()
		w.want("decided")
		for i := range w.pc {
			if r := get(t, w.pc[i].u, w.id); (r.Void != "") != keep {
				t.Errorf("keep %v: PC %d shows void %q", keep, i, r.Void)
			}
		}
	}
}

// TestVoidWithdrawn: one withdraws a void, another voids with another reason.
func TestVoidWithdrawn(t *testing.T) {
	w := newTown(t, 2)
	w.draft(0, union.Draft{Void: "录错人"})
	w.sync()
	w.want("a void that nobody doubts")
	w.draft(0, union.Draft{Clear: []syncproto.FieldNumber{syncproto.FieldVoid}})
	w.draft(1, union.Draft{Void: "重复"})
	w.sync()
	if got := w.cases(1); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprint("conflict ", syncproto.FieldVoid)) {
		t.Fatalf("%q", got)
	}
	w.choose(1, "none")
	w.sync()
	w.want("withdrawn")
	if r := get(t, w.pc[0].u, w.id); r.Void != "" {
		t.Errorf("still void: %s", r.Void)
	}
}

// TestConflictInVoidRecord: deciding about a field of a void record raises no new doubt.
func TestConflictInVoidRecord(t *testing.T) {
	w := newTown(t, 2)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.sync()
	w.draft(0, union.Draft{Void: "录错人"})
	w.sync()
	w.decide(1, union.Decision{Choose: 2})
	w.sync()
	w.want("decided")
	if r := get(t, w.pc[0].u, w.id); r.Void == "" {
		t.Error("not void any more")
	}
}

// TestSameAs: two say of a record that it is a copy, of different ones.
func TestSameAs(t *testing.T) {
	w := newTown(t, 2)
	a, b := addMember(t, w.pc[0].u, 2), addMember(t, w.pc[0].u, 3)
	w.sync()
	w.draft(0, union.Draft{Values: kind.Values{syncproto.FieldSameAs: a[:]}})
	w.draft(1, union.Draft{Values: kind.Values{syncproto.FieldSameAs: b[:]}})
	w.sync()
	w.want("two same-as", w.cases(0)...)
	w.choose(1, string(b[:]))
	w.sync()
	w.want("decided")
	if r := get(t, w.pc[0].u, w.id); string(r.SameAs) != string(b[:]) {
		t.Errorf("same as %x", r.SameAs)
	}
}

// TestSetsAskNothing: additions and removals of elements meet without a case; an addition
// survives a removal that had not seen it.
func TestSetsAskNothing(t *testing.T) {
	w := newTown(t, 2)
	posts := field("union_post")
	one := func(code string) map[syncproto.FieldNumber][][]byte {
		return map[syncproto.FieldNumber][][]byte{posts: {[]byte(code)}}
	}
	w.draft(0, union.Draft{Add: one("chair")})
	w.sync()
	w.draft(0, union.Draft{Remove: one("chair"), Add: one("vice")})
	w.draft(1, union.Draft{Add: one("audit")})
	w.sync()
	w.want("sets")
	for i := range w.pc {
		if got := string(get(t, w.pc[i].u, w.id).Values[posts]); got != string(kind.JoinSet([]string{"audit", "vice"})) {
			t.Errorf("PC %d has %q", i, got)
		}
	}
}

// TestHeldIsDecided: what was sent back is dropped, or put right and saved anew.
func TestHeldIsDecided(t *testing.T) {
	w := newTown(t, 2)
	bad := func(c *syncproto.Change) syncproto.HeldReason {
		if e := c.Edit(education); e != nil && string(e.Value) == "11" { // as if the centre knew better
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	w.c.Union(exchangeUnion).Hold = bad
	w.set(0, "education", "博士研究生")
	if w.value(0, education) != "11" {
		t.Fatalf("code %s", w.value(0, education))
	}
	w.set(0, "department", "装配车间")
	w.sync()
	if got := w.cases(0); !slices.Equal(got, []string{"held value behind"}) {
		t.Fatalf("%q", got)
	}
	if got := w.cases(1); len(got) != 0 {
		t.Errorf("the other PC shows %q", got)
	}
	w.decide(0, union.Decision{Resave: true, Fix: map[string]string{"education": "硕士研究生"}})
	if got := w.cases(0); len(got) != 0 {
		t.Errorf("saved anew, and still %q", got)
	}
	w.sync()
	w.want("saved anew")
	if r := get(t, w.pc[1].u, w.id); string(r.Values[field("department")]) != "装配车间" || string(r.Values[education]) == "11" {
		t.Errorf("the other PC has %v", r.Values)
	}
	w.set(0, "education", "博士研究生")
	w.sync()
	w.decide(0, union.Decision{Drop: true})
	w.sync()
	w.want("dropped")
	if w.value(0, education) == "11" {
		t.Error("what was dropped is shown")
	}
}

// TestHeldNewRecord: a record of which everything was sent back is saved anew under its id.
func TestHeldNewRecord(t *testing.T) {
	w := newTown(t, 2)
	w.c.Union(exchangeUnion).Hold = func(c *syncproto.Change) syncproto.HeldReason {
		if c.Kind == 2 && c.Verb == syncproto.VerbNone && c.Note == "" {
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	id := addMember(t, w.pc[0].u, 5)
	w.sync()
	if got := w.cases(0); !slices.Equal(got, []string{"held value"}) {
		t.Fatalf("%q", got)
	}
	w.decide(0, union.Decision{Resave: true, Note: "更正"})
	w.sync()
	w.want("saved anew")
	if r := get(t, w.pc[1].u, id); len(r.Values) < 5 {
		t.Errorf("the other PC has %v", r.Values)
	}
}

// TestWrongDecisions change nothing.
func TestWrongDecisions(t *testing.T) {
	w := newTown(t, 2)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.sync()
	all, err := w.pc[0].u.Cases(ctx)
	must(t, err)
	head := w.pc[0].u.Head()
	wrong := "没有的学历"
	for _, row := range []struct {
		why  string
		d    union.Decision
		code syncproto.Code
	}{
		{"a choice that is not there", union.Decision{Choose: 3}, syncproto.CodeCaseChoice},
		{"a negative one", union.Decision{Choose: -1}, syncproto.CodeCaseChoice},
		{"dropping what is not held", union.Decision{Drop: true}, syncproto.CodeCaseWay},
		{"saving anew what is not held", union.Decision{Resave: true}, syncproto.CodeCaseWay},
		{"nothing said", union.Decision{}, syncproto.CodeCaseWay},
		{"a value that is none", union.Decision{Text: &wrong}, syncproto.CodeRefused},
	} {
		if _, err := w.pc[0].u.Decide(ctx, all[0], row.d); syncproto.CodeOf(err) != row.code {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if w.pc[0].u.Head() != head {
		t.Error("something was saved")
	}
}

// TestForkIsACase: two PCs that use one journal say so, both; another PC of the union does not.
func TestForkIsACase(t *testing.T) {
	w := newTown(t, 2)
	clone := copyOf(t, w.pc[0], 9)
	w.set(0, "department", "一车间")
	if _, err := clone.u.Save(ctx, union.Draft{Kind: "member", ID: w.id, Text: map[string]string{"post": "钳工"}}); err != nil {
		t.Fatal(err)
	}
	settleAll(w.pc[0], clone, w.pc[1])
	w.pc = append(w.pc, clone)
	for i, want := range []int{1, 0, 1} {
		got := w.cases(i)
		if len(got) != want || want == 1 && got[0] != "fork" {
			t.Errorf("PC %d shows %q", i, got)
		}
	}
	all, err := clone.u.Cases(ctx)
	must(t, err)
	if _, err := clone.u.Decide(ctx, all[0], union.Decision{Choose: 1}); syncproto.CodeOf(err) != syncproto.CodeCaseWay {
		t.Errorf("deciding a fork: %v", err)
	}
}

// TestDecisionsConverge: whatever edits and decisions several PCs make in whatever order of
// syncs, in the end all show the same cases; and when one decides all of them, none is left
// anywhere.
func TestDecisionsConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(t, 2)
		words := []string{"博士研究生", "硕士研究生", "大学专科", "初中"}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			pc := rapid.IntRange(0, 1).Draw(rt, "pc")
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				w.try(pc, union.Draft{Text: map[string]string{"education": rapid.SampledFrom(words).Draw(rt, "value")}})
			case 1:
				w.try(pc, union.Draft{Void: rapid.SampledFrom([]string{"录错人", "重复"}).Draw(rt, "reason")})
			case 2:
				w.try(pc, union.Draft{Clear: []syncproto.FieldNumber{syncproto.FieldVoid}})
			case 3, 4:
				w.pc[pc].mustSync()
			case 5:
				w.decideAll(rt, pc)
			}
		}
		w.sync()
		w.want("after all", w.cases(0)...)
		for range 4 { // one decision may raise what another one left
			w.decideAll(rt, 1)
			w.sync()
		}
		w.want("after one has decided")
		for _, p := range w.pc {
			must(t, p.u.Close())
		}
	})
}

// try saves; that nothing differs is fine.
func (w *town) try(pc int, d union.Draft) {
	w.t.Helper()
	d.Kind, d.ID = "member", w.id
	if _, err := w.pc[pc].u.Save(ctx, d); err != nil && syncproto.CodeOf(err) != syncproto.CodeNothingChanged {
		w.t.Fatal(err)
	}
}

func (w *town) decideAll(rt *rapid.T, pc int) {
	w.t.Helper()
	all, err := w.pc[pc].u.Cases(ctx)
	must(w.t, err)
	for _, c := range all {
		_, err := w.pc[pc].u.Decide(ctx, c, union.Decision{Choose: rapid.IntRange(1, len(c.Choices)).Draw(rt, "choice")})
		if err != nil && syncproto.CodeOf(err) != syncproto.CodeCaseGone { // another decision of this round changed it
			w.t.Fatal(err)
		}
	}
}

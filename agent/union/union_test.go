package union_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

var ctx = context.Background()

var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))

func options() union.Options {
	return union.Options{Key: &uniontest.Key, Kinds: kind.Embedded(), Actor: "王会计", Timeout: 20 * time.Millisecond,
		Now: func() time.Time { return day }}
}

func create(t testing.TB) (*union.Union, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "u")
	u, err := uniontest.Create(dir, "0579-1", options())
	must(t, err)
	t.Cleanup(func() { _ = u.Close() }) // tests close in their own way
	return u, dir
}

func reopen(t testing.TB, dir string) *union.Union {
	t.Helper()
	u, err := union.Open(dir, options())
	must(t, err)
	t.Cleanup(func() { _ = u.Close() })
	return u
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func field(name string) syncproto.FieldNumber { return uniontest.Field("member", name) }

// addMember saves the n-th invented member and gives its id.
func addMember(t testing.TB, u *union.Union, n int) syncproto.RecordID {
	t.Helper()
	saved, err := uniontest.Members(ctx, u, n, 1)
	must(t, err)
	return saved[0].ID
}

func get(t testing.TB, u *union.Union, id syncproto.RecordID) union.Row {
	t.Helper()
	r, err := u.Get("member", id)
	must(t, err)
	return r
}

func TestSaveAndGet(t *testing.T) {
	u, dir := create(t)
	d, err := uniontest.Member(u, 1)
	must(t, err)
	saved, err := u.SaveGroup(ctx, d)
	must(t, err)
	if len(saved) != 2 || !saved[0].New || saved[0].Place.Seq != 1 || saved[1].Place.Seq != 2 || u.Head() != saved[1].Place {
		t.Errorf("saved %+v", saved)
	}
	check := func(u *union.Union) {
		t.Helper()
		r := get(t, u, d[0].ID)
		if got := string(r.Values[field("mobile")]); got != "13900000001" {
			t.Errorf("mobile %q", got)
		}
		if len(r.Values[field("birth")]) == 0 || string(r.Values[field("new_form")]) != "0" {
			t.Error("nothing was derived or filled in")
		}
		events, err := u.Referring("membership-event", "member", d[0].ID)
		if len(events) != 1 || err != nil {
			t.Errorf("events: %d, %v", len(events), err)
		}
		rows, err := u.ByKey("member", []string{"111", string(r.Values[field("id_no")])})
		if len(rows) != 1 || err != nil || rows[0].ID != d[0].ID {
			t.Errorf("by document: %d, %v", len(rows), err)
		}
	}
	check(u)
	must(t, u.Close())
	check(reopen(t, dir))
}

func TestEditSavesOnlyWhatDiffers(t *testing.T) {
	u, _ := create(t)
	id := addMember(t, u, 1)
	before := get(t, u, id)
	_, err := u.Save(ctx, union.Draft{Kind: "member", ID: id, Note: "更正", Text: map[string]string{
		"mobile": "13900000001", "department": "装配车间", "post": "  "}})
	must(t, err)
	h, err := u.History(ctx, "member", id)
	must(t, err)
	last := h[len(h)-1]
	if len(last.Changes) != 1 || last.Changes[0].Field != field("department") || last.Note != "更正" || last.Actor != "王会计" {
		t.Errorf("history ends with %+v", last)
	}
	for name, d := range map[string]union.Draft{
		"the same value":          {Text: map[string]string{"mobile": " 139 0000 0001 "}},
		"clearing what is empty":  {Clear: []syncproto.FieldNumber{field("remark")}},
		"an element that is here": {Add: map[syncproto.FieldNumber][][]byte{}},
	} {
		d.Kind, d.ID = "member", id
		if _, err := u.Save(ctx, d); syncproto.CodeOf(err) != syncproto.CodeNothingChanged {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := get(t, u, id); string(after.Values[field("name")]) != string(before.Values[field("name")]) {
		t.Error("another field changed")
	}
}

func TestSets(t *testing.T) {
	u, _ := create(t)
	id := addMember(t, u, 1)
	post := field("union_post")
	k, _ := kind.Embedded().Kind("member")
	f, _ := k.FieldByNumber(post)
	a, b, c := f.Table.Codes[0].Code, f.Table.Codes[1].Code, f.Table.Codes[2].Code
	step := func(d union.Draft, want ...string) {
		t.Helper()
		d.Kind, d.ID = "member", id
		_, err := u.Save(ctx, d)
		must(t, err)
		if diff := cmp.Diff(kind.SplitSet(kind.JoinSet(want)), kind.SplitSet(get(t, u, id).Values[post])); diff != "" {
			t.Error(diff)
		}
	}
	step(union.Draft{Values: kind.Values{post: kind.JoinSet([]string{a, b})}}, a, b)
	step(union.Draft{Add: map[syncproto.FieldNumber][][]byte{post: {[]byte(c), []byte(a)}}}, a, b, c)
	step(union.Draft{Remove: map[syncproto.FieldNumber][][]byte{post: {[]byte(a)}}}, b, c)
	step(union.Draft{Values: kind.Values{post: kind.JoinSet([]string{a})}}, a)
	step(union.Draft{Clear: []syncproto.FieldNumber{post}})
}

func TestRefuses(t *testing.T) {
	u, dir := create(t)
	id := addMember(t, u, 1)
	events, err := u.Referring("membership-event", "member", id)
	must(t, err)
	other, err := u.NewID()
	must(t, err)
	head := u.Head()
	long := strings.Repeat("长", 500)
	rows := []struct {
		name string // why the row is here
		d    union.Draft
		code syncproto.Code
	}{
		{"a kind nobody knows", union.Draft{Kind: "cat"}, syncproto.CodeUnknownKind},
		{"a field nobody knows", union.Draft{Kind: "member", ID: id, Text: map[string]string{"tail": "x"}}, syncproto.CodeUnknownName},
		{"a number nobody knows", union.Draft{Kind: "member", ID: id, Values: kind.Values{999: []byte("x")}}, syncproto.CodeUnknownName},
		{"a record that is not here", union.Draft{Kind: "member", ID: other, Text: map[string]string{"post": "x"}}, syncproto.CodeNotFound},
		{"a new record with an id in use", union.Draft{Kind: "member", ID: id, New: true, Text: map[string]string{"name": "x"}}, syncproto.CodeRecordExists},
		{"required fields missing", union.Draft{Kind: "member", Text: map[string]string{"name": "张三"}}, syncproto.CodeRefused},
		{"a value that cannot be read", union.Draft{Kind: "member", ID: id, Text: map[string]string{"mobile": "12"}}, syncproto.CodeRefused},
		{"a canonical value of another type", union.Draft{Kind: "member", ID: id, Values: kind.Values{field("birth"): []byte("never")}}, syncproto.CodeRefused},
		{"a required field emptied", union.Draft{Kind: "member", ID: id, Text: map[string]string{"name": " "}}, syncproto.CodeRefused},
		{"an event of a member who is not here", union.Draft{Kind: "membership-event", Values: kind.Values{10: other[:]},
			Text: map[string]string{"type": "1", "date": "2024-01-01"}}, syncproto.CodeRefused},
		{"an event is not edited", union.Draft{Kind: "membership-event", ID: events[0].ID, Text: map[string]string{"date": "2024-01-01"}}, syncproto.CodeAppendOnly},
		{"a note beyond its limit", union.Draft{Kind: "member", ID: id, Note: long, Text: map[string]string{"post": "焊工"}}, syncproto.CodeInvalid},
		{"no difference at all", union.Draft{Kind: "member", ID: id}, syncproto.CodeNothingChanged},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if _, err := u.Save(ctx, r.d); syncproto.CodeOf(err) != r.code {
				t.Errorf("%v, want code %d", err, r.code)
			}
			if u.Head() != head {
				t.Error("something was saved")
			}
		})
	}
	var refused *union.Refused
	_, err = u.SaveGroup(ctx, []union.Draft{{Kind: "member", ID: id, Text: map[string]string{"post": "焊工"}}, rows[5].d})
	if !errors.As(err, &refused) || refused.Draft != 1 || len(refused.Findings) == 0 || !refused.Findings[0].Blocks() || u.Head() != head {
		t.Errorf("a group with one bad draft: %v %+v", err, refused)
	}
	if _, err := u.SaveGroup(ctx, make([]union.Draft, union.MaxGroup+1)); syncproto.CodeOf(err) != syncproto.CodeGroupTooLarge {
		t.Errorf("a group too large: %v", err)
	}
	if _, err := union.Open(dir, options()); syncproto.CodeOf(err) != syncproto.CodeInUse {
		t.Errorf("opened twice: %v", err)
	}
	stop, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := u.Save(stop, union.Draft{Kind: "member", ID: id, Text: map[string]string{"post": "焊工"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled save: %v", err)
	}
}

// TestLimits: one change and one record have limits, and nothing is cut.
func TestLimits(t *testing.T) {
	u, _ := create(t)
	d := union.Draft{Kind: "disclosure", Text: map[string]string{
		"year": "2026", "category": "1", "title": "年度", "start": "2026-01-01",
		"content": strings.Repeat("一", 2000), "opinion": strings.Repeat("二", 2000), "reply": strings.Repeat("三", 2000)}}
	_, err := u.Try(ctx, []union.Draft{d})
	if c := syncproto.CodeOf(err); c != syncproto.CodeChangeTooLarge && c != syncproto.CodeRefused {
		t.Errorf("a change of 18 KB: %v", err)
	}
	if u.Head().Seq != 0 {
		t.Error("trying saved something")
	}
}

func TestFirstFetch(t *testing.T) {
	u, err := union.Create(t.TempDir(), "0579-1", options())
	must(t, err)
	defer func() { must(t, u.Close()) }()
	if _, err := uniontest.Members(ctx, u, 1, 1); syncproto.CodeOf(err) != syncproto.CodeFirstFetch {
		t.Errorf("saved before the first fetch: %v", err)
	}
	if p, err := u.List(ctx, union.Query{Kind: "member"}); err != nil || p.Total != 0 {
		t.Errorf("looking is possible: %v", err)
	}
}

func TestListAndFind(t *testing.T) {
	u, _ := create(t)
	_, err := uniontest.Members(ctx, u, 0, 30)
	must(t, err)
	all, err := u.List(ctx, union.Query{Kind: "member"})
	must(t, err)
	if all.Total != 30 || len(all.Rows) != 30 {
		t.Fatalf("%d of %d", len(all.Rows), all.Total)
	}
	page, err := u.List(ctx, union.Query{Kind: "member", Limit: 7, Offset: 28})
	must(t, err)
	if page.Total != 30 || len(page.Rows) != 2 || page.Rows[0].ID != all.Rows[28].ID {
		t.Errorf("page: %d of %d", len(page.Rows), page.Total)
	}
	for i, r := range all.Rows { // the order in which they were made
		if want := "1390000" + string([]byte{'0' + byte(i/1000), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)}); string(r.Values[field("mobile")]) != want {
			t.Fatalf("record %d has number %s", i, r.Values[field("mobile")])
		}
	}
	id := string(all.Rows[3].Values[field("id_no")])
	for _, row := range []struct {
		text string
		n    int
		why  string
	}{
		{"13900000007", 1, "a whole number"}, {"00000007", 1, "its tail"}, {id[6:], 1, "the tail of a document"},
		{"工具", 30, "a part of a text"}, {"大学本科", 30, "the label of a code"}, {"nobody", 0, "nothing"}, {"  ", 0, "blanks find nothing"},
		{strings.ToLower(id), 1, "capitals do not count"},
	} {
		rows, err := u.Find(ctx, row.text, 0)
		if len(rows) != row.n || err != nil {
			t.Errorf("find %s (%q): %d, %v", row.why, row.text, len(rows), err)
		}
	}
	if rows, err := u.Find(ctx, "工具", 4); len(rows) != 4 || err != nil {
		t.Errorf("find with a limit: %d %v", len(rows), err)
	}
	where, err := u.List(ctx, union.Query{Kind: "member", Where: kind.Values{field("mobile"): []byte("13900000007"), field("post"): nil}})
	if where.Total != 1 || err != nil {
		t.Errorf("where: %d %v", where.Total, err)
	}
}

func TestVoid(t *testing.T) {
	u, _ := create(t)
	id := addMember(t, u, 1)
	no := string(get(t, u, id).Values[field("id_no")])
	_, err := u.Save(ctx, union.Draft{Kind: "member", ID: id, Void: "重复登记"})
	must(t, err)
	if r := get(t, u, id); r.Void != "重复登记" {
		t.Errorf("void: %q", r.Void)
	}
	page, err := u.List(ctx, union.Query{Kind: "member"})
	if page.Total != 0 || err != nil {
		t.Errorf("a void record is listed: %d %v", page.Total, err)
	}
	if page, _ = u.List(ctx, union.Query{Kind: "member", Void: true}); page.Total != 1 {
		t.Error("and cannot be listed at all")
	}
	if rows, err := u.ByKey("member", []string{"111", no}); len(rows) != 0 || err != nil {
		t.Errorf("a void record has its document: %d %v", len(rows), err)
	}
	_, err = u.Save(ctx, union.Draft{Kind: "member", ID: id, Clear: []syncproto.FieldNumber{syncproto.FieldVoid}})
	must(t, err)
	if rows, err := u.ByKey("member", []string{"111", no}); len(rows) != 1 || err != nil {
		t.Errorf("taken back: %d %v", len(rows), err)
	}
	// An event may be voided, though it cannot be edited.
	events, err := u.Referring("membership-event", "member", id)
	must(t, err)
	_, err = u.Save(ctx, union.Draft{Kind: "membership-event", ID: events[0].ID, Void: "录错"})
	must(t, err)
}

// TestGroupSeesItself: two drafts of one record in one group lay over each other.
func TestGroupSeesItself(t *testing.T) {
	u, dir := create(t)
	d, err := uniontest.Member(u, 1)
	must(t, err)
	more := union.Draft{Kind: "member", ID: d[0].ID, Text: map[string]string{"mobile": "13911111111"}}
	saved, err := u.SaveGroup(ctx, append(d, more))
	must(t, err)
	if len(saved) != 3 || saved[2].New {
		t.Errorf("saved %+v", saved)
	}
	r := get(t, u, d[0].ID)
	if string(r.Values[field("mobile")]) != "13911111111" || len(r.Conflicts) > 0 {
		t.Errorf("mobile %s, conflicts %v", r.Values[field("mobile")], r.Conflicts)
	}
	must(t, u.Close())
	must(t, os.Remove(filepath.Join(dir, store.CleanName)))
	if d := cmp.Diff(r.Record.Encode(), get(t, reopen(t, dir), r.ID).Record.Encode()); d != "" {
		t.Error(d)
	}
}

func TestOpenRefuses(t *testing.T) {
	u, dir := create(t)
	addMember(t, u, 1)
	must(t, u.Close())
	if _, err := union.Create(dir, "x", options()); syncproto.CodeOf(err) != syncproto.CodeUnionExists {
		t.Errorf("created over another: %v", err)
	}
	if _, err := union.Open(t.TempDir(), options()); syncproto.CodeOf(err) != syncproto.CodeNoUnion {
		t.Errorf("an empty folder: %v", err)
	}
	other := options()
	other.Key = &[32]byte{1}
	if _, err := union.Open(dir, other); syncproto.CodeOf(err) != syncproto.CodeWrongKey {
		t.Errorf("another key: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, journal.FileName)))
	if _, err := union.Open(dir, options()); syncproto.CodeOf(err) != syncproto.CodeJournalMissing {
		t.Errorf("a lost journal: %v", err)
	}
}

func TestTodayIsNotBeforeTheCentre(t *testing.T) {
	u, _ := create(t)
	if got := u.Today(); got != "2026-11-23" {
		t.Errorf("today %s", got)
	}
	st, err := u.State()
	must(t, err)
	st.Centre = day.AddDate(0, 0, 2).Unix()
	must(t, u.Settle(union.Update{Update: store.Update{Meta: &st.Meta}}))
	if got := u.Today(); got != "2026-11-25" {
		t.Errorf("a PC whose clock is late: today %s", got)
	}
}

func BenchmarkSave(b *testing.B) {
	u, _ := create(b)
	_, err := uniontest.Members(ctx, u, 0, 111)
	must(b, err)
	page, err := u.List(ctx, union.Query{Kind: "member"})
	must(b, err)
	n := 0
	for b.Loop() {
		n++
		_, err := u.Save(ctx, union.Draft{Kind: "member", ID: page.Rows[n%len(page.Rows)].ID,
			Values: kind.Values{field("remark"): []byte("note " + time.Duration(n).String())}})
		must(b, err)
	}
}

func BenchmarkImport(b *testing.B) {
	u, _ := create(b)
	n := 0
	for b.Loop() {
		_, err := uniontest.Members(ctx, u, n, 100)
		must(b, err)
		n += 100
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

package agent_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"unionsync/agent"
	"unionsync/agent/sheet"
	"unionsync/agent/union"
	"unionsync/internal/testcity"
	"unionsync/syncproto"
)

// opened is an enrolled PC's union, open and ready to save.
func opened(t *testing.T) *union.Union {
	t.Helper()
	h := newHome(t, 1)
	h.enrol(unionA)
	u, err := h.agent().Union("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

func importFile(t *testing.T, u *union.Union, name string, o agent.ImportOptions) (*agent.Import, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return o.Run(context.Background(), u, bytes.NewReader(b), int64(len(b)))
}

func total(t *testing.T, u *union.Union, kindName string) int {
	t.Helper()
	p, err := u.List(context.Background(), union.Query{Kind: kindName})
	if err != nil {
		t.Fatal(err)
	}
	return p.Total
}

// TestImportRosters: what the plan accepts is saved, each member with the event of joining,
// and the same file again changes nothing.
func TestImportRosters(t *testing.T) {
	for _, row := range []struct {
		file       string
		members    int // -1: what the plan says
		wantRefuse bool
	}{
		{"sheet/testdata/roster-plain.xlsx", 111, false},
		{"sheet/testdata/roster-plain.gb18030.csv", 111, false},
		{"sheet/testdata/roster-messy.xlsx", -1, true},
		{"sheet/testdata/roster-messy.gb18030.csv", -1, true},
	} {
		t.Run(row.file, func(t *testing.T) {
			u := opened(t)
			dry, err := importFile(t, u, row.file, agent.ImportOptions{})
			if err != nil || dry.Saved != 0 || u.Head().Seq != 0 {
				t.Fatalf("a dry run saved %d changes: %v", u.Head().Seq, err)
			}
			good := dry.Plan.Count(sheet.Accept) + dry.Plan.Count(sheet.Normalise)
			if row.members < 0 {
				row.members = good
			}
			im, err := importFile(t, u, row.file, agent.ImportOptions{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			if im.Saved != row.members || im.New != row.members || len(im.Late) != 0 || (im.Plan.Count(sheet.Refuse) > 0) != row.wantRefuse {
				t.Errorf("%d saved, %d new, %v late, %d refused", im.Saved, im.New, im.Late, im.Plan.Count(sheet.Refuse))
			}
			if m, e := total(t, u, "member"), total(t, u, "membership-event"); m != row.members || e != row.members {
				t.Errorf("%d members with %d events, want %d", m, e, row.members)
			}
			head := u.Head()
			again, err := importFile(t, u, row.file, agent.ImportOptions{Apply: true})
			if err != nil || again.Saved != 0 || u.Head() != head || again.Plan.Count(sheet.Unchanged) != row.members {
				t.Errorf("again: %d saved, %d unchanged of %d: %v", again.Saved, again.Plan.Count(sheet.Unchanged), row.members, err)
			}
		})
	}
}

// roster makes the sheet of an invented union.
func roster(t *testing.T, members int, edit func(rows [][]string)) *bytes.Reader {
	t.Helper()
	city := testcity.New(7, testcity.Options{Counties: 1, Unions: 1, Members: members})
	table := city.Rosters[0].Table()
	if edit != nil {
		edit(table)
	}
	b, err := testcity.Encode(table, testcity.CSV)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

func run(t *testing.T, u *union.Union, o agent.ImportOptions, r *bytes.Reader) *agent.Import {
	t.Helper()
	im, err := o.Run(context.Background(), u, r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestImportManyRows: rows go in groups, all of one import tied together, each row's member
// beside its event.
func TestImportManyRows(t *testing.T) {
	u := opened(t)
	var steps []int
	im := run(t, u, agent.ImportOptions{Apply: true, Note: "roster.csv", Progress: func(done, _ int) { steps = append(steps, done) }}, roster(t, 250, nil))
	if im.Saved < 150 || len(steps) < 2 || steps[0] != 100 || steps[len(steps)-1] != im.Saved {
		t.Fatalf("%d saved in steps %v", im.Saved, steps)
	}
	own, err := u.OwnChanges().After(0, 1<<30, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if len(own) != 2*im.Saved {
		t.Fatalf("%d changes of %d rows", len(own), im.Saved)
	}
	for i := 0; i < len(own); i += 2 {
		member, event := own[i].Change, own[i+1].Change
		link := event.Edit(10)
		if member.Kind != 2 || event.Kind != 3 || link == nil || !bytes.Equal(link.Value, member.ID[:]) {
			t.Fatalf("row %d: kinds %d and %d", i/2, member.Kind, event.Kind)
		}
		if g := own[0].Change.Group; g == 0 || member.Group != g || event.Group != g || member.Note != "roster.csv" {
			t.Fatalf("row %d: groups %x and %x", i/2, member.Group, event.Group)
		}
	}
}

// TestImportUpdates: a row that names a stored member by its document changes the cells that
// differ, and nothing else; empty cells empty nothing.
func TestImportUpdates(t *testing.T) {
	u := opened(t)
	first := run(t, u, agent.ImportOptions{Apply: true}, roster(t, 20, nil))
	head := u.Head().Seq
	column := func(rows [][]string, name string) int {
		for i, h := range rows[0] {
			if h == name {
				return i
			}
		}
		t.Fatalf("no column %s", name)
		return -1
	}
	im := run(t, u, agent.ImportOptions{Apply: true}, roster(t, 20, func(rows [][]string) {
		rows[1][column(rows, "部门")] = "新设车间"
		rows[2][column(rows, "部门")] = ""
		rows[3][column(rows, "移动电话")] = "13900000001"
	}))
	if im.Saved != 2 || im.New != 0 || im.Plan.Count(sheet.Unchanged) != first.Saved-2 {
		t.Fatalf("%d saved, %d unchanged", im.Saved, im.Plan.Count(sheet.Unchanged))
	}
	own, err := u.OwnChanges().After(head, 1<<30, 1<<30)
	if err != nil || len(own) != 2 {
		t.Fatalf("%d changes, %v", len(own), err)
	}
	for _, o := range own {
		if len(o.Change.Edits) != 1 || o.Change.Edits[0].Cleared {
			t.Errorf("edits %+v", o.Change.Edits)
		}
	}
}

// TestImportRefuses: a file that is no spreadsheet of the kind changes nothing and says why.
func TestImportRefuses(t *testing.T) {
	u := opened(t)
	for _, row := range []struct {
		why  string
		data string
		kind string
		want syncproto.Code
	}{
		{"an empty file", "", "member", syncproto.CodeSheetEmpty},
		{"a picture", "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01", 99), "member", syncproto.CodeNotSheet},
		{"a list of something else", "甲,乙,丙\n1,2,3\n", "member", syncproto.CodeSheetNoHeader},
		{"a kind that does not exist", "姓名\n王\n", "memver", syncproto.CodeUnknownKind},
	} {
		r := strings.NewReader(row.data)
		im, err := agent.ImportOptions{Kind: row.kind, Apply: true}.Run(context.Background(), u, r, r.Size())
		if err == nil || syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v, %v, want E%d", row.why, im, err, row.want)
		}
	}
	if u.Head().Seq != 0 {
		t.Errorf("%d changes were saved", u.Head().Seq)
	}
}

// TestImportStops: at the end of its context an import keeps what it has counted, and the
// same file goes on from there.
func TestImportStops(t *testing.T) {
	u := opened(t)
	ctx, cancel := context.WithCancel(context.Background())
	r := roster(t, 250, nil)
	im, err := agent.ImportOptions{Apply: true, Progress: func(int, int) { cancel() }}.Run(ctx, u, r, r.Size())
	if !errors.Is(err, context.Canceled) || im.Saved != 100 || total(t, u, "member") != 100 {
		t.Fatalf("%v, %+v", err, im.Saved)
	}
	rest := run(t, u, agent.ImportOptions{Apply: true}, roster(t, 250, nil))
	if total(t, u, "member") != 100+rest.Saved || rest.Plan.Count(sheet.Unchanged) != 100 {
		t.Errorf("%d more, %d unchanged", rest.Saved, rest.Plan.Count(sheet.Unchanged))
	}
}

// TestImportFirstFetch: before the first fetch has ended a dry run works and saving does
// not.
func TestImportFirstFetch(t *testing.T) {
	u := unfetched(t)
	if _, err := importFile(t, u, "sheet/testdata/roster-plain.xlsx", agent.ImportOptions{}); err != nil {
		t.Errorf("dry run: %v", err)
	}
	im, err := importFile(t, u, "sheet/testdata/roster-plain.xlsx", agent.ImportOptions{Apply: true})
	if syncproto.CodeOf(err) != syncproto.CodeFirstFetch || im.Saved != 0 || u.Head().Seq != 0 {
		t.Errorf("%v, %d changes", err, u.Head().Seq)
	}
}

func TestExport(t *testing.T) {
	u := opened(t)
	im := run(t, u, agent.ImportOptions{Apply: true}, roster(t, 20, nil))
	k, err := agent.FindKind(u.Kinds(), "会员")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"list.xlsx", "list.csv", "LIST.CSV"} {
		file := filepath.Join(t.TempDir(), name)
		if n, err := (agent.ExportOptions{File: file}).Run(context.Background(), u, k); err != nil || n != im.Saved {
			t.Fatalf("%s: %d, %v", name, n, err)
		}
		back, err := importFile(t, u, file, agent.ImportOptions{Apply: true})
		if err != nil || back.Saved != 0 || back.Plan.Count(sheet.Unchanged) != im.Saved {
			t.Errorf("%s imports to %d changes, %v", name, back.Saved, err)
		}
		if _, err := (agent.ExportOptions{File: file}).Run(context.Background(), u, k); syncproto.CodeOf(err) != syncproto.CodeExportExists {
			t.Errorf("%s was replaced: %v", name, err)
		}
		if _, err := (agent.ExportOptions{File: file, Force: true, Mask: true}).Run(context.Background(), u, k); err != nil {
			t.Error(err)
		}
	}
	for file, want := range map[string]syncproto.Code{
		"list.txt": syncproto.CodeExportFormat, filepath.Join(t.TempDir(), "no", "list.csv"): syncproto.CodeSheetWrite,
	} {
		if _, err := (agent.ExportOptions{File: file}).Run(context.Background(), u, k); err == nil || syncproto.CodeOf(err) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"unionsync/internal/testcity"
)

// office is one of the three unions whose clerks take part.
type office struct {
	union    string
	name     string
	file     string
	format   string
	rows     int               // of the file
	verdicts map[string]string // expected, by the rows' serial numbers
	counts   map[string]int    // how many rows there are of each verdict
}

// Verdicts on a row of a roster.
const (
	rowAccept    = "accept"
	rowNormalise = "normalise"
	rowRefuse    = "refuse"
)

// good is how many rows become members.
func (o *office) good() int { return o.counts[rowAccept] + o.counts[rowNormalise] }

// town is the demo's city: files that the programs read, and what a recount of these very
// files comes to.
type town struct {
	units    string         // file with the city's tree
	known    *testcity.City // what has been entered so far, read from the files
	offices  []*office
	newcomer testcity.Row // stands on no roster
	twice    int          // persons who stand on two of the rosters
}

// today is the day on which the demo's clerks work.
func today() string { return time.Now().Format(time.DateOnly) }

// messy is a roster as clerks really send them, with every fault once or twice.
var messy = filepath.Join("agent", "sheet", "testdata", "roster-messy")

// newTown writes the input files into dir and reads them back.
func newTown(root, dir string) (*town, error) {
	made := testcity.New(2026, testcity.Options{
		Unions: 33, Members: 60, Twice: -1, Transfers: -1, Ended: -1, // people who move come below, by hand
		Today: min("2026-06-30", time.Now().AddDate(0, 0, -1).Format(time.DateOnly)),
	})
	t := &town{units: filepath.Join(dir, "units.csv"), known: &testcity.City{}}
	if err := write(t.units, made.OrgTable(), testcity.CSV); err != nil {
		return nil, err
	}
	if err := t.readUnits(); err != nil {
		return nil, err
	}
	const first, second, third = "330702-00001", "330782-00001", "SBJ-00001"
	t.twice = copySome(made.Roster(first), made.Roster(second))
	t.newcomer = made.Roster("330783-00001").Rows[0]
	t.newcomer.Employer = made.Roster(second).Rows[0].Employer
	for _, f := range []struct {
		union, name, words string
		format             testcity.Format
	}{
		{first, "roster-1.xlsx", "xlsx, a merged title above the head", testcity.XLSX},
		{second, "roster-2.csv", "CSV in UTF-8 with a byte order mark", testcity.CSVBOM},
	} {
		path := filepath.Join(dir, f.name)
		if err := write(path, made.Roster(f.union).Table(), f.format); err != nil {
			return nil, err
		}
		t.offices = append(t.offices, &office{union: f.union, file: path, format: f.words})
	}
	path := filepath.Join(dir, "roster-3.csv")
	b, err := os.ReadFile(filepath.Join(root, messy+".gb18030.csv"))
	if err != nil {
		return nil, fmt.Errorf("copy a roster: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("copy a roster: %w", err)
	}
	t.offices = append(t.offices, &office{union: third, file: path, format: "CSV in GB18030, with faults"})
	return t, t.readRosters(filepath.Join(root, messy+".expected.json"))
}

// copySome puts three persons of one roster on another too, from a later day.
func copySome(from, to *testcity.Roster) int {
	n := 0
	for _, row := range from.Rows {
		if row.Joined > "2020" || n == 3 {
			continue
		}
		row.Joined, row.Employer = "2021-03-01", to.Rows[0].Employer
		to.Rows = append(to.Rows, row)
		n++
	}
	return n
}

func write(path string, cells [][]string, format testcity.Format) error {
	b, err := testcity.Encode(cells, format)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("write input: %w", err)
	}
	return nil
}

// readUnits reads the tree back from its file.
func (t *town) readUnits() error {
	cells, err := readCells(t.units)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.units, err)
	}
	head := map[string]int{}
	for i, name := range cells[0] {
		head[name] = i
	}
	for _, row := range cells[1:] {
		t.known.Units = append(t.known.Units, testcity.Unit{
			Code: cell(row, head, "工会编码"), Name: cell(row, head, "名称"), Level: cell(row, head, "层级"),
			Parent: cell(row, head, "上级编码"), County: cell(row, head, "填报单位"),
		})
	}
	return nil
}

// readRosters reads the rosters back from their files. The rows of the messy one count if
// they are expected to; those of the others all do.
func (t *town) readRosters(expected string) error {
	verdicts, err := verdictsOf(expected)
	if err != nil {
		return err
	}
	for i, o := range t.offices {
		lines, err := readRoster(o.file)
		if err != nil {
			return err
		}
		o.rows, o.name = len(lines), t.nameOf(o.union)
		o.counts, o.verdicts = map[string]int{}, map[string]string{}
		r := testcity.Roster{Union: o.union}
		for _, l := range lines {
			verdict := rowAccept
			if i == len(t.offices)-1 {
				verdict = verdicts[l.serial]
			}
			o.counts[verdict]++
			o.verdicts[l.serial] = verdict
			if verdict != rowRefuse {
				r.Rows = append(r.Rows, l.row)
			}
		}
		t.known.Rosters = append(t.known.Rosters, r)
	}
	return nil
}

func (t *town) nameOf(code string) string {
	for _, u := range t.known.Units {
		if u.Code == code {
			return u.Name
		}
	}
	return code
}

// perLevel counts the units of a level.
func (t *town) perLevel(level string) int {
	n := 0
	for _, u := range t.known.Units {
		if u.Level == level {
			n++
		}
	}
	return n
}

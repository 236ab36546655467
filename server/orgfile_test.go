package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"unionsync/internal/testcity"
	"unionsync/syncproto"
)

func orgRows(t *testing.T, text string) []map[string]string {
	t.Helper()
	rows, err := ReadOrg(strings.NewReader(text), "org.csv")
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]string, len(rows))
	for i, r := range rows {
		out[i] = r.GetValues()
	}
	return out
}

// TestReadOrgForms: the same table in the forms in which it comes.
func TestReadOrgForms(t *testing.T) {
	t.Parallel()
	const zh = "编码,名称,级别,上级编码,区划,电话\n1,市总,市,,SBJ,\n2,婺城,县,1,婺城区,0579-1\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(zh)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{"code": "1", "name": "市总", "level": "市", "parent": "", "county": "SBJ", "phone": ""},
		{"code": "2", "name": "婺城", "level": "县", "parent": "1", "county": "婺城区", "phone": "0579-1"},
	}
	for why, text := range map[string]string{
		"UTF-8":                          zh,
		"UTF-8 with a byte order mark":   "\ufeff" + zh,
		"GB18030":                        gb,
		"Windows line ends":              strings.ReplaceAll(zh, "\n", "\r\n"),
		"tabs":                           strings.ReplaceAll(zh, ",", "\t"),
		"English names":                  strings.Replace(zh, "编码,名称,级别,上级编码,区划,电话", "Code,Name,Level,Parent,Division,Phone", 1),
		"a title and a blank line above": "组织机构表,,,,,\n,,,,,\n" + zh,
		"blank rows and a column of the clerk's own": strings.NewReplacer("电话\n", "电话,备用\n", "SBJ,\n", "SBJ,,?\n\n,,,,,\n").Replace(zh),
		"stars and brackets in the head":             strings.Replace(zh, "编码,", "工会编码（必填）*,", 1),
	} {
		if d := cmp.Diff(want, orgRows(t, text)); d != "" {
			t.Errorf("%s: %s", why, d)
		}
	}
}

// TestReadOrgLines: a message about a row must lead a person to it.
func TestReadOrgLines(t *testing.T) {
	t.Parallel()
	rows, err := ReadOrg(strings.NewReader("标题\n编码,名称,级别\n1,\"两行\n名称\",市\n\n2,b,县\n"), "x")
	if err != nil || len(rows) != 2 || rows[0].GetLine() != 3 || rows[1].GetLine() != 6 {
		t.Fatal(rows, err)
	}
}

// TestReadOrgRefuses: what is no table of units says so, with a code.
func TestReadOrgRefuses(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		why, text string
		want      syncproto.Code
	}{
		{"an empty file", "", syncproto.CodeOrgHeading},
		{"a spreadsheet that is no CSV", "PK\x03\x04\x00\x00", syncproto.CodeOrgFile},
		{"a picture", "\x89PNG\r\n\x1a\n\xff\xfe\xfd", syncproto.CodeOrgFile},
		{"no level", "编码,名称\n1,a\n", syncproto.CodeOrgHeading},
		{"no code", "名称,级别\n1,a\n", syncproto.CodeOrgHeading},
		{"a head and nothing below", "编码,名称,级别\n,,\n", syncproto.CodeOrgFile},
	} {
		if _, err := ReadOrg(strings.NewReader(r.text), "x"); syncproto.CodeOf(err) != r.want || err == nil {
			t.Errorf("%s: %v, want E%d", r.why, err, r.want)
		}
	}
	if _, err := ReadOrgFile(filepath.Join(t.TempDir(), "none.csv")); syncproto.CodeOf(err) != syncproto.CodeOrgFile {
		t.Error(err)
	}
}

// TestReadOrgOfTheInventedCity: the file of the demo, in every form it is written in.
func TestReadOrgOfTheInventedCity(t *testing.T) {
	t.Parallel()
	city := testcity.New(1, testcity.Options{Unions: 30, Members: 1})
	for _, form := range []testcity.Format{testcity.CSV, testcity.CSVBOM, testcity.GB18030} {
		b, err := testcity.Encode(city.OrgTable(), form)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "org.csv")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := ReadOrgFile(path)
		if err != nil || len(rows) != len(city.Units) {
			t.Fatalf("%s: %d rows, %v", form, len(rows), err)
		}
		if got := rows[len(rows)-1].GetValues()["grassroots"]; got != "是" {
			t.Errorf("%s: %q", form, got)
		}
	}
}

// FuzzReadOrg: any bytes give rows or a code.
func FuzzReadOrg(f *testing.F) {
	f.Add([]byte("编码,名称,级别\n1,\"a\n"))
	f.Add([]byte("\xff\xfe\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := ReadOrg(strings.NewReader(string(b)), "x")
		if (err == nil) != (len(rows) > 0) || err != nil && syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	})
}

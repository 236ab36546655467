package gate

import (
	"strings"
	"testing"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// TestValuesFitByVersion: a change is checked by the kind version that it names, so that
// newer tables and limits hold no work of an agent that was away.
func TestValuesFitByVersion(t *testing.T) {
	const v1 = "kind: visit\nnumber: 50\nversion: 1\nlabel: {zh: 走访, en: Visit}\ntitle: name\nfields:\n" +
		"  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text, max: 50}\n" +
		"  - {number: 11, name: day, label: {zh: 日期, en: Day}, type: date}\n"
	var files []kind.File
	for _, text := range []string{v1, strings.NewReplacer("version: 1", "version: 4", "max: 50", "max: 3").Replace(v1)} {
		f, err := kind.ReadFile("visit.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	kinds, err := kind.LoadVersions(files)
	if err != nil {
		t.Fatal(err)
	}
	long := syncproto.Edit{Field: 10, Value: []byte("五个字的名")}
	for _, c := range []struct {
		why     string
		version uint32
		edit    syncproto.Edit
		want    bool
	}{
		{"the version in force forbids it", 4, long, false},
		{"the version of a year ago allowed it", 1, long, true},
		{"that version had a form of dates too", 1, syncproto.Edit{Field: 11, Value: []byte("31.1.2026")}, false},
		{"a newer version may allow anything", 5, long, true},
		{"a version that was never published here: its file is not known", 2, long, true},
		{"no agent writes version 0: the one in force decides", 0, long, false},
		{"a field that the version does not know", 1, syncproto.Edit{Field: 99, Value: []byte{0xff}}, true},
		{"void has one form in all versions", 5, syncproto.Edit{Field: syncproto.FieldVoid, Value: []byte{0xff}}, false},
	} {
		ch := &syncproto.Change{Union: "u", Kind: 50, KindVersion: c.version, Edits: []syncproto.Edit{c.edit}}
		if got := valuesFit(kinds, ch); got != c.want {
			t.Errorf("%s: fits %v", c.why, got)
		}
	}
}

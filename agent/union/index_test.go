package union

import (
	"bytes"
	"testing"

	"unionsync/syncproto/kind"
)

// TestIndexOf: only what the store finds records by makes it be made again.
func TestIndexOf(t *testing.T) {
	set := func(text string) *kind.Set {
		t.Helper()
		s, err := kind.LoadFiles(map[string][]byte{"visit.yaml": []byte("kind: visit\nnumber: 50\n" + text)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const head = "label: {zh: 走访, en: Visit}\ntitle: name\n"
	const name = "fields:\n  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text}\n"
	base := indexOf(set("version: 1\n" + head + name))
	for _, c := range []struct {
		why, text string
		same      bool
	}{
		{"another version and a field more", "version: 2\n" + head + name + "  - {number: 11, name: note, label: {zh: 说明, en: Note}, type: text}\n", true},
		{"records are found by a key", "version: 2\n" + head + "key: [name]\n" + name, false},
		{"a reference more", "version: 2\n" + head + name + "  - {number: 11, name: first, label: {zh: 前次, en: First}, type: reference, ref: visit}\n", false},
	} {
		if got := bytes.Equal(base, indexOf(set(c.text))); got != c.same {
			t.Errorf("%s: same index %v", c.why, got)
		}
	}
	if bytes.Equal(base, indexOf(kind.Embedded())) {
		t.Error("other kinds have the same index")
	}
}

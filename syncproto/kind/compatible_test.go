package kind_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// visits are kind files of a small city: a visit, and whom it refers to.
const (
	visitV1 = `kind: visit
number: 50
version: 1
label: {zh: 走访, en: Visit}
title: name
fields:
  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text, max: 50}
  - {number: 11, name: state, label: {zh: 状态, en: State}, type: code, table: state}
  - {number: 12, name: phone, label: {zh: 电话, en: Telephone}, type: phone}
  - {number: 13, name: tags, label: {zh: 标签, en: Tags}, type: set, elem: code, table: tag}
  - {number: 14, name: host, label: {zh: 接待, en: Host}, type: reference, ref: host}
tables:
  - name: state
    source: 设计
    codes:
      - {code: "1", zh: 好, en: good}
      - {code: "2", zh: 坏, en: bad}
  - name: tag
    source: 设计
    codes:
      - {code: a, zh: 甲, en: A}
`
	hostV1 = `kind: host
number: 51
version: 1
label: {zh: 接待人, en: Host}
title: name
fields:
  - {number: 10, name: name, label: {zh: 姓名, en: Name}, type: text}
`
)

// fileOf reads a kind file for a test.
func fileOf(t testing.TB, text string) kind.File {
	t.Helper()
	name := kind.FileName(strings.TrimSpace(strings.TrimPrefix(strings.SplitN(text, "\n", 2)[0], "kind:")))
	f, err := kind.ReadFile(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func versions(t testing.TB, texts ...string) *kind.Versions {
	t.Helper()
	var files []kind.File
	for _, s := range texts {
		files = append(files, fileOf(t, s))
	}
	v, err := kind.LoadVersions(files)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// next is visitV1 as version 2, with pairs of old and new text replaced.
func next(t testing.TB, pairs ...string) string {
	t.Helper()
	text := strings.Replace(visitV1, "version: 1", "version: 2", 1)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q does not stand in the file", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// TestPublish: what a new version may do and what it may not.
func TestPublish(t *testing.T) {
	v := versions(t, visitV1, hostV1)
	const phone = "  - {number: 12, name: phone, label: {zh: 电话, en: Telephone}, type: phone}\n"
	for _, c := range []struct {
		why  string
		file string
		want []syncproto.Code
	}{
		{"only the version is higher", next(t), nil},
		{"it is in force already: publishing again changes nothing", visitV1, nil},
		{"versions may be left out", next(t, "version: 2", "version: 7"), nil},
		{"a field more", next(t, "tables:", "  - {number: 15, name: note, label: {zh: 说明, en: Note}, type: text}\ntables:"), nil},
		{"a code more", next(t, "      - {code: \"2\"", "      - {code: \"3\", zh: 中, en: fair}\n      - {code: \"2\""), nil},
		{"labels, limits and need are for people", next(t, "label: {zh: 名称, en: Name}, type: text, max: 50", "label: {zh: 题名, en: Title}, type: text, max: 9, required: yes"), nil},
		{"a rule more", next(t, "tables:", "rules:\n  - {id: V-1, class: A, expr: \"name != 'x'\", message: {zh: 甲, en: a}, source: 设计}\ntables:"), nil},
		{"a class written out that was the usual one", next(t, "type: phone}", "type: phone, class: latest}"), nil},
		{"the same version with other content would be two files of one name", strings.Replace(visitV1, "走访", "来访", 1), []syncproto.Code{syncproto.CodeKindSame}},
		{"a lower version came before", next(t, "version: 2", "version: 0x0"), nil}, // replaced below
		{"values of the old type cannot be read as the new one", next(t, "type: text, max: 50", "type: integer"), []syncproto.Code{syncproto.CodeFieldType}},
		{"elements likewise", next(t, "elem: code, table: tag", "elem: text"), []syncproto.Code{syncproto.CodeFieldType}},
		{"two replicas that know two classes would merge differently", next(t, "type: phone}", "type: phone, class: ask}"), []syncproto.Code{syncproto.CodeFieldClass}},
		{"values of a field that vanishes would be hidden", next(t, phone, ""), []syncproto.Code{syncproto.CodeFieldGone}},
		{"its number may not be given to another", next(t, "name: phone", "name: mobile"), []syncproto.Code{syncproto.CodeFieldReused}},
		{"nor may it move", next(t, "number: 12", "number: 22"), []syncproto.Code{syncproto.CodeFieldNumber}},
		{"a code that records hold", next(t, "      - {code: \"2\", zh: 坏, en: bad}\n", ""), []syncproto.Code{syncproto.CodeCodeGone}},
		{"a code of a set", next(t, "{code: a, zh: 甲, en: A}", "{code: b, zh: 甲, en: A}"), []syncproto.Code{syncproto.CodeCodeGone}},
		{"another table without the codes", next(t, "type: code, table: state", "type: code, table: tag"), []syncproto.Code{syncproto.CodeCodeGone, syncproto.CodeCodeGone}},
		{"a reference would point into another kind", next(t, "ref: host", "ref: visit"), []syncproto.Code{syncproto.CodeFieldRef}},
		{"append-only records were written so", next(t, "title: name", "title: name\nappend_only: true"), []syncproto.Code{syncproto.CodeKindGrows}},
		{"the number names the kind in every change", next(t, "number: 50", "number: 52"), []syncproto.Code{syncproto.CodeKindNumber}},
		{"the number of another kind", strings.Replace(next(t), "kind: visit", "kind: trip", 1), []syncproto.Code{syncproto.CodeKindName}},
		{"what it refers to must be there", next(t, "ref: host", "ref: guest"), []syncproto.Code{syncproto.CodeFieldRef}},
		{"a new kind", strings.NewReplacer("kind: host", "kind: guest", "number: 51", "number: 53").Replace(hostV1), nil},
		{"a new kind that refers to nothing known", strings.NewReplacer("kind: visit", "kind: trip", "number: 50", "number: 54", "ref: host", "ref: guest").Replace(visitV1), []syncproto.Code{syncproto.CodeKindsBroken}},
	} {
		t.Run(c.why, func(t *testing.T) {
			base := v
			if strings.Contains(c.file, "0x0") { // version 1 when version 2 is in force
				base, c.file, c.want = versions(t, next(t), hostV1), visitV1, []syncproto.Code{syncproto.CodeKindOlder}
			}
			more, fresh, breaches := base.Publish([]kind.File{fileOf(t, c.file)})
			var got []syncproto.Code
			for _, b := range breaches {
				got = append(got, b.Code)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
			if (more == nil) != (len(c.want) > 0) || len(fresh) > 0 && more == nil {
				t.Errorf("versions %v and %d fresh files beside breaches %v", more, len(fresh), got)
			}
			if c.file == visitV1 && base == v && (more != v || len(fresh) != 0) {
				t.Error("publishing again changed something")
			}
		})
	}
}

// TestPublishTogether: files that need one another come into force together or not at all,
// and one bad file keeps the good ones out.
func TestPublishTogether(t *testing.T) {
	v := versions(t, visitV1, hostV1)
	guest := strings.NewReplacer("kind: host", "kind: guest", "number: 51", "number: 53").Replace(hostV1)
	visit := next(t, "tables:", "  - {number: 16, name: guest, label: {zh: 来宾, en: Guest}, type: reference, ref: guest}\ntables:")
	if more, _, breaches := v.Publish([]kind.File{fileOf(t, visit)}); more != nil || len(breaches) != 1 || breaches[0].Code != syncproto.CodeKindsBroken {
		t.Fatalf("alone: %v", breaches)
	}
	more, fresh, breaches := v.Publish([]kind.File{fileOf(t, visit), fileOf(t, guest)})
	if len(breaches) > 0 || len(fresh) != 2 {
		t.Fatalf("together: %v, %d fresh", breaches, len(fresh))
	}
	if _, ok := more.Newest().Kind("guest"); !ok {
		t.Error("the new kind is not in force")
	}
	bad := strings.Replace(hostV1, "type: text", "type: date", 1)
	if more, _, breaches := v.Publish([]kind.File{fileOf(t, next(t)), fileOf(t, strings.Replace(bad, "version: 1", "version: 2", 1))}); more != nil || len(breaches) != 1 {
		t.Errorf("a bad file beside a good one: %v", breaches)
	}
	other := strings.Replace(next(t), "走访", "来访", 1)
	if more, _, breaches := v.Publish([]kind.File{fileOf(t, next(t)), fileOf(t, other)}); more != nil || len(breaches) != 1 || breaches[0].Code != syncproto.CodeKindSame {
		t.Errorf("one version twice: %v", breaches)
	}
}

// TestVersions: each version reads values as its file says, the newest is in force, and the
// fingerprint follows what is in force alone.
func TestVersions(t *testing.T) {
	v1 := versions(t, visitV1, hostV1)
	v2 := next(t, "max: 50", "max: 2")
	v := versions(t, v2, hostV1, visitV1, visitV1)
	if got := len(v.Files()); got != 3 {
		t.Errorf("%d files, want 3", got)
	}
	var got []uint32
	for _, k := range v.Of(50) {
		got = append(got, k.Version)
		f, _ := k.Field("name")
		if ok := f.Valid([]byte("四个汉字")) == nil; ok != (k.Version == 1) {
			t.Errorf("version %d takes four characters: %v", k.Version, ok)
		}
		if g, _ := k.Field("state"); g.Table == nil {
			t.Errorf("version %d is not linked", k.Version)
		}
	}
	if !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("versions %v", got)
	}
	if k, ok := v.Newest().Kind("visit"); !ok || k.Version != 2 {
		t.Error("version 2 is not in force")
	}
	if _, ok := v.At(50, 3); ok {
		t.Error("a version that nobody published is known")
	}
	if v.Newest().Fingerprint() == v1.Newest().Fingerprint() {
		t.Error("two sets of versions have one fingerprint")
	}
	if v.Newest().Fingerprint() != versions(t, v2, hostV1).Newest().Fingerprint() {
		t.Error("an older version counts in the fingerprint")
	}
	if got := kind.PairMap(v.Newest().Pairs()); got[50] != 2 || got[51] != 1 || len(got) != 2 {
		t.Errorf("pairs %v", got)
	}
}

// TestCompatibleIsOrder: what may follow one after the other may follow at once too, so that
// an agent that left versions out can take the newest.
func TestCompatibleIsOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := versions(t, visitV1, hostV1)
		first, _ := v.Newest().Kind("visit")
		now, extra := v, []string{}
		for i := range rapid.IntRange(1, 5).Draw(r, "versions") {
			class := rapid.SampledFrom([]string{"ask", "latest"}).Draw(r, "class")
			extra = append(extra, fmt.Sprintf("  - {number: %d, name: f%d, label: {zh: 字段%d, en: Field %d}, type: text, class: %s}\n", 20+i, i, i, i, class))
			if rapid.Bool().Draw(r, "breaks") {
				extra = extra[:len(extra)-1]
			}
			text := strings.Replace(visitV1, "tables:", strings.Join(extra, "")+"tables:", 1)
			text = strings.Replace(text, "version: 1", fmt.Sprintf("version: %d", 2+i), 1)
			more, _, breaches := now.Publish([]kind.File{fileOf(t, text)})
			if len(breaches) > 0 {
				r.Fatalf("version %d: %v", 2+i, breaches)
			}
			now = more
		}
		last, _ := now.Newest().Kind("visit")
		if b := kind.Compatible(first, last); len(b) > 0 {
			r.Fatalf("from the first to the last: %v", b)
		}
	})
}

// FuzzReadFile: no published file makes reading or comparing panic.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte(visitV1))
	f.Add([]byte(hostV1))
	f.Add([]byte("kind: visit\nnumber: 50\nversion: 2"))
	v := versions(f, visitV1, hostV1)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := kind.ReadFile("visit.yaml", data)
		if err != nil {
			if syncproto.CodeOf(err) != syncproto.CodeKindFile {
				t.Errorf("an error without file and line: %v", err)
			}
			return
		}
		more, _, breaches := v.Publish([]kind.File{file})
		if (more == nil) == (len(breaches) == 0) {
			t.Errorf("versions %v beside %d breaches", more, len(breaches))
		}
	})
}

// TestFingerprintBytes: both ends compute it, so its bytes are permanent.
func TestFingerprintBytes(t *testing.T) {
	if got := kind.FingerprintOf([]uint32{2, 1, 3, 7}); got != 0xb4cef1c2 {
		t.Errorf("%#x", got)
	}
	if got := kind.FingerprintOf(nil); got != 0xe3b0c442 { // SHA-256 of nothing
		t.Errorf("%#x", got)
	}
}

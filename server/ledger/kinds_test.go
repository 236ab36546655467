package ledger

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// memberFile is the member kind's file in another version, with pairs of old and new text
// replaced.
func memberFile(t testing.TB, version string, pairs ...string) *entrypb.KindFile {
	t.Helper()
	for _, f := range kind.Embedded().Files() {
		if f.Kind != "member" {
			continue
		}
		text := strings.Replace(string(f.Data), "\nversion: 1\n", "\nversion: "+version+"\n", 1)
		text = strings.NewReplacer(pairs...).Replace(text)
		return &entrypb.KindFile{Name: f.Name, Yaml: []byte(text), Signature: []byte("signature")}
	}
	t.Fatal("no kind member")
	return nil
}

// newField is a pair for memberFile that adds a field of class latest.
var newField = []string{"\ntables:", "\n  - {number: 38, name: shoe, label: {zh: 鞋码, en: Shoe size}, type: text, max: 9, class: latest}\ntables:"}

// TestPublish: a new version is in force from the next entry on, all versions stay, and what
// may not follow is refused alike everywhere and changes nothing.
func TestPublish(t *testing.T) {
	n := begun(t, Config{Memory: true})
	number := syncproto.KindNumber(2)
	publish := func(files ...*entrypb.KindFile) any { return n.apply(&entrypb.Publish{Time: 3000, Kinds: files}) }
	if diff := cmp.Diff(PublishResult{Published: []string{"member"}}, publish(memberFile(t, "3", newField...))); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(PublishResult{Unchanged: 1}, publish(memberFile(t, "3", newField...))); diff != "" {
		t.Fatal("again: " + diff)
	}
	before := n.dump()
	for _, c := range []struct {
		why   string
		files []*entrypb.KindFile
	}{
		{"a field that vanishes", []*entrypb.KindFile{memberFile(t, "4")}},
		{"a version that came before", []*entrypb.KindFile{memberFile(t, "2", newField...)}},
		{"the version in force with other content", []*entrypb.KindFile{memberFile(t, "3")}},
		{"no YAML", []*entrypb.KindFile{{Name: "member.yaml", Yaml: []byte("{")}}},
		{"another name of the file would stand beside the first", []*entrypb.KindFile{{Name: "members.yaml", Yaml: memberFile(t, "4", newField...).GetYaml()}}},
		{"one bad file among good ones", []*entrypb.KindFile{memberFile(t, "4", newField...), memberFile(t, "5")}},
	} {
		refused, ok := publish(c.files...).(*syncproto.Error)
		if !ok || refused.Code != syncproto.CodeKindsRefused {
			t.Errorf("%s: %v", c.why, refused)
		}
	}
	if k, _ := n.l.Kinds().Kind("member"); k.Version != 3 {
		t.Errorf("version %d is in force", k.Version)
	}
	for version, want := range map[uint32]bool{1: true, 2: false, 3: true, 4: false} {
		if _, ok := n.l.KindsAt(number, version); ok != want {
			t.Errorf("version %d known: %v", version, ok)
		}
	}
	files, err := n.l.KindFiles()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f *entrypb.KindFile) bool { return f.GetName() == "member.yaml" })
	if files[i].GetVersion() != 3 || string(files[i].GetSignature()) != "signature" {
		t.Errorf("file in force: version %d, signature %q", files[i].GetVersion(), files[i].GetSignature())
	}
	if meta := len(before) - len(n.dump()); meta != 0 {
		t.Errorf("what was refused changed the state's size by %d", meta)
	}
	restored := newNode(t, Config{Dir: t.TempDir(), Key: testKey})
	if err := restored.l.Restore(bytes.NewReader(n.dump())); err != nil {
		t.Fatal(err)
	}
	if _, ok := restored.l.KindsAt(number, 1); !ok || restored.l.Kinds().Fingerprint() != n.l.Kinds().Fingerprint() {
		t.Error("a restored replica knows other versions")
	}
}

// TestPublishReplays: replicas that apply the same publications and changes, whatever is in
// them, come to the same bytes and the same versions.
func TestPublishReplays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := begunSmall(t), begunSmall(t)
		version := 1
		for i, step := range rapid.SliceOfN(rapid.SampledFrom([]string{"good", "bad", "same", "staff"}), 1, 8).Draw(r, "steps") {
			var m any
			switch step {
			case "good":
				version++
				m = a.apply(publishVisit(i, version, "text"))
			case "bad":
				m = a.apply(publishVisit(i, version+1, "date"))
			case "same":
				m = a.apply(publishVisit(i, version, "text"))
			case "staff":
				id := syncproto.HashedID("visit", itoa(i%3))
				m = a.apply(&entrypb.Staff{Time: int64(i), Actor: "t", Found: uint64(a.l.Head()), Changes: []*entrypb.StaffChange{{Union: "u1", Kind: 50, Id: id[:],
					Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte(itoa(i))}}}}})
			}
			if refused, ok := m.(*syncproto.Error); ok != (step == "bad") {
				r.Fatalf("step %d, %s: %v", i, step, refused)
			}
			b.raw(a.log[len(a.log)-1])
		}
		if !bytes.Equal(a.dump(), b.dump()) || a.l.Kinds().Fingerprint() != b.l.Kinds().Fingerprint() {
			r.Fatal("two replicas differ")
		}
		if k, _ := a.l.Kinds().Kind("visit"); k.Version != uint32(version) {
			r.Fatalf("version %d is in force, want %d", k.Version, version)
		}
	})
}

// begunSmall is a centre with one small kind: reading large ones takes the time of the test.
func begunSmall(t testing.TB) *node {
	n := newNode(t, Config{Memory: true})
	g := genesis()
	g.Kinds = publishVisit(0, 1, "text").GetKinds()
	n.apply(g)
	return n
}

func publishVisit(time, version int, typ string) *entrypb.Publish {
	return &entrypb.Publish{Time: int64(time), Kinds: []*entrypb.KindFile{{Name: "visit.yaml", Yaml: []byte("kind: visit\nnumber: 50\nversion: " + itoa(version) +
		"\nlabel: {zh: 走访, en: Visit}\ntitle: name\nfields:\n  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: " + typ + "}\n")}}}
}

func itoa(n int) string { return strconv.Itoa(n) }

// TestFoundNeverFalls: a leader that was late does not make the next one begin anew.
func TestFoundNeverFalls(t *testing.T) {
	n := begun(t, Config{Memory: true})
	for _, c := range []struct{ say, want uint64 }{{0, 0}, {5, 5}, {3, 5}, {0, 5}, {9, 9}} {
		n.apply(&entrypb.Staff{Time: 1, Actor: "t", Found: c.say})
		if got, err := n.l.Found(); err != nil || uint64(got) != c.want {
			t.Errorf("after %d: %d %v, want %d", c.say, got, err, c.want)
		}
	}
}

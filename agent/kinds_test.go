package agent_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"unionsync/agent"
	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// memberFile is the embedded member file as another version with pairs of text replaced.
func memberFile(t testing.TB, version string, pairs ...string) []byte {
	t.Helper()
	for _, f := range kind.Embedded().Files() {
		if f.Kind == "member" {
			return []byte(strings.NewReplacer(append(pairs, "\nversion: 1\n", "\nversion: "+version+"\n")...).Replace(string(f.Data)))
		}
	}
	t.Fatal("no members")
	return nil
}

// publishing makes the centre publish files: it compares and answers as docs/protocol.md says.
type publishing struct {
	inForce []uint32
	files   []*syncpb.KindFile
	perNext int // files in one answer; 0: all
	asked   *syncpb.Request
}

func (p *publishing) at(c *agenttest.Centre) {
	c.Fault = func(q *syncpb.Request, _ bool) error { p.asked = q; return nil }
	c.Twist = func(r *syncpb.Response) {
		if kind.FingerprintOf(p.inForce) == p.asked.GetClient().GetKinds() {
			return
		}
		r.KindsInForce = p.inForce
		if len(p.asked.GetClient().GetHaveKinds()) == 0 {
			return
		}
		have, contents := kind.PairMap(p.asked.GetClient().GetHaveKinds()), map[syncproto.KindNumber]uint32{}
		for i, c := range p.asked.GetClient().GetHaveContents() {
			contents[syncproto.KindNumber(p.asked.GetClient().GetHaveKinds()[2*i])] = c
		}
		for _, f := range p.files {
			n := map[string]syncproto.KindNumber{"member.yaml": 2, "visit.yaml": 60}[f.GetName()]
			c, told := contents[n]
			other := f.GetVersion() == have[n] && told && c != kind.ContentOf(f.GetYaml())
			if (f.GetVersion() > have[n] || other) && (p.perNext == 0 || len(r.Kinds) < p.perNext) {
				r.Kinds = append(r.Kinds, f)
			}
		}
	}
}

// inForce are the built-in kinds with some versions changed.
func inForce(changed map[uint32]uint32) []uint32 {
	pairs := kind.Embedded().Pairs()
	for i := 0; i < len(pairs); i += 2 {
		if v, ok := changed[pairs[i]]; ok {
			pairs[i+1] = v
			delete(changed, pairs[i])
		}
	}
	for n, v := range changed {
		pairs = append(pairs, n, v)
	}
	return pairs
}

func version(a *agent.Agent, name string) uint32 {
	k, ok := a.Kinds().Kind(name)
	if !ok {
		return 0
	}
	return k.Version
}

const visit = "kind: visit\nnumber: 60\nversion: 1\nlabel: {zh: 走访, en: Visit}\ntitle: name\nfields:\n  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text}\n"

// TestKindsAreKept: files come in as many answers as they need, verified, are used by the
// next program too, and the centre is asked once.
func TestKindsAreKept(t *testing.T) {
	h := newHome(t, 1)
	h.enrol(unionA)
	v2 := memberFile(t, "2", "  - {number: 36, name: work_start,", "  - {number: 39, name: visit, label: {zh: 走访, en: Visit}, type: reference, ref: visit}\n  - {number: 36, name: work_start,")
	p := &publishing{inForce: inForce(map[uint32]uint32{2: 2, 60: 1}), perNext: 1,
		files: []*syncpb.KindFile{h.centre.SignKind("member.yaml", 2, v2), h.centre.SignKind("visit.yaml", 1, []byte(visit))}}
	p.at(h.centre)
	a := h.agent()
	r, err := a.Sync(t.Context(), "", nil)
	if err != nil || !r.Complete || r.Rounds != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	// The members of version 2 name a kind that came after them: they waited for it.
	for _, x := range []*agent.Agent{a, h.agent()} {
		if version(x, "member") != 2 || version(x, "visit") != 1 {
			t.Fatalf("member %d, visit %d", version(x, "member"), version(x, "visit"))
		}
	}
	if r, err = h.agent().Sync(t.Context(), "", nil); err != nil || r.Rounds != 1 || len(p.asked.GetClient().GetHaveKinds()) > 0 {
		t.Fatalf("the next sync: %+v %v", r, err)
	}
	origins, asides := a.KindOrigins()
	i := slices.IndexFunc(origins, func(o agent.KindOrigin) bool { return o.Kind == "member" })
	if o := origins[i]; !o.Centre || o.Builtin != 1 || !slices.Equal(o.Kept, []uint32{2}) || len(asides) > 0 {
		t.Errorf("%+v %v", origins[i], asides)
	}
}

// TestOtherFileOfTheSameVersion: a centre that a restore made forget a kind file published
// another of the same version. A PC that has the first takes the one in force, once, and
// asks no more after that. Seen to fail with versions alone compared.
func TestOtherFileOfTheSameVersion(t *testing.T) {
	h := newHome(t, 1)
	h.enrol(unionA)
	field := func(name string) []byte {
		return memberFile(t, "2", "  - {number: 36, name: work_start,", "  - {number: 39, name: "+name+", label: {zh: 新, en: New}, type: text, max: 9}\n  - {number: 36, name: work_start,")
	}
	p := &publishing{inForce: inForce(map[uint32]uint32{2: 2}), files: []*syncpb.KindFile{h.centre.SignKind("member.yaml", 2, field("first"))}}
	p.at(h.centre)
	has := func(name string) bool {
		k, ok := h.agent().Kinds().Kind("member")
		if !ok {
			t.Fatal("no members")
		}
		_, ok = k.Field(name)
		return ok
	}
	sync := func() (rounds int) {
		r, err := h.agent().Sync(t.Context(), "", nil)
		if err != nil || !r.Complete {
			t.Fatalf("%+v %v", r, err)
		}
		return r.Rounds
	}
	sync()
	if sync() != 1 || !has("first") {
		t.Fatal("the first file is not in use, or asked for again")
	}
	h.centre.Restore(unionA, h.centre.Backup(unionA))
	p.files = []*syncpb.KindFile{h.centre.SignKind("member.yaml", 2, field("other"))}
	for range 2 {
		sync()
	}
	if has("first") || !has("other") {
		t.Error("the file that the centre forgot is still in use")
	}
	if n := sync(); n != 1 || len(p.asked.GetClient().GetHaveKinds()) > 0 {
		t.Errorf("asked again: %d rounds", n)
	}
	if _, asides := h.agent().KindOrigins(); len(asides) > 0 {
		t.Errorf("set aside: %v", asides)
	}
}

// TestKindsThatAreNotTaken: what is not the city's, or may not follow, is set aside with a
// notice, and the built-in file stays in use; a good one that comes later mends it.
func TestKindsThatAreNotTaken(t *testing.T) {
	for _, c := range []struct {
		why  string
		file func(*home) *syncpb.KindFile
	}{
		{"signed by nobody", func(h *home) *syncpb.KindFile {
			return &syncpb.KindFile{Name: "member.yaml", Version: 2, Yaml: memberFile(h.t, "2")}
		}},
		{"changed on the way", func(h *home) *syncpb.KindFile {
			f := h.centre.SignKind("member.yaml", 2, memberFile(h.t, "2"))
			f.Yaml = append(bytes.Clone(f.Yaml), '#')
			return f
		}},
		{"signed under another version", func(h *home) *syncpb.KindFile { return h.centre.SignKind("member.yaml", 9, memberFile(h.t, "2")) }},
		{"a name that leads out of the folder", func(h *home) *syncpb.KindFile {
			return h.centre.SignKind("../../member.yaml", 2, memberFile(h.t, "2"))
		}},
		{"a field changes its merge class", func(h *home) *syncpb.KindFile {
			return h.centre.SignKind("member.yaml", 2, memberFile(h.t, "2", "type: phone, required: yes", "type: phone, class: ask, required: yes"))
		}},
		{"no YAML", func(h *home) *syncpb.KindFile { return h.centre.SignKind("member.yaml", 2, []byte("kind: [")) }},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newHome(t, 2)
			h.enrol(unionA)
			h.t = t
			p := &publishing{inForce: inForce(map[uint32]uint32{2: 2}), files: []*syncpb.KindFile{c.file(h)}}
			p.at(h.centre)
			a := h.agent()
			if r, err := a.Sync(t.Context(), "", nil); err != nil || !r.Complete || r.Rounds > 3 {
				t.Fatalf("%+v %v", r, err)
			}
			if version(a, "member") != 1 {
				t.Fatalf("version %d is used", version(a, "member"))
			}
			st, err := h.agent().Status(t.Context(), "")
			if err != nil || !slices.ContainsFunc(st.Notices, func(n union.Notice) bool { return n.Code == syncproto.CodeKindAside }) {
				t.Fatalf("%+v %v", st.Notices, err)
			}
			p.files = []*syncpb.KindFile{h.centre.SignKind("member.yaml", 2, memberFile(t, "2"))}
			if _, err := h.agent().Sync(t.Context(), "", nil); err != nil {
				t.Fatal(err)
			}
			if version(a, "member") != 2 {
				t.Fatal("the good file is not used")
			}
		})
	}
}

// TestKindsDamagedOnDisk: a damaged file, or one without its signature, is set aside when it
// is read, and fetched again.
func TestKindsDamagedOnDisk(t *testing.T) {
	for _, c := range []struct {
		why    string
		damage func(dir string) error
	}{
		{"a byte less", func(dir string) error { return os.Truncate(filepath.Join(dir, "member.v2.yaml"), 100) }},
		{"no signature", func(dir string) error { return os.Remove(filepath.Join(dir, "member.v2.sig")) }},
		{"renamed to a later version", func(dir string) error {
			return os.Rename(filepath.Join(dir, "member.v2.yaml"), filepath.Join(dir, "member.v3.yaml"))
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newHome(t, 3)
			h.enrol(unionA)
			p := &publishing{inForce: inForce(map[uint32]uint32{2: 2}), files: []*syncpb.KindFile{h.centre.SignKind("member.yaml", 2, memberFile(t, "2"))}}
			p.at(h.centre)
			if _, err := h.agent().Sync(t.Context(), "", nil); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(filepath.Join(h.dir, "kinds")); err != nil {
				t.Fatal(err)
			}
			a := h.agent()
			if version(a, "member") != 1 {
				t.Fatalf("version %d is used", version(a, "member"))
			}
			if _, err := a.Sync(t.Context(), "", nil); err != nil {
				t.Fatal(err)
			}
			if _, asides := a.KindOrigins(); version(a, "member") != 2 || len(asides) > 0 {
				t.Fatalf("version %d, set aside %v", version(a, "member"), asides)
			}
		})
	}
}

// TestKindsGoBack: a centre that lost a file it had signed gets it back, once.
func TestKindsGoBack(t *testing.T) {
	h := newHome(t, 4)
	h.enrol(unionA)
	file := h.centre.SignKind("member.yaml", 2, memberFile(t, "2"))
	p := &publishing{inForce: inForce(map[uint32]uint32{2: 2}), files: []*syncpb.KindFile{file}}
	p.at(h.centre)
	if _, err := h.agent().Sync(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	p.inForce, p.files = inForce(nil), nil // restored
	handed := 0
	fault := h.centre.Fault
	h.centre.Fault = func(q *syncpb.Request, answered bool) error {
		for _, b := range q.GetReturned() {
			if k := b.GetKind(); k != nil && !answered {
				handed++
				if !bytes.Equal(k.GetYaml(), file.GetYaml()) || !bytes.Equal(k.GetSignature(), file.GetSignature()) {
					t.Error("it is not the file that was signed")
				}
			}
		}
		return fault(q, answered)
	}
	for range 3 {
		if r, err := h.agent().Sync(t.Context(), "", nil); err != nil || r.Rounds > 3 {
			t.Fatalf("%+v %v", r, err)
		}
	}
	if handed != 1 || version(h.agent(), "member") != 2 {
		t.Errorf("handed back %d times, version %d here", handed, version(h.agent(), "member"))
	}
}

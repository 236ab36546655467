package server

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// kindText is an embedded kind's file as another version, with pairs of old and new text
// replaced.
func kindText(t *testing.T, name, version string, pairs ...string) []byte {
	t.Helper()
	for _, f := range kind.Embedded().Files() {
		if f.Kind == name {
			text := strings.Replace(string(f.Data), "\nversion: 1\n", "\nversion: "+version+"\n", 1)
			return []byte(strings.NewReplacer(pairs...).Replace(text))
		}
	}
	t.Fatalf("no kind %s", name)
	return nil
}

const (
	shoe    = "  - {number: 38, name: shoe, label: {zh: 鞋码, en: Shoe size}, type: text, max: 9, class: latest}\n"
	manRule = "\nrules:\n  - {id: M-99, class: C, expr: \"name != '张三'\", message: {zh: 姓名像是样例, en: the name looks like an example}, source: 测试}\n"
)

func (c *testCity) publish(n *running, dry bool, files map[string][]byte) *gate.Published {
	c.t.Helper()
	r, err := c.admin(n).PublishKinds(c.t.Context(), &unionrpc.PublishKindsRequest{Files: files, DryRun: dry, Operator: "t"})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestPublishKinds: an operator looks first, publishes, lists and shows; what may not follow
// is told and changes nothing.
func TestPublishKinds(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	a := c.admin(n)
	good := map[string][]byte{"member.yaml": kindText(t, "member", "2", "\ntables:", "\n"+shoe+"tables:")}
	want := []gate.KindChange{{Kind: "member", Version: 2, Was: 1, Changed: true}}
	before := n.ledger.Applied()
	if r := c.publish(n, true, good); cmp.Diff(want, r.Kinds) != "" || len(r.Problems) > 0 || n.ledger.Applied() != before {
		t.Fatalf("dry run: %+v, %d entries", r, n.ledger.Applied()-before)
	}
	if r := c.publish(n, false, good); cmp.Diff(want, r.Kinds) != "" || len(r.Problems) > 0 {
		t.Fatalf("%+v", r)
	}
	if r := c.publish(n, false, good); r.Kinds[0].Changed || n.ledger.Applied() != before+1 {
		t.Fatalf("again: %+v, %d entries", r, n.ledger.Applied()-before)
	}
	bad := map[string][]byte{"member.yaml": kindText(t, "member", "3"), "visit.yaml": []byte("kind: [")}
	if r := c.publish(n, false, bad); len(r.Problems) != 2 || n.ledger.Applied() != before+1 {
		t.Fatalf("bad: %+v", r.Problems)
	}
	kinds, yaml, err := a.ListKinds(t.Context(), &unionrpc.ListKindsRequest{Kind: "member", Version: 1})
	if err != nil || len(kinds) != 1 || !slices.Equal(kinds[0].Versions, []uint32{1, 2}) || string(yaml) != string(kindText(t, "member", "1")) {
		t.Fatalf("%+v %v", kinds, err)
	}
	_, _, err = a.ListKinds(t.Context(), &unionrpc.ListKindsRequest{Kind: "member", Version: 7})
	wantCode(t, err, syncproto.CodeNoKindVersion)
	if kinds, _, err = a.ListKinds(t.Context(), new(unionrpc.ListKindsRequest)); err != nil || len(kinds) != len(kind.Embedded().All()) {
		t.Fatalf("%d kinds: %v", len(kinds), err)
	}
}

// TestKindsInAnExchange: an agent whose hash is the centre's gets nothing; one whose hash
// differs is told what is in force, and gets the newer files once it says what it has.
func TestKindsInAnExchange(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	p := c.enrolPC(n, "u1")
	ask := func(client *syncpb.Client, back ...*syncpb.Returned) *syncpb.Response {
		t.Helper()
		q, _, err := p.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q.Client, q.Returned = client, back
		r, err := p.exchange(n.ready.API)(q)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	own := kind.Embedded()
	if r := ask(&syncpb.Client{Kinds: own.Fingerprint()}); len(r.GetKindsInForce())+len(r.GetKinds()) > 0 {
		t.Fatalf("equal hashes: %v", r.GetKindsInForce())
	}
	c.publish(n, false, map[string][]byte{"member.yaml": kindText(t, "member", "2", "\ntables:", "\n"+shoe+"tables:"), "motion.yaml": kindText(t, "motion", "5")})
	r := ask(&syncpb.Client{Kinds: own.Fingerprint()})
	if kind.PairMap(r.GetKindsInForce())[2] != 2 || len(r.GetKinds()) > 0 {
		t.Fatalf("in force %v, %d files", r.GetKindsInForce(), len(r.GetKinds()))
	}
	told := r.GetKindsInForce()
	if r = ask(&syncpb.Client{Kinds: kind.FingerprintOf(told)}); len(r.GetKindsInForce())+len(r.GetKinds()) > 0 {
		t.Fatalf("told, and asks no more: %v", r.GetKindsInForce())
	}
	r = ask(&syncpb.Client{HaveKinds: own.Pairs()})
	var got []string
	for _, f := range r.GetKinds() {
		got = append(got, f.GetName())
		if err := seal.Verify(n.trust.Own.CA.PublicKey.(ed25519.PublicKey), syncproto.DomainKindFile, syncproto.KindFileMessage(f.GetName(), f.GetVersion(), f.GetYaml()), f.GetSignature()); err != nil {
			t.Errorf("%s: %v", f.GetName(), err)
		}
	}
	if !slices.Equal(got, []string{"member.yaml", "motion.yaml"}) {
		t.Fatalf("files %v", got)
	}
	if r = ask(&syncpb.Client{HaveKinds: []uint32{2, 9, 7, 5, 1}}); len(r.GetKinds()) != len(own.All())-2 {
		t.Errorf("%d files for one who has newer members and the motions in force", len(r.GetKinds()))
	}
}

// TestReturnedKinds: what the city signed comes into force again after a restore; what it did
// not sign, and what may not follow, does not, and no exchange fails for it.
func TestReturnedKinds(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	p := c.enrolPC(n, "u1")
	signed := func(version uint32, data []byte) *syncpb.KindFile {
		return &syncpb.KindFile{Name: "member.yaml", Version: version, Yaml: data,
			Signature: n.trust.City.Sign(syncproto.DomainKindFile, syncproto.KindFileMessage("member.yaml", version, data))}
	}
	v2 := kindText(t, "member", "2", "\ntables:", "\n"+shoe+"tables:")
	forged := signed(2, v2)
	forged.Signature = slices.Clone(forged.Signature)
	forged.Signature[0] ^= 1
	for _, x := range []struct {
		why  string
		file *syncpb.KindFile
		want uint32
	}{
		{"not signed by the city", forged, 1},
		{"signed as another version than it says", signed(3, v2), 1},
		{"what was lost comes back", signed(2, v2), 2},
		{"twice changes nothing", signed(2, v2), 2},
		{"a field would vanish", signed(4, kindText(t, "member", "4")), 2},
	} {
		q, _, err := p.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q.Returned = []*syncpb.Returned{{Kind: x.file}}
		if _, err := p.exchange(n.ready.API)(q); err != nil {
			t.Fatalf("%s: %v", x.why, err)
		}
		if k, _ := n.ledger.Kinds().Kind("member"); k.Version != x.want {
			t.Errorf("%s: version %d is in force, want %d", x.why, k.Version, x.want)
		}
	}
}

// TestFindings: what a rule of a newer version finds on a record that an older agent saved is
// never a hold: it becomes a record, once, which the next change closes.
func TestFindings(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	p := c.enrolPC(n, "u1")
	c.publish(n, false, map[string][]byte{"member.yaml": kindText(t, "member", "4", "\nrules:\n", manRule)})
	k, _ := kind.Embedded().Kind("member")
	id := syncproto.RecordID{1}
	save := func(field, value string, version uint32) {
		f, _ := k.Field(field)
		rec := p.View(syncproto.RecordKey{Kind: k.Number, ID: id})
		p.Save(syncproto.Change{Kind: k.Number, KindVersion: version, ID: id, Actor: "t",
			Edits: []syncproto.Edit{{Field: f.Number, Value: []byte(value), Overwrote: rec.SeenDots(f.Number, k.Class(f.Number))}}})
		p.sync(n)
		p.sync(n)
	}
	list := func(closed bool) []string {
		t.Helper()
		all, err := c.admin(n).ListFindings(t.Context(), &unionrpc.ListFindingsRequest{Union: "u1", Closed: closed})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range all {
			out = append(out, f.Kind+" "+f.Rule+" "+f.Severity+" "+f.State)
			if f.Record != id.String() || f.En == "" || f.Zh == "" {
				t.Errorf("%+v", f)
			}
		}
		return out
	}
	save("name", "张三", 1)
	if diff := cmp.Diff([]string{"member M-99 C open"}, list(false)); diff != "" {
		t.Fatal(diff)
	}
	head := n.ledger.Head()
	if list(false); n.ledger.Head() != head {
		t.Fatal("work done twice changed something")
	}
	save("department", "一车间", 1) // still wrong: no second record, no edit
	if got := n.ledger.Head(); len(list(false)) != 1 || n.ledger.Head() != got {
		t.Fatal("the same finding again")
	}
	if u := p.sync(n); !u.Equal {
		t.Fatal("the agent does not have the finding")
	}
	if p.Layer()[syncproto.RecordKey{Kind: 11, ID: gate.FindingID("member", id, "M-99")}] == nil {
		t.Fatal("the finding did not come with the feed")
	}
	save("name", "张四", 1)
	if got := list(false); len(got) > 0 {
		t.Fatalf("still open: %v", got)
	}
	if diff := cmp.Diff([]string{"member M-99 C closed"}, list(true)); diff != "" {
		t.Fatal(diff)
	}
	save("name", "张三", 4) // this program has the rule: the clerk explained
	if got := list(false); len(got) > 0 {
		t.Fatalf("explained, and open: %v", got)
	}
}

// TestFindingsAfterARestart: the work goes on where it was, and nothing is lost between.
func TestFindingsAfterARestart(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{Contacts: patience}) // the tick does not come
	n := c.nodes[0]
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(n, "u1")
	c.publish(n, false, map[string][]byte{"member.yaml": kindText(t, "member", "4", "\nrules:\n", manRule)})
	k, _ := kind.Embedded().Kind("member")
	f, _ := k.Field("name")
	for i := range 3 {
		p.Save(syncproto.Change{Kind: k.Number, KindVersion: 1, ID: syncproto.RecordID{byte(i + 1)}, Actor: "t", Edits: []syncproto.Edit{{Field: f.Number, Value: []byte("张三")}}})
	}
	p.sync(n)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	n = c.start(n.dir)
	c.nodes[0] = n
	c.leader()
	for range 2 {
		all, err := c.admin(n).ListFindings(t.Context(), new(unionrpc.ListFindingsRequest))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 3 {
			t.Fatalf("%d findings, want 3", len(all))
		}
	}
	if at, err := n.ledger.Found(); err != nil || at == 0 {
		t.Fatalf("worked out up to %s: %v", at, err)
	}
}

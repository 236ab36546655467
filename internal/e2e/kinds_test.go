package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionsync/agent"
	"unionsync/agent/link"
	"unionsync/agent/union"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

const kindsUnion = "330702-00001"

// kindCity is a real node and real agents in this process.
type kindCity struct {
	*testing.T
	admin *server.Admin
	url   string
}

func newKindCity(t *testing.T) *kindCity {
	t.Helper()
	dir, world := filepath.Join(t.TempDir(), "n1"), server.World{Rand: rand.Reader, Now: time.Now}
	cfg := server.Config{ID: "n1", City: "test", Listen: loopback(t), Raft: loopback(t), Heartbeat: "50ms"}
	if _, err := server.Init(dir, cfg, world); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	c, err := server.LoadConfig(dir, none, nil)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan server.Ready, 1)
	n, err := server.Open(server.Options{Dir: dir, Config: c, World: world, Log: slog.New(slog.DiscardHandler), Version: "test", Ready: func(r server.Ready) { ready <- r }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	k := &kindCity{T: t}
	select {
	case r := <-ready:
		k.url = r.API
	case <-time.After(time.Minute):
		t.Fatal("the node is not ready")
	}
	if k.admin, err = server.Dial(dir, none, k.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.admin.Close)
	r, err := k.admin.ImportOrg(t.Context(), &unionrpc.ImportOrgRequest{Rows: []*unionrpc.OrgRow{
		{Line: 2, Values: map[string]string{"code": "330700", "name": "金华市总工会", "level": "city", "county": "SBJ"}},
		{Line: 3, Values: map[string]string{"code": kindsUnion, "name": "某公司工会", "level": "union", "parent": "330700", "county": "330702"}},
	}})
	if err != nil || len(r.GetProblems()) > 0 {
		t.Fatal(err, r.GetProblems())
	}
	return k
}

// clerk is one PC. An old one has a program that knows nothing of published kinds.
type clerk struct {
	*agent.Agent
	c *kindCity
}

func (c *kindCity) clerk(kinds *kind.Set, old bool) *clerk {
	c.Helper()
	dial := func(config *tls.Config, addresses []string) (agent.Line, error) {
		l, err := link.New(link.Config{TLS: config, Addresses: addresses})
		return deafLine{l, old}, err
	}
	a, err := agent.Open(agent.Config{Dir: filepath.Join(c.TempDir(), "data"), Kinds: kinds, Actor: "王芳", Version: "test", Dial: dial})
	if err != nil {
		c.Fatal(err)
	}
	code, err := c.admin.CreateCode(c.Context(), &unionrpc.CreateCodeRequest{Union: kindsUnion})
	if err != nil {
		c.Fatal(err)
	}
	if e, err := a.Enrol(c.Context(), c.url, code.GetCode()); err != nil || e.Fetch != nil {
		c.Fatal(err, e.Fetch)
	}
	return &clerk{a, c}
}

// deafLine is the line of a program that does not hear what is said of kinds.
type deafLine struct {
	agent.Line
	deaf bool
}

// Exchange makes one round.
func (l deafLine) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	r, err := l.Line.Exchange(ctx, q)
	if l.deaf && r != nil {
		r.Kinds, r.KindsInForce = nil, nil
	}
	return r, err
}

// sync syncs until nothing is left and the digests are equal.
func (p *clerk) sync() union.Result {
	p.c.Helper()
	r, err := p.Sync(p.c.Context(), kindsUnion, nil)
	if err != nil || !r.Complete || !r.Equal || len(r.Notices)+len(r.Refused) > 0 {
		p.c.Fatalf("%+v %v", r, err)
	}
	return r
}

func (p *clerk) with(do func(u *union.Union)) {
	p.c.Helper()
	u, err := p.Union(kindsUnion)
	if err != nil {
		p.c.Fatal(err)
	}
	do(u)
	if err := u.Close(); err != nil {
		p.c.Fatal(err)
	}
}

func (p *clerk) save(d union.Draft) (syncproto.RecordID, error) {
	p.c.Helper()
	var s union.Saved
	var err error
	p.with(func(u *union.Union) { s, err = u.Save(p.c.Context(), d) })
	return s.ID, err
}

func (p *clerk) mustSave(d union.Draft) syncproto.RecordID {
	p.c.Helper()
	id, err := p.save(d)
	if err != nil {
		p.c.Fatal(err)
	}
	return id
}

func (p *clerk) field(kindName string, id syncproto.RecordID, n syncproto.FieldNumber) (out string) {
	p.c.Helper()
	p.with(func(u *union.Union) {
		r, err := u.Get(kindName, id)
		if err != nil {
			p.c.Fatal(err)
		}
		out = r.Record.Text(n)
	})
	return out
}

func (c *kindCity) publish(files map[string][]byte) {
	c.Helper()
	r, err := c.admin.PublishKinds(c.Context(), &unionrpc.PublishKindsRequest{Files: files, Operator: "t"})
	if err != nil || len(r.Problems) > 0 {
		c.Fatal(err, r)
	}
}

// editKind gives the embedded member file as another version.
func editKind(t *testing.T, version string, pairs ...string) []byte {
	t.Helper()
	for _, f := range kind.Embedded().Files() {
		if f.Kind == "member" {
			return []byte(strings.NewReplacer(append(pairs, "\nversion: 1\n", "\nversion: "+version+"\n")...).Replace(string(f.Data)))
		}
	}
	t.Fatal("no members")
	return nil
}

const (
	fieldShoe = 38
	withShoe  = "\n  - {number: 38, name: shoe, label: {zh: 鞋码, en: Shoe size}, type: text, max: 9, class: latest}\ntables:"
	visitKind = "kind: visit\nnumber: 60\nversion: 1\nlabel: {zh: 走访, en: Visit}\ntitle: name\nfields:\n" +
		"  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text}\n  - {number: 11, name: member, label: {zh: 会员, en: Member}, type: reference, ref: member}\n"
)

func newMember(n string) union.Draft {
	return union.Draft{Kind: "member", New: true, Text: map[string]string{
		"name": "张三", "id_type": "普通护照", "id_no": "G1234567" + n, "sex": "男", "birth": "1990-03-07", "ethnic": "汉族", "education": "大专",
		"mobile": "13307225249", "employer": "某某公司", "work_status": "在岗", "migrant": "否", "dispatch": "否", "new_form": "非新业态", "department": "装配车间",
	}}
}

// TestUnknownSurvivesOldProgram: a program that knows neither the new field nor the new kind
// edits, lists, exports and imports, and nothing of either is lost; digests end equal.
func TestUnknownSurvivesOldProgram(t *testing.T) {
	t.Parallel()
	c := newKindCity(t)
	old := c.clerk(nil, true)
	id := old.mustSave(newMember("0"))
	old.sync()
	c.publish(map[string][]byte{"member.yaml": editKind(t, "2", "\ntables:", withShoe), "visit.yaml": []byte(visitKind)})
	fresh := c.clerk(nil, false)
	fresh.sync()
	if k, _ := fresh.Kinds().Kind("member"); k.Version != 2 {
		t.Fatalf("version %d after a sync", k.Version)
	}
	fresh.mustSave(union.Draft{Kind: "member", ID: id, Text: map[string]string{"shoe": "43"}})
	visit := fresh.mustSave(union.Draft{Kind: "visit", New: true, Text: map[string]string{"name": "走访", "member": id.String()}})
	fresh.sync()

	old.sync()
	old.mustSave(union.Draft{Kind: "member", ID: id, Text: map[string]string{"department": "一车间"}})
	old.with(func(u *union.Union) {
		if p, err := u.List(t.Context(), union.Query{Kind: "member"}); err != nil || p.Total != 1 {
			t.Fatalf("%d members: %v", p.Total, err)
		}
		if rows, err := u.Find(t.Context(), "张三", 0); err != nil || len(rows) != 1 {
			t.Fatalf("%d found: %v", len(rows), err)
		}
		if _, err := u.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if st, err := old.Status(t.Context(), kindsUnion); err != nil || st.Held > 0 {
		t.Fatalf("%+v %v", st, err)
	}
	old.sync()
	fresh.sync()
	for _, p := range []*clerk{old, fresh} {
		if got := p.field("member", id, fieldShoe); got != "43" {
			t.Errorf("the new field is %q", got)
		}
		if got := p.field("member", id, 34); got != "一车间" {
			t.Errorf("the edited field is %q", got)
		}
	}
	fresh.with(func(u *union.Union) {
		if rows, err := u.Referring("visit", "member", id); err != nil || len(rows) != 1 || rows[0].ID != visit {
			t.Errorf("visits of the member: %v %v", rows, err)
		}
	})
}

// TestYearBehind: work saved by rules, limits and tables of a year ago is taken without a
// hold; what the newest rules find is an item to look at; the agent then works by the newest
// files without a new program, and finds by new fields what came before it knew them.
func TestYearBehind(t *testing.T) {
	t.Parallel()
	c := newKindCity(t)
	p := c.clerk(nil, false)
	first := newMember("1")
	first.Text["mobile"] = "13307225248" // no rule minds it
	p.mustSave(first)
	p.sync()
	p.sync()
	idle := p.sync()
	id := p.mustSave(newMember("0"))
	for i, v := range []string{"2", "3", "4"} {
		c.publish(map[string][]byte{"member.yaml": editKind(t, v, "\ntables:", withShoe, "type: text, max: 60, class: latest,\n     aliases: [所在部门", "type: text, max: "+[]string{"50", "40", "3"}[i]+", class: latest,\n     aliases: [所在部门",
			"\nrules:\n", "\nrules:\n  - {id: M-99, class: A, expr: \"mobile != '13307225249'\", message: {zh: 号码不可用, en: that number cannot be used}, source: 测试}\n")})
	}
	if r := p.sync(); r.Held > 0 || r.Sent != 1 {
		t.Fatalf("%+v", r)
	}
	k, _ := p.Kinds().Kind("member")
	if f, _ := k.Field("department"); k.Version != 4 || f.Max != 3 {
		t.Fatalf("version %d after the sync", k.Version)
	}
	all, err := c.admin.ListFindings(t.Context(), &unionrpc.ListFindingsRequest{Union: kindsUnion})
	if err != nil || len(all) != 1 || all[0].Rule != "M-99" || all[0].Record != id.String() {
		t.Fatalf("%+v %v", all, err)
	}
	p.sync()
	p.with(func(u *union.Union) {
		found, err := p.Findings(t.Context(), u, false)
		if err != nil || len(found) != 1 || found[0].Rule != "M-99" {
			t.Fatalf("%+v %v", found, err)
		}
	})
	if _, err := p.save(union.Draft{Kind: "member", ID: id, Text: map[string]string{"department": "二号装配车间"}}); err == nil {
		t.Error("the new limit is not kept to")
	}
	p.mustSave(union.Draft{Kind: "member", ID: id, Text: map[string]string{"mobile": "13307225240", "department": "三车间"}})
	p.sync()
	if all, err = c.admin.ListFindings(t.Context(), new(unionrpc.ListFindingsRequest)); err != nil || len(all) != 0 {
		t.Fatalf("%+v %v", all, err)
	}
	p.sync()
	if r := p.sync(); r.Rounds != 1 || r.BytesSent > idle.BytesSent+8 || r.BytesReceived > idle.BytesReceived+8 {
		t.Errorf("nothing to do: %d rounds, %d and %d bytes, were %d and %d", r.Rounds, r.BytesSent, r.BytesReceived, idle.BytesSent, idle.BytesReceived)
	}
}

// TestNewerProgram: a program whose built-in files are newer than those in force merges by
// other classes, and still ends with equal digests; idle syncs stay one short round.
func TestNewerProgram(t *testing.T) {
	t.Parallel()
	c := newKindCity(t)
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = f.Data
	}
	files["member.yaml"] = editKind(t, "7", "\ntables:", withShoe)
	newer, err := kind.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	a, b, plain := c.clerk(newer, false), c.clerk(newer, false), c.clerk(nil, false)
	id := a.mustSave(newMember("0"))
	a.sync()
	b.sync()
	for i, p := range []*clerk{a, b, a, b} { // edits that cross: the newer program says latest, the centre asks
		p.mustSave(union.Draft{Kind: "member", ID: id, Text: map[string]string{"shoe": "4" + string(rune('0'+i))}})
		if i%2 == 1 {
			a.sync()
			b.sync()
			a.sync()
		}
	}
	plain.sync()
	if k, _ := a.Kinds().Kind("member"); k.Version != 7 {
		t.Errorf("the newer program works by version %d", k.Version)
	}
	want := a.field("member", id, fieldShoe)
	for _, p := range []*clerk{b, plain} {
		if got := p.field("member", id, fieldShoe); got != want || got == "" {
			t.Errorf("%q here, %q there", got, want)
		}
	}
	if r := a.sync(); r.Rounds != 1 {
		t.Errorf("an idle sync takes %d rounds", r.Rounds)
	}
}

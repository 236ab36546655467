package union_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// pc is one PC of the union: a folder with an open union, and a way to sync it with a
// centre in memory.
type pc struct {
	t     testing.TB
	dir   string
	u     *union.Union
	key   ed25519.PrivateKey
	nonce uint64
	all   []syncproto.Place // every change that was reported saved
	based string            // copy of a base, to be put back later
}

func newPC(t testing.TB, dir string) *pc {
	t.Helper()
	u, err := uniontest.Create(dir, "u1", options())
	must(t, err)
	return &pc{t: t, dir: dir, u: u, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

func newCentre() *sessiontest.Centre {
	c := sessiontest.NewCentre([]byte("history1"))
	c.Class = func(n syncproto.KindNumber) merge.Classes {
		k, _ := kind.Embedded().ByNumber(n)
		return k.Class
	}
	return c
}

// round is one round trip; lose says what is lost of it, "request", "response" or nothing.
func (p *pc) round(c *sessiontest.Centre, lose string) *session.Update {
	p.t.Helper()
	st, err := p.u.SessionState()
	must(p.t, err)
	p.nonce++
	st.History, st.Lineage, st.Budget, st.Refill = c.History, c.Lineage, syncproto.MaxBatchBytes, true
	env := session.Env{
		Nonce: binary.BigEndian.AppendUint64(nil, p.nonce), Class: p.u.Classes,
		Sign:       func(m []byte) []byte { return seal.Sign(p.key, syncproto.DomainSegment, m) },
		Verify:     func(string, *syncpb.Receipt, []byte) error { return nil },
		VerifyLife: func(syncproto.Generation) error { return nil },
		VerifyRun:  func([]byte, [][]byte, []byte, []byte) error { return nil },
	}
	q, sent, err := session.Ask(&st, p.u.OwnChanges(), env)
	must(p.t, err)
	if lose == "request" {
		return &session.Update{}
	}
	r, err := c.Exchange(q)
	must(p.t, err)
	if lose == "response" {
		return &session.Update{}
	}
	layer, err := p.u.CentreRecords()
	must(p.t, err)
	up, err := session.Take(st, sent, r, p.u.OwnChanges(), layer, env)
	must(p.t, err)
	out, err := p.u.FromSession(st, up, day.Unix())
	must(p.t, err)
	if up.Receipt != nil {
		out.Receipt, err = proto.Marshal(up.Receipt)
		must(p.t, err)
		out.ReceiptSeq = up.Receipt.GetPlace().GetSeq()
	}
	must(p.t, p.u.Settle(out))
	return up
}

// sync goes on until nothing is left to do.
func (p *pc) sync(c *sessiontest.Centre) *session.Update {
	p.t.Helper()
	for range 200 {
		if up := p.round(c, ""); !up.Again {
			must(p.t, p.u.WriteBase())
			if up.Equal {
				must(p.t, p.u.DropAsides())
			}
			return up
		}
	}
	p.t.Fatal("a sync does not come to an end")
	return nil
}

// kill is an unclean stop: the folder as it is on disk goes on elsewhere.
func (p *pc) kill() {
	p.t.Helper()
	dir, err := os.MkdirTemp(p.t.TempDir(), "killed")
	must(p.t, err)
	must(p.t, os.CopyFS(dir, os.DirFS(p.dir)))
	must(p.t, p.u.Close())
	p.dir = dir
	p.open()
}

func (p *pc) open() {
	p.t.Helper()
	u, err := union.Open(p.dir, options())
	must(p.t, err)
	p.u = u
}

// save saves a random draft about one of few members.
func (p *pc) save(r *rapid.T) {
	page, err := p.u.List(ctx, union.Query{Kind: "member", Void: true})
	must(p.t, err)
	if page.Total < 2 || rapid.IntRange(0, 9).Draw(r, "new") == 0 {
		drafts, err := uniontest.Member(p.u, rapid.IntRange(0, 3).Draw(r, "member"))
		must(p.t, err)
		p.commit(drafts)
		return
	}
	d := union.Draft{Kind: "member", ID: rapid.SampledFrom(page.Rows).Draw(r, "record").ID}
	post := rapid.SampledFrom([]string{"焊工", "钳工", "", heldPost}).Draw(r, "post")
	set := rapid.SampledFrom([]string{"1", "2"}).Draw(r, "union post")
	switch rapid.IntRange(0, 6).Draw(r, "edit") {
	case 0:
		d.Text = map[string]string{"name": rapid.SampledFrom([]string{"张三", "李四"}).Draw(r, "name")}
	case 1:
		d.Text = map[string]string{"post": post}
	case 2:
		d.Text = map[string]string{"post": post, "name": "王五"}
	case 3:
		d.Decide = []syncproto.FieldNumber{field("name")}
	case 4:
		d.Add = map[syncproto.FieldNumber][][]byte{field("union_post"): {[]byte(set)}}
	case 5:
		d.Remove = map[syncproto.FieldNumber][][]byte{field("union_post"): {[]byte(set)}}
	case 6:
		d.Void = "重复"
	}
	p.commit([]union.Draft{d})
}

// heldPost is a value for which the centre of these tests sends a change back.
const heldPost = "退回"

func holdPost(ch *syncproto.Change) syncproto.HeldReason {
	if e := ch.Edit(field("post")); ch.Kind == 2 && e != nil && string(e.Value) == heldPost {
		return syncproto.HeldValue
	}
	return syncproto.HeldNot
}

func (p *pc) commit(drafts []union.Draft) {
	p.t.Helper()
	saved, err := p.u.SaveGroup(ctx, drafts)
	switch syncproto.CodeOf(err) {
	case syncproto.CodeNothingChanged, syncproto.CodeRefused: // without its base a PC shows parts of records
	default:
		must(p.t, err)
	}
	for _, s := range saved {
		p.all = append(p.all, s.Place)
	}
}

// TestRandomLife: two PCs save, sync, lose lines, stop uncleanly, lose files, get old bases
// back. Nothing that was reported saved is ever missing; in the end all of it is at the
// centre exactly once, and both PCs show the centre's records.
func TestRandomLife(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newCentre()
		c.Hold = holdPost
		pcs := []*pc{newPC(t, filepath.Join(t.TempDir(), "a")), newPC(t, filepath.Join(t.TempDir(), "b"))}
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			p := rapid.SampledFrom(pcs).Draw(r, "pc")
			p.step(r, c)
			p.check(r)
		}
		for range 2 {
			for _, p := range pcs {
				if up := p.sync(c); !up.Equal {
					r.Fatalf("digests are not equal after a sync: %v", up.Notices)
				}
			}
		}
		for _, p := range pcs {
			p.check(r)
			p.checkCentre(r, c)
			must(t, p.u.Close())
		}
	})
}

func (p *pc) step(r *rapid.T, c *sessiontest.Centre) {
	switch rapid.IntRange(0, 8).Draw(r, "step") {
	case 0, 1, 2:
		p.save(r)
	case 3:
		p.round(c, rapid.SampledFrom([]string{"", "request", "response"}).Draw(r, "lost"))
	case 4:
		p.sync(c)
		b, err := os.ReadFile(filepath.Join(p.dir, store.BaseName))
		must(p.t, err)
		p.based = string(b)
	case 5:
		p.kill()
	case 6:
		must(p.t, p.u.Close())
		p.open()
	case 7:
		p.damage(r)
	case 8:
		if p.based == "" {
			return
		}
		must(p.t, p.u.Close())
		must(p.t, os.WriteFile(filepath.Join(p.dir, store.BaseName), []byte(p.based), 0o600))
		p.open()
	}
}

// damage closes and zeroes, cuts or removes any file but the journal.
func (p *pc) damage(r *rapid.T) {
	must(p.t, p.u.Close())
	files, err := filepath.Glob(filepath.Join(p.dir, store.DirName, "*"))
	must(p.t, err)
	for _, name := range []string{store.BaseName, store.CleanName} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
			files = append(files, filepath.Join(p.dir, name))
		}
	}
	file := rapid.SampledFrom(files).Draw(r, "file")
	info, err := os.Stat(file)
	must(p.t, err)
	switch rapid.IntRange(0, 2).Draw(r, "damage") {
	case 0:
		must(p.t, os.WriteFile(file, make([]byte, info.Size()), 0o600))
	case 1:
		must(p.t, os.Truncate(file, info.Size()/2))
	case 2:
		must(p.t, os.Remove(file))
	}
	p.open()
}

// check holds the promise: every saved change is in the journal, its record is shown
// unless it is held, and views and digest are what they are made of.
func (p *pc) check(r *rapid.T) {
	if head := p.u.Head(); len(p.all) > 0 && head != p.all[len(p.all)-1] {
		r.Fatalf("the journal ends at %d, saved was %d", head.Seq, p.all[len(p.all)-1].Seq)
	}
	report, err := p.u.Doctor(ctx, 0)
	must(p.t, err)
	for _, f := range report.Findings {
		if f.Severe {
			r.Fatalf("the doctor finds %v", f.Err)
		}
	}
	own := p.u.OwnChanges()
	placed, err := own.After(0, 1<<30, 1<<30)
	must(p.t, err)
	for i, pl := range placed {
		if pl.Place != p.all[i] {
			r.Fatalf("change %d has another place", i+1)
		}
		v, ok, err := own.Verdict(pl.Place.Seq)
		must(p.t, err)
		k, _ := kind.Embedded().ByNumber(pl.Change.Kind)
		if _, err := p.u.Get(k.Name, pl.Change.ID); err != nil && !(ok && v.Kind == syncproto.VerdictHeld) {
			r.Fatalf("the record of saved change %d is not shown: %v", pl.Place.Seq, err)
		}
	}
}

func (p *pc) checkCentre(r *rapid.T, c *sessiontest.Centre) {
	at := c.Positions()
	for _, place := range p.all {
		if at[place.Dot()] == 0 {
			r.Fatalf("change %d is not at the centre", place.Seq)
		}
	}
	for key, want := range c.Records() {
		k, _ := kind.Embedded().ByNumber(key.Kind)
		got, err := p.u.Get(k.Name, key.ID)
		if err != nil && len(want.Fields) == 0 {
			continue
		}
		if err != nil || merge.Hash(key, want) != merge.Hash(key, got.Record) {
			r.Fatalf("record %s is shown otherwise than the centre has it: %v", key.ID, err)
		}
	}
	st, err := p.u.Status(ctx)
	must(p.t, err)
	if st.Waiting != 0 || !st.Proved || st.Asides != 0 || st.Delivered != uint64(len(p.all)) {
		r.Fatalf("status at the end: %+v", st)
	}
}

// TestDeliveryAndHistory follows one member through waiting, delivered, held and dropped.
func TestDeliveryAndHistory(t *testing.T) {
	p, c := newPC(t, t.TempDir()), newCentre()
	defer func() { must(t, p.u.Close()) }()
	c.Hold = holdPost
	id := addMember(t, p.u, 1)
	status := func(want union.Status) {
		t.Helper()
		st, err := p.u.Status(ctx)
		must(t, err)
		if st.Saved != want.Saved || st.Waiting != want.Waiting || st.Delivered != want.Delivered || st.Held != want.Held || st.Proved != want.Proved {
			t.Errorf("status %+v", st)
		}
		if (st.Waiting > 0) != st.Oldest.Equal(day) {
			t.Errorf("oldest waiting: %v", st.Oldest)
		}
	}
	status(union.Status{Saved: 2, Waiting: 2})
	p.sync(c)
	status(union.Status{Saved: 2, Delivered: 2, Proved: true})
	edit := func(post string) {
		t.Helper()
		_, err := p.u.Save(ctx, union.Draft{Kind: "member", ID: id, Text: map[string]string{"post": post}})
		must(t, err)
	}
	edit(heldPost)
	edit("焊工")
	if got := get(t, p.u, id).Values[field("post")]; string(got) != "焊工" {
		t.Errorf("before the sync: %s", got)
	}
	p.sync(c)
	status(union.Status{Saved: 4, Delivered: 4, Held: 2, Proved: true})
	if got := get(t, p.u, id).Values[field("post")]; got != nil {
		t.Errorf("held changes are shown: %s", got)
	}
	deliveries := func(want ...union.Delivery) {
		t.Helper()
		h, err := p.u.History(ctx, "member", id)
		must(t, err)
		var got []union.Delivery
		for _, e := range h {
			got = append(got, e.Delivery)
		}
		if len(got) != len(want) || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("deliveries %v, want %v", got, want)
		}
	}
	deliveries(union.Delivered, union.Held, union.Held)
	_, err := p.u.DropHeld(ctx, "member", id, "", "不要了")
	must(t, err)
	deliveries(union.Delivered, union.Dropped, union.Dropped, union.Waiting)
	status(union.Status{Saved: 5, Delivered: 4, Waiting: 1})
	if _, err := p.u.DropHeld(ctx, "member", id, "", ""); syncproto.CodeOf(err) != syncproto.CodeNothingChanged {
		t.Errorf("dropped twice: %v", err)
	}
	edit("钳工") // who has dropped what was held may save anew, and it counts
	p.sync(c)
	deliveries(union.Delivered, union.Dropped, union.Dropped, union.Delivered, union.Delivered)
	status(union.Status{Saved: 6, Delivered: 6, Proved: true})
	if got := get(t, p.u, id).Values[field("post")]; string(got) != "钳工" {
		t.Errorf("after the drop: %s", got)
	}
	if _, err := p.u.History(ctx, "member", syncproto.RecordID{1}); syncproto.CodeOf(err) != syncproto.CodeNotFound {
		t.Errorf("history of nothing: %v", err)
	}
}

// TestConflict: two PCs give one field different values; a person decides.
func TestConflict(t *testing.T) {
	a, b, c := newPC(t, filepath.Join(t.TempDir(), "a")), newPC(t, filepath.Join(t.TempDir(), "b")), newCentre()
	defer func() { must(t, a.u.Close()); must(t, b.u.Close()) }()
	id := addMember(t, a.u, 1)
	a.sync(c)
	b.sync(c)
	for p, name := range map[*pc]string{a: "张三", b: "张山"} {
		_, err := p.u.Save(ctx, union.Draft{Kind: "member", ID: id, Text: map[string]string{"name": name}})
		must(t, err)
	}
	for range 2 {
		a.sync(c)
		b.sync(c)
	}
	for _, p := range []*pc{a, b} {
		if r := get(t, p.u, id); len(r.Conflicts) != 1 || r.Conflicts[0] != field("name") {
			t.Fatalf("conflicts: %v", r.Conflicts)
		}
		page, err := p.u.List(ctx, union.Query{Kind: "member", Conflicts: true})
		if page.Total != 1 || err != nil {
			t.Errorf("listed: %d %v", page.Total, err)
		}
	}
	_, err := a.u.Save(ctx, union.Draft{Kind: "member", ID: id, Values: kind.Values{field("name"): []byte("张山")}, Decide: []syncproto.FieldNumber{field("name")}})
	must(t, err)
	for range 2 {
		a.sync(c)
		b.sync(c)
	}
	for _, p := range []*pc{a, b} {
		if r := get(t, p.u, id); len(r.Conflicts) != 0 || string(r.Values[field("name")]) != "张山" {
			t.Errorf("after the decision: %v %s", r.Conflicts, r.Values[field("name")])
		}
	}
	h, err := b.u.History(ctx, "member", id)
	must(t, err)
	if h[0].Delivery != union.Foreign {
		t.Errorf("another PC's change: %+v", h[0])
	}
}

// TestDoctorFinds: each kind of damage that can be told has its finding.
func TestDoctorFinds(t *testing.T) {
	p, c := newPC(t, t.TempDir()), newCentre()
	defer func() { must(t, p.u.Close()) }()
	addMember(t, p.u, 1)
	p.sync(c)
	has := func(code syncproto.Code, why string) {
		t.Helper()
		r, err := p.u.Doctor(ctx, 40*60*1e9)
		must(t, err)
		for _, f := range r.Findings {
			if f.Err.Code == code {
				return
			}
		}
		t.Errorf("%s: findings %+v", why, r.Findings)
	}
	has(syncproto.CodeFoundClock, "a clock 40 minutes off")
	base := filepath.Join(p.dir, store.BaseName)
	b, err := os.ReadFile(base)
	must(t, err)
	must(t, os.WriteFile(base, bytes.Repeat([]byte{1}, len(b)), 0o600))
	has(syncproto.CodeFoundBase, "a damaged base")
	must(t, os.WriteFile(base, b, 0o600))
	p.kill()
	has(syncproto.CodeFoundAside, "a store set aside")
}

// TestLostJournalIsNotMadeAgain: a folder without its journal is not taken for a new one.
func TestLostJournalIsNotMadeAgain(t *testing.T) {
	p := newPC(t, t.TempDir())
	must(t, p.u.Close())
	must(t, os.Remove(filepath.Join(p.dir, journal.FileName)))
	if _, err := union.Create(p.dir, "u1", options()); syncproto.CodeOf(err) != syncproto.CodeUnionExists {
		t.Errorf("created: %v", err)
	}
}

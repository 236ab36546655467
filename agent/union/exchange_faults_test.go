package union_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// image copies what a PC that loses power now would have: journal and base. The store's
// folder has no note of a clean close, so it is never read again.
func (p *station) image(t fataler) string {
	dir, err := os.MkdirTemp(filepath.Dir(p.dir), "image")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"journal.db", "base"} {
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// reopen goes on with an image, or with the folder as it was closed cleanly.
func (p *station) reopen(t fataler, dir string) {
	if err := p.u.Close(); err != nil {
		t.Fatal(err)
	}
	if dir != "" {
		p.dir = dir
	}
	u, err := union.Open(p.dir, p.options())
	if err != nil {
		t.Fatal(err)
	}
	p.u = u
}

// troubled is a line on which things happen at the n-th round.
type troubled struct {
	c      *agenttest.Centre
	n      int
	lost   string // "request", "answer" or nothing
	before func() // runs while the request is under way
	after  func() // runs when the centre has answered
	budget []uint32
}

func (l *troubled) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	l.budget = append(l.budget, q.GetBudget())
	l.n--
	hit := l.n == 0
	if hit && l.before != nil {
		l.before()
	}
	if hit && l.lost == "request" {
		return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
	}
	r, err := l.c.Exchange(ctx, q)
	if hit && l.after != nil {
		l.after()
	}
	if hit && l.lost == "answer" {
		return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
	}
	return r, err
}

// city is two PCs of one union and their centre, for random histories.
type city struct {
	t     *rapid.T
	c     *agenttest.Centre
	pcs   []*station
	saved map[syncproto.Dot]bool
	shown map[*station]map[syncproto.RecordID]string // what was saved where, by kind
	next  int
}

func (w *city) pc() *station { return w.pcs[rapid.IntRange(0, len(w.pcs)-1).Draw(w.t, "pc")] }

// save saves members or edits one: all of it must be at the centre in the end.
func (w *city) save(p *station) {
	ctx := context.Background()
	if rapid.Bool().Draw(w.t, "edit") {
		page, err := p.u.List(ctx, union.Query{Kind: "member", Limit: 3})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page.Rows) > 0 {
			r := page.Rows[rapid.IntRange(0, len(page.Rows)-1).Draw(w.t, "row")]
			w.next++
			s, err := p.u.Save(ctx, union.Draft{Kind: "member", ID: r.ID, Text: map[string]string{
				"name": "试改" + string(rune('一'+w.next)), "department": fmt.Sprint("车间", w.next),
			}})
			w.keep(p, []union.Saved{s}, err)
			return
		}
	}
	n := rapid.IntRange(1, 3).Draw(w.t, "members")
	w.next += n
	s, err := uniontest.Members(ctx, p.u, w.next, n)
	w.keep(p, s, err)
}

func (w *city) keep(p *station, all []union.Saved, err error) {
	if syncproto.CodeOf(err) == syncproto.CodeFirstFetch && err != nil {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range all {
		w.saved[s.Place.Dot()] = true
		w.shown[p][s.ID] = s.Kind
	}
}

// look checks that a PC shows what was saved on it, whatever happened to it since.
func (w *city) look(p *station) {
	for id, kindName := range w.shown[p] {
		if _, err := p.u.Get(kindName, id); err != nil {
			w.t.Fatalf("a saved record is not shown any more: %v", err)
		}
	}
}

// sync syncs on a troubled line; the PC may lose power at any point of it.
func (w *city) sync(p *station) {
	var dir string
	l := &troubled{c: w.c, n: rapid.IntRange(1, 4).Draw(w.t, "round"),
		lost: rapid.SampledFrom([]string{"", "request", "answer"}).Draw(w.t, "lost")}
	crash := func() { dir = p.image(w.t) }
	party := p.party()
	switch rapid.SampledFrom([]string{"", "save", "crash before", "crash after", "crash settled"}).Draw(w.t, "what") {
	case "save":
		l.before = func() { w.save(p) }
	case "crash before":
		l.before = crash
	case "crash after":
		l.after = crash
	case "crash settled": // facts and layer are written, the base is not
		party.Progress = func(union.Result) { dir = p.image(w.t) }
	}
	if _, err := p.u.Exchange(context.Background(), l, party); err != nil {
		w.t.Fatal(err)
	}
	if dir != "" {
		p.reopen(w.t, dir)
	}
}

// TestExchangeSurvives: whatever is cut or loses power, after two syncs on a good line every
// saved change is at the centre exactly once, and all ends have the same records.
func TestExchangeSurvives(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		c := exchangeCentre(t)
		w := &city{t: rt, c: c, saved: map[syncproto.Dot]bool{}, shown: map[*station]map[syncproto.RecordID]string{}}
		defer func() {
			for _, p := range w.pcs {
				_ = p.u.Close()
			}
		}()
		for i := range 2 {
			dir, err := os.MkdirTemp(root, "pc")
			if err != nil {
				rt.Fatal(err)
			}
			p := stationIn(t, c, byte(i+1), dir)
			w.pcs, w.shown[p] = append(w.pcs, p), map[syncproto.RecordID]string{}
		}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			p := w.pc()
			switch rapid.SampledFrom([]string{"save", "sync", "sync", "crash", "restart"}).Draw(rt, "step") {
			case "save":
				w.save(p)
			case "sync":
				w.sync(p)
			case "crash":
				p.reopen(rt, p.image(rt))
			case "restart":
				p.reopen(rt, "")
			}
			w.look(p)
		}
		w.check()
	})
}

// check lets all come to rest and compares.
func (w *city) check() {
	for range 2 {
		for _, p := range w.pcs {
			if r, err := p.sync(); err != nil || !r.Complete {
				w.t.Fatalf("the last sync: %+v, %v", r, err)
			}
		}
	}
	centre := w.c.Union(exchangeUnion)
	at := centre.Positions()
	for dot := range w.saved {
		if at[dot] == 0 {
			w.t.Errorf("change %s is lost", dot)
		}
	}
	if len(at) != len(w.saved) || centre.Head().Count() != uint64(len(w.saved)) {
		w.t.Errorf("%d changes at the centre in %s positions, %d were saved", len(at), centre.Head(), len(w.saved))
	}
	want, err := centre.Digest()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, p := range w.pcs {
		st, err := p.u.State()
		if err != nil {
			w.t.Fatal(err)
		}
		status, err := p.u.Status(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if st.Digest != want || status.Waiting != 0 || !status.Proved {
			w.t.Errorf("pc %d: digest %x, the centre's %x; %+v", i, st.Digest[:4], want[:4], status)
		}
		if r, err := p.u.Doctor(context.Background(), 0); err != nil || len(r.Findings) > 0 {
			w.t.Errorf("pc %d: %v %v", i, r.Findings, err)
		}
	}
}

// TestExchangeBudget: each cut halves what a round carries, successes double it, and a
// restart remembers what the line bore.
func TestExchangeBudget(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	p.members(0, 100)
	dead := func(l *troubled) union.Transport {
		return transportFunc(func(_ context.Context, q *syncpb.Request) (*syncpb.Response, error) {
			l.budget = append(l.budget, q.GetBudget())
			return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
		})
	}
	l := &troubled{c: c}
	for range 4 {
		if _, err := p.u.Exchange(context.Background(), dead(l), p.party()); syncproto.CodeOf(err) != syncproto.CodeCut {
			t.Fatalf("on a dead line: %v", err)
		}
		p.reopen(t, "")
	}
	want := uint32(syncproto.MaxBatchBytes)
	for i, b := range l.budget {
		if b != want {
			t.Fatalf("request %d has a budget of %d, want %d (%v)", i, b, want, l.budget)
		}
		want = max(want/2, syncproto.MinBudgetBytes)
	}
	l = &troubled{c: c}
	r, err := p.u.Exchange(context.Background(), l, p.party())
	if err != nil || !r.Equal || r.Sent != 200 {
		t.Fatalf("%+v, %v", r, err)
	}
	if l.budget[0] != syncproto.MinBudgetBytes || l.budget[1] != 2*syncproto.MinBudgetBytes {
		t.Errorf("the budget grows as %v", l.budget)
	}
}

type transportFunc func(context.Context, *syncpb.Request) (*syncpb.Response, error)

func (f transportFunc) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	return f(ctx, q)
}

// TestExchangeStopsWithItsContext: what was settled before stays.
func TestExchangeStopsWithItsContext(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	p.members(0, 3)
	ctx, cancel := context.WithCancel(context.Background())
	cut := transportFunc(func(context.Context, *syncpb.Request) (*syncpb.Response, error) {
		cancel()
		return nil, ctx.Err()
	})
	if _, err := p.u.Exchange(ctx, cut, p.party()); err == nil || ctx.Err() == nil {
		t.Fatalf("a cancelled sync went well: %v", err)
	}
	if r := p.mustSync(); r.Sent != 6 || !r.Equal {
		t.Errorf("%+v", r)
	}
}

// TestExchangeRefusesAnswers: an answer that does not verify changes nothing, is told with
// its code, and is remembered; a good one later goes as if nothing had been.
func TestExchangeRefusesAnswers(t *testing.T) {
	stranger, err := agenttest.New(9)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why   string
		twist func(*syncpb.Response)
		want  syncproto.Code
	}{
		{"another city's history", func(r *syncpb.Response) { r.History = stranger.History() }, syncproto.CodeOtherCentre},
		{"the answer to another request", func(r *syncpb.Response) { r.Nonce[0] ^= 1 }, syncproto.CodeAnswer},
		{"a signature that is not one", func(r *syncpb.Response) { r.Receipt.Signature[9] ^= 1 }, syncproto.CodeReceipt},
		{"signed by another city's node", func(r *syncpb.Response) { r.Receipt.Certificate = stranger.Own.Cert.Raw }, syncproto.CodeReceipt},
		{"signed by the CA itself, which signs no receipts", func(r *syncpb.Response) { r.Receipt.Certificate = r.Receipt.Certificate[:20] }, syncproto.CodeReceipt},
		{"the signer is not whom the certificate names", func(r *syncpb.Response) { r.Receipt.Signer[0] ^= 1 }, syncproto.CodeReceipt},
		{"another position than was signed", func(r *syncpb.Response) { r.Receipt.Position++ }, syncproto.CodeReceipt},
		{"verdicts other than those that were signed", func(r *syncpb.Response) { r.Verdicts[0].Kinds = []byte("\x02\x01\x01\x01\x01\x01") }, syncproto.CodeReceipt},
		{"a receipt for a place that is not here", func(r *syncpb.Response) { r.Receipt.Place.Seq++ }, syncproto.CodeReceipt},
		{"a page that goes back", func(r *syncpb.Response) { r.Page.Start, r.Page.Next = 3, 2 }, 0},
		{"a verdict too few", func(r *syncpb.Response) { r.Verdicts[0].Hashes = r.Verdicts[0].Hashes[8:] }, syncproto.CodeAnswer},
		{"a record that cannot be read", func(r *syncpb.Response) {
			r.Page.Records = append(r.Page.Records, &syncpb.FeedRecord{Kind: 2, Id: make([]byte, 16), Record: []byte{0xff}})
		}, syncproto.CodeAnswer},
		{"a generation that nobody signed", func(r *syncpb.Response) {
			r.Generations = append(r.Generations, &syncpb.Generation{Number: 2})
		}, syncproto.CodeAnswer},
	} {
		t.Run(row.why, func(t *testing.T) {
			c := exchangeCentre(t)
			p := newStation(t, c, 1)
			p.mustSync()
			p.members(0, 3)
			before, err := p.u.State()
			if err != nil {
				t.Fatal(err)
			}
			c.Twist = row.twist
			_, err = p.sync()
			if row.want == 0 {
				return // not taken, and not an error: only nothing must break
			}
			if err == nil || syncproto.CodeOf(err) != row.want {
				t.Fatalf("%v, want E%d", err, row.want)
			}
			after, err := p.u.State()
			if err != nil {
				t.Fatal(err)
			}
			st, err := p.u.Status(context.Background())
			if err != nil || st.Waiting != 6 || st.Delivered != 0 || after != before {
				t.Errorf("it changed something: %+v, %v", st, err)
			}
			if n := p.notices(); len(n) != 1 || n[0] != row.want {
				t.Errorf("notices %v", n)
			}
			c.Twist = nil
			if r := p.mustSync(); !r.Equal || r.Sent != 6 {
				t.Errorf("afterwards: %+v", r)
			}
			if n := p.notices(); len(n) != 0 {
				t.Errorf("notices %v after a good sync", n)
			}
		})
	}
}

func (p *station) notices() (out []syncproto.Code) {
	p.t.Helper()
	all, err := p.u.Notices()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range all {
		out = append(out, n.Code)
	}
	return out
}

// TestExchangeTellsHolds: what the centre sends back is counted and never called delivered
// on its own, and other records go on.
func TestExchangeTellsHolds(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	p.members(0, 2)
	n := 0
	c.Union(exchangeUnion).Hold = func(*syncproto.Change) syncproto.HeldReason {
		if n++; n == 1 {
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	r := p.mustSync()
	if r.Held != 1 || r.Sent != 4 || !r.Complete || !r.Equal {
		t.Fatalf("%+v", r)
	}
	st, err := p.u.Status(context.Background())
	if err != nil || st.Held != 1 || st.Waiting != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestExchangeClock: the difference of the clocks is kept for the doctor.
func TestExchangeClock(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.now = p.now.Add(40 * time.Minute)
	p.mustSync()
	if d, err := p.u.ClockAhead(); err != nil || d != 40*time.Minute {
		t.Errorf("%v, %v", d, err)
	}
}

// TestExchangeMessagesAreWhole: what is asked survives the wire's own encoding.
func TestExchangeMessagesAreWhole(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	p.members(0, 1)
	var asked *syncpb.Request
	_, err := p.u.Exchange(context.Background(), transportFunc(func(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
		b, err := proto.Marshal(q)
		if err != nil {
			return nil, err
		}
		asked = &syncpb.Request{}
		if err := proto.Unmarshal(b, asked); err != nil {
			return nil, err
		}
		return c.Exchange(ctx, asked)
	}), p.party())
	if err != nil {
		t.Fatal(err)
	}
	if asked.GetClient().GetWaiting() != 2 || len(asked.GetNonce()) != 8 || asked.GetGeneration().GetRandom() != 42 {
		t.Errorf("asked %v", asked)
	}
	if _, err := x509.ParseCertificate(c.Own.Cert.Raw); err != nil {
		t.Fatal(err)
	}
}

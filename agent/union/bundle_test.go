package union_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/syncpb"
)

// courier carries the bundles of a PC, without files.
type courier struct {
	*station
	requests [][]*syncpb.Request
	answers  [][]*syncpb.Response
}

func (c *courier) ask() error {
	id := bundle.ID{byte(len(c.requests) + 1), c.seed}
	asked, requests, err := c.u.AskBundle(id, c.party())
	if err != nil {
		return err
	}
	c.requests = append(c.requests, requests)
	return c.u.BundleWritten(asked)
}

// work takes a bundle to the centre.
func (c *courier) work(i int) error {
	var out []*syncpb.Response
	for _, q := range c.requests[i] {
		r, err := c.centre.Exchange(context.Background(), q)
		if err != nil {
			return err
		}
		out = append(out, r)
	}
	c.answers = append(c.answers, out)
	return nil
}

func (c *courier) take(i int) error {
	_, err := c.u.TakeBundle(context.Background(), c.answers[i], c.party())
	return err
}

func (c *courier) open() (n int, err error) {
	all, err := c.u.Bundles()
	for _, a := range all {
		if a.Open() {
			n++
		}
	}
	return n, err
}

// TestBundlesInAnyOrder: bundles made at any time, worked in and answered in any order, twice,
// beside network syncs and a colleague's, lose nothing and double nothing.
func TestBundlesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		centre := exchangeCentre(t)
		a, b := &courier{station: newStation(t, centre, 1)}, newStation(t, centre, 2)
		defer func() { _, _ = a.u.Close(), b.u.Close() }()
		a.mustSync()
		b.mustSync()
		saved := 0
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"save": func(*rapid.T) { a.members(saved, 1); saved++ },
			"save many": func(r *rapid.T) {
				n := rapid.SampledFrom([]int{2, 3, 5}).Draw(r, "members")
				a.members(saved, n)
				saved += n
			},
			"ask": func(*rapid.T) { must(a.ask()) },
			"work in": func(r *rapid.T) {
				if len(a.requests) > 0 {
					must(a.work(rapid.IntRange(0, len(a.requests)-1).Draw(r, "bundle")))
				}
			},
			"take": func(r *rapid.T) {
				if len(a.answers) > 0 {
					must(a.take(rapid.IntRange(0, len(a.answers)-1).Draw(r, "answer")))
				}
			},
			"sync":      func(*rapid.T) { a.mustSync() },
			"colleague": func(*rapid.T) { b.members(saved, 1); saved++; b.mustSync() },
			"": func(*rapid.T) {
				p, err := a.u.Status(context.Background())
				must(err)
				if p.Held > 0 || len(p.Records) > 0 && p.Records["member"] != p.Records["membership-event"] {
					rt.Fatalf("%+v", p)
				}
			},
		})
		must(a.ask())
		must(a.work(len(a.requests) - 1))
		for i := range a.answers {
			must(a.take(len(a.answers) - 1 - i))
		}
		if n, err := a.open(); err != nil || n != 0 {
			rt.Fatalf("%d open, %v", n, err)
		}
		if r := a.mustSync(); !r.Equal || r.Sent != 0 {
			rt.Fatalf("%+v", r)
		}
		a.equal()
		if n := len(centre.Union(exchangeUnion).Records()); n != 2*saved {
			rt.Fatalf("%d records at the centre, of %d members with their events", n, saved)
		}
	})
}

// TestBundleTakenOnce: an answer is used once, by the image that asked, and a bundle of which
// one answer is foreign is not used at all.
func TestBundleTakenOnce(t *testing.T) {
	p := &courier{station: newStation(t, exchangeCentre(t), 1)}
	p.mustSync()
	p.members(0, 300) // two batches
	if err := p.ask(); err != nil {
		t.Fatal(err)
	}
	if err := p.work(0); err != nil {
		t.Fatal(err)
	}
	foreign := proto.CloneOf(p.answers[0][1])
	foreign.Nonce = []byte("notasked")
	_, err := p.u.TakeBundle(t.Context(), []*syncpb.Response{p.answers[0][0], foreign}, p.party())
	if syncproto.CodeOf(err) != syncproto.CodeBundleUnasked {
		t.Fatal(err)
	}
	if st, err := p.u.Status(t.Context()); err != nil || st.Waiting != 600 {
		t.Fatalf("%+v, %v", st, err)
	}
	twisted := proto.CloneOf(p.answers[0][0])
	twisted.Receipt.Signature[5]++
	if _, err := p.u.TakeBundle(t.Context(), []*syncpb.Response{twisted}, p.party()); syncproto.CodeOf(err) != syncproto.CodeReceipt {
		t.Fatal(err)
	}
	for i, want := range []string{"600 sent", "0 sent"} {
		r, err := p.u.TakeBundle(t.Context(), p.answers[0], p.party())
		if got := fmt.Sprintf("%d sent", r.Sent); err != nil || got != want {
			t.Errorf("time %d: %s, %v", i, got, err)
		}
	}
	all, err := p.u.Bundles()
	if err != nil || len(all) != 1 || all[0].Answered != 2 || all[0].TakenAt == 0 || all[0].Open() {
		t.Errorf("%+v, %v", all, err)
	}
	if ahead, err := p.u.ClockAhead(); err != nil || ahead != 0 {
		t.Errorf("%v, %v", ahead, err)
	}
}

// TestBundleKeepsNotices: an answer that comes late does not take away what was found since.
func TestBundleKeepsNotices(t *testing.T) {
	p := &courier{station: newStation(t, exchangeCentre(t), 1)}
	p.mustSync()
	p.members(0, 1)
	if err := p.ask(); err != nil {
		t.Fatal(err)
	}
	if err := p.work(0); err != nil {
		t.Fatal(err)
	}
	p.mustSync()
	p.centre.Twist = func(r *syncpb.Response) { r.History = []byte("12345678") }
	if _, err := p.sync(); syncproto.CodeOf(err) != syncproto.CodeOtherCentre {
		t.Fatal(err)
	}
	p.centre.Twist = nil
	if err := p.take(0); err != nil {
		t.Fatal(err)
	}
	if n, err := p.u.Notices(); err != nil || len(n) != 1 {
		t.Errorf("%v, %v", n, err)
	}
}

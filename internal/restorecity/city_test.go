package restorecity

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/census"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// city is a centre with the offices of its unions.
type city struct {
	*centre
	offices []*office
	dice    *rand.Rand
	wide    *kind.Set
	dir     string
	people  atomic.Int64 // members invented so far
	closed  map[string]bool
	members int // counted at the end of the week
	counted int // of those that joined, by then
}

// office is one union with its PCs.
type office struct {
	code    string
	pcs     []*pc
	ids     []syncproto.RecordID // members from before the backup
	step    step                 // what happens in the week
	late    bool                 // ... and that it does so when the archive cannot be reached
	truth   map[string]string    // what its PCs show at the end of the week
	joined  []syncproto.RecordID // members since then, which nobody may lose
	decided map[question]bool    // what people decided by then
	lostPC  string               // device whose disk broke, and that nobody has revoked; "": none
}

// question is what a person was asked.
type question struct{ typ, record, field string }

func (q question) String() string { return q.typ + " " + q.record + " " + q.field }

// workers is how many PCs sync at once.
const workers = 4

// each does something for all offices, some at a time.
func (c *city) each(do func(*office) error) {
	c.t.Helper()
	var all errgroup.Group
	all.SetLimit(workers)
	for _, o := range c.offices {
		all.Go(func() error { return do(o) })
	}
	if err := all.Wait(); err != nil {
		c.t.Fatal(err)
	}
}

// newCity founds a city with so many PCs, two in a union, and what was there before the backup.
func newCity(t *testing.T, pcs int) *city {
	t.Helper()
	c := &city{centre: newCentre(t), dice: rand.New(rand.NewPCG(7, 7)), dir: t.TempDir(), closed: map[string]bool{}}
	var err error
	if c.wide, err = wideKinds(); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for i := range pcs / 2 {
		o := &office{code: fmt.Sprintf("u%03d", i), step: steps[i%len(steps)], decided: map[question]bool{}}
		o.late = (i+i/len(steps))%2 == 0
		c.offices, codes = append(c.offices, o), append(codes, o.code)
	}
	c.importTree(codes)
	c.each(func(o *office) error {
		for range 2 + o.step.more {
			if _, err := c.enrol(o, false); err != nil {
				return err
			}
		}
		if o.ids, err = o.pcs[0].join(5); err != nil {
			return err
		}
		if err := syncs(o.pcs...); err != nil || !o.step.open {
			return err
		}
		return o.conflict()
	})
	return c
}

// syncs syncs PCs one after the other.
func syncs(pcs ...*pc) error {
	for _, p := range pcs {
		if err := p.sync(); err != nil {
			return err
		}
	}
	return nil
}

// week lets all offices do their work of the week: some while it is streamed, the others, and
// what is left of it, while the archive cannot be reached.
func (c *city) week() {
	c.t.Helper()
	work := func(late bool) {
		c.each(func(o *office) error {
			if o.late != late {
				return nil
			}
			if err := o.step.do(c, o); err != nil {
				return fmt.Errorf("%s of %s: %w", o.step.name, o.code, err)
			}
			return syncs(o.pcs...)
		})
	}
	work(false)
	c.each(func(o *office) error {
		if o.step.more == 0 {
			return nil
		}
		return c.ruined(o)
	})
	c.streamed()
	c.unplug()
	work(true)
	c.remember()
	c.each(func(o *office) error { // saved, and on this PC alone
		ids, err := o.pcs[0].join(1)
		o.joined = append(o.joined, ids...)
		return err
	})
}

// remember notes what is there at the end of the week, and what people have decided.
func (c *city) remember() {
	c.t.Helper()
	c.each(func(o *office) (err error) {
		o.truth, err = o.pcs[0].view()
		return err
	})
	c.members = c.count().Total.Members
	for _, o := range c.offices { // one whose PC broke after it had delivered
		c.counted += len(o.joined)
	}
	list, err := c.admin.Cases(c.t.Context(), &unionrpc.ListCasesRequest{Closed: true, All: true})
	if err != nil {
		c.t.Fatal(err)
	}
	by := map[string]*office{}
	for _, o := range c.offices {
		by[o.code] = o
	}
	for _, x := range list.Cases {
		if !x.Closed {
			c.t.Fatalf("the week ends with an open question: %+v", x)
		}
		c.closed[x.Union+" "+x.ID] = true
		q := question{typ: x.Type, record: x.Record}
		if x.Type == "conflict" {
			q.field = x.Field
		}
		by[x.Union].decided[q] = true
	}
	if len(c.closed) == 0 {
		c.t.Fatal("nothing was decided: the test proves nothing")
	}
}

func (c *city) count() *census.Answer {
	c.t.Helper()
	a, err := c.admin.Counts(c.t.Context(), &unionrpc.CountsRequest{By: []string{"union"}, Zeros: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// night lets all PCs that are on sync once, in some order, a tenth of them before everything
// is looked at again; where they work, some clerks save something first.
func (c *city) night(work bool, on func(i int, p *pc) bool) {
	c.t.Helper()
	var tonight []*pc
	for _, o := range c.offices {
		for i, p := range o.pcs {
			if on(i, p) {
				tonight = append(tonight, p)
			}
		}
	}
	c.dice.Shuffle(len(tonight), func(i, j int) { tonight[i], tonight[j] = tonight[j], tonight[i] })
	saves := map[*pc]bool{}
	for _, p := range tonight {
		saves[p] = work && c.dice.IntN(8) == 0 && !p.revoked
	}
	part := max(len(tonight)/10, 2)
	for len(tonight) > 0 {
		now := tonight[:min(part, len(tonight))]
		tonight = tonight[len(now):]
		var all errgroup.Group
		all.SetLimit(workers)
		for _, o := range officesOf(now) {
			all.Go(func() error {
				for _, p := range o {
					if err := p.evening(saves[p]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			c.t.Fatal(err)
		}
		c.look()
	}
}

// officesOf groups PCs by their office: within one they work one after the other.
func officesOf(pcs []*pc) (out [][]*pc) {
	at := map[*office]int{}
	for _, p := range pcs {
		i, ok := at[p.union]
		if !ok {
			i = len(out)
			at[p.union], out = i, append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

func (p *pc) evening(save bool) error {
	if save {
		ids, err := p.join(1)
		if err != nil {
			return err
		}
		p.union.joined = append(p.union.joined, ids...)
	}
	return p.sync()
}

// look holds what the centre tells against what it may: nobody there is asked about anything
// that was decided, and counts are marked for just the unions that are not re-confirmed.
func (c *city) look() {
	c.t.Helper()
	list, err := c.admin.Cases(c.t.Context(), &unionrpc.ListCasesRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, x := range list.Cases {
		c.t.Errorf("staff are asked about %s %s %s of %s (decided before: %v)", x.Type, x.Record, x.Field, x.Union, c.closed[x.Union+" "+x.ID])
	}
	a := c.count()
	marked, total := map[string]bool{}, 0
	for _, r := range a.Rows {
		if r.Reconfirming {
			marked[r.Keys[0].Code] = true
			total++
		}
	}
	if a.Unions.Reconfirming != total || total > 0 && a.Unions.ReconfirmingSince == 0 {
		c.t.Errorf("the total says %d unions since %d, the rows %d", a.Unions.Reconfirming, a.Unions.ReconfirmingSince, total)
	}
	for _, o := range c.offices {
		must, may := o.unconfirmed()
		if marked[o.code] && !may || !marked[o.code] && must {
			c.t.Errorf("%s (%s): marked as re-confirming %v, must be %v, may be %v", o.code, o.step.name, marked[o.code], must, may)
		}
	}
}

// unconfirmed tells whether counts of the union must be marked, since a PC that the centre
// knows has not come in this life, and whether they may be: not once each has come twice, to
// be equal and to say so.
func (o *office) unconfirmed() (must, may bool) {
	for _, p := range o.pcs {
		must = must || !p.revoked && !p.fresh && p.equal == 0
		may = may || !p.revoked && p.equal < 2
	}
	return must || o.lostPC != "", may || o.lostPC != ""
}

// restored notes that another life has begun.
func (c *city) restored() {
	for _, o := range c.offices {
		for _, p := range o.pcs {
			p.equal = 0
		}
	}
}

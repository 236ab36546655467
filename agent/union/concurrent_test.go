package union_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// TestEditingAndSyncingTogether: saves, exchanges, bases and readers at the same time. In
// the end everything saved is at the centre, and views are what they are made of.
func TestEditingAndSyncingTogether(t *testing.T) {
	p, c := newPC(t, t.TempDir()), newCentre()
	defer func() { must(t, p.u.Close()) }()
	id := addMember(t, p.u, 1)
	var g errgroup.Group
	for w := range 3 {
		g.Go(func() error {
			for i := range 15 {
				_, err := p.u.Save(ctx, union.Draft{Kind: "member", ID: id, Values: kind.Values{field("remark"): []byte(fmt.Sprint(w, "-", i))}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for range 10 {
			p.round(c, "")
			if err := p.u.WriteBase(); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for range 10 {
			if _, err := p.u.Find(ctx, "139", 0); err != nil {
				return err
			}
			if r, err := p.u.Doctor(ctx, 0); err != nil || len(r.Findings) > 0 {
				return fmt.Errorf("doctor: %v %w", r.Findings, err)
			}
			if _, err := p.u.Status(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, g.Wait())
	if up := p.sync(c); !up.Equal {
		t.Error("digests differ")
	}
	st, err := p.u.Status(ctx)
	if st.Saved != 47 || st.Waiting != 0 || !st.Proved || err != nil {
		t.Errorf("status %+v %v", st, err)
	}
	if got := len(c.Positions()); got != 47 {
		t.Errorf("%d changes at the centre", got)
	}
	if r := get(t, p.u, id); len(r.Conflicts) > 0 || r.Record.Pos == syncproto.Position(0) {
		t.Errorf("record: %+v", r)
	}
}

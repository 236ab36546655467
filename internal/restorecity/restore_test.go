package restorecity

import (
	"maps"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/unionrpc"
)

// TestRestoreIntoARunningCity: the centre is lost and restored from last week's backup, first
// with what was streamed since, then, once all is well again, without. PCs go on saving and
// syncing; one of two in every third union stays off for two nights. In the end every PC has
// what it had, and what only the streamed log had has come back too; staff and clerks are not
// asked about anything at any time, since all was decided; counts are marked for just the
// unions of which a PC has not come, and end as they were.
func TestRestoreIntoARunningCity(t *testing.T) {
	pcs := 10
	if s := os.Getenv("PCS"); s != "" {
		var err error
		if pcs, err = strconv.Atoi(s); err != nil || pcs < 10 {
			t.Fatalf("PCS=%s is no number from 10", s)
		}
	}
	c := newCity(t, pcs)
	lastWeek := c.backUp()
	c.week()
	c.lose()
	c.plug()
	if r := c.restore(lastWeek, true); r.Log.Entries == 0 || r.Generation != 2 {
		t.Fatalf("%+v", r)
	}
	c.runs("with the streamed log")
	c.streamed()
	c.lose()
	if r := c.restore(lastWeek, false); r.Log.Entries != 0 || r.Generation != 3 {
		t.Fatalf("%+v", r)
	}
	c.runs("without it")
}

// runs lets the restored city run until all is well, and checks that it is.
func (c *city) runs(how string) {
	c.t.Helper()
	c.restored()
	c.look()
	// A revoked PC that comes before anybody who heard of that is taken for a good one: a limit,
	// see server/ledger/DESIGN.md. Here others come first.
	off := func(i int, p *pc) bool { return p.revoked || i == 1 && p.union.code[len(p.union.code)-1]%3 == 0 }
	all := func(int, *pc) bool { return true }
	for range 2 {
		c.night(true, func(i int, p *pc) bool { return !off(i, p) })
	}
	c.night(true, all)
	c.each(func(o *office) error { // a PC that never comes again has to be revoked: nobody can tell what it had
		if o.lostPC == "" {
			return nil
		}
		_, err := c.admin.Revoke(c.t.Context(), &unionrpc.RevokeRequest{Device: o.lostPC, Operator: "op", Reason: "its disk broke"})
		o.lostPC = ""
		return err
	})
	for range 2 {
		c.night(false, all)
	}
	c.whole(how)
	c.t.Logf("%s: all is well", how)
}

// whole checks that nothing is missing, at the centre, at any PC and in the count.
func (c *city) whole(how string) {
	c.t.Helper()
	if a := c.count(); a.Unions.Reconfirming != 0 {
		c.t.Errorf("%s: %d unions are still being re-confirmed", how, a.Unions.Reconfirming)
	}
	joined := 0
	for _, o := range c.offices {
		joined += len(o.joined)
	}
	if a := c.count(); a.Total.Members != c.members+joined-c.counted {
		c.t.Errorf("%s: %d members, want %d", how, a.Total.Members, c.members+joined-c.counted)
	}
	c.each(func(o *office) error {
		first, err := o.pcs[0].view()
		if err != nil {
			return err
		}
		had := maps.Clone(first)
		maps.DeleteFunc(had, func(k, _ string) bool { return o.truth[k] == "" })
		if d := cmp.Diff(o.truth, had); d != "" {
			c.t.Errorf("%s: %s (%s) does not have what it had (-want +got):\n%s", how, o.code, o.step.name, d)
		}
		for _, id := range o.joined {
			if first["member "+id.String()+" 10"] == "" {
				c.t.Errorf("%s: %s (%s): member %s is lost", how, o.code, o.step.name, id)
			}
		}
		for _, p := range o.pcs[1:] {
			if p.revoked {
				continue
			}
			got, err := p.view()
			if d := cmp.Diff(first, got); err != nil || d != "" || p.equal < 2 {
				c.t.Errorf("%s: %s differs from the other PC of its union: %v\n%s", how, p.name, err, d)
			}
		}
		return nil
	})
	devices, err := c.admin.ListDevices(c.t.Context(), "")
	if err != nil {
		c.t.Fatal(err)
	}
	state := map[string]bool{}
	for _, d := range devices.Devices {
		state[d.Device] = d.Revoked
	}
	for _, o := range c.offices {
		for _, p := range o.pcs {
			if revoked, known := state[p.device]; !known || revoked != p.revoked {
				c.t.Errorf("%s: %s is known %v, revoked %v, want %v", how, p.name, known, revoked, p.revoked)
			}
		}
	}
}

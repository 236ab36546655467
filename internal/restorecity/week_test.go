package restorecity

import (
	"context"
	"fmt"
	"strings"

	"unionsync/agent/union"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// step is what happens in an office in the week.
type step struct {
	name string
	do   func(*city, *office) error
	more int  // PCs beside two, which do not live to see the end of the week
	open bool // the question that it settles stands open in the backup
}

// steps are in an order in which the first five make a small city.
var steps = []step{
	{"a clerk settles a conflict", (*city).conflictByClerk, 0, true},
	{"staff settle a conflict", (*city).conflictByStaff, 1, true},
	{"the author drops what was held", (*city).heldByAuthor, 0, false},
	{"a PC is revoked", (*city).revokedPC, 0, false},
	{"a PC is enrolled", (*city).newPC, 0, false},
	{"staff accept what was held", (*city).heldByStaff, 0, false},
	{"two records are one, and a doubt about a void is settled", (*city).sameAndVoid, 0, false},
	{"everyday work", (*city).everyday, 1, false},
}

// conflict, before the backup, lets both clerks give an employer without knowing of each other.
func (o *office) conflict() error {
	for i, name := range []string{"永康市甲某厂", "永康市乙某厂"} {
		if err := o.pcs[i].set(o.ids[0], map[string]string{"employer": name}); err != nil {
			return err
		}
	}
	return syncs(o.pcs[0], o.pcs[1], o.pcs[0])
}

// decide has the clerk decide about the only question of a type.
func (p *pc) decide(typ union.CaseType, d union.Decision) error {
	return p.with(func(ctx context.Context, u *union.Union) error {
		all, err := u.Cases(ctx)
		if err != nil {
			return err
		}
		for _, x := range all {
			if x.Type == typ {
				_, err := u.Decide(ctx, x, d)
				return err
			}
		}
		return fmt.Errorf("there is no question about a %s among %d", typ, len(all))
	})
}

// staff decides about all questions of a type in a union.
func (c *city) staff(o *office, typ, verb string, choice uint32) error {
	list, err := c.admin.Cases(c.t.Context(), &unionrpc.ListCasesRequest{Union: o.code})
	if err != nil {
		return err
	}
	n := 0
	for _, x := range list.Cases {
		if x.Type != typ {
			continue
		}
		n++
		if _, err := c.admin.Decide(c.t.Context(), &unionrpc.DecideRequest{
			Union: o.code, Case: x.ID, Verb: verb, Choice: choice, Operator: "op", Seen: list.Position}); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("staff have no question about a %s", typ)
	}
	return nil
}

func (c *city) conflictByClerk(o *office) error {
	return o.pcs[0].decide(union.CaseConflict, union.Decision{Choose: 2})
}

func (c *city) conflictByStaff(o *office) error {
	return c.staff(o, "conflict", "choose", 2)
}

// held has the centre send a change back: its department is longer than the centre takes.
func (o *office) held() error {
	p := o.pcs[0]
	err := p.withKinds(true, func(ctx context.Context, u *union.Union) error {
		_, err := u.Save(ctx, union.Draft{Kind: "member", ID: o.ids[1], Text: map[string]string{"department": strings.Repeat("某某分公司第一装配车间", 6)}})
		return err
	})
	if err != nil {
		return err
	}
	return p.sync()
}

func (c *city) heldByAuthor(o *office) error {
	if err := o.held(); err != nil {
		return err
	}
	return o.pcs[0].decide(union.CaseHeld, union.Decision{Drop: true})
}

func (c *city) heldByStaff(o *office) error {
	if err := o.held(); err != nil {
		return err
	}
	return c.staff(o, "held", "accept", 0)
}

// revokedPC takes the second PC its right; what it brings after that is held, and staff drop it.
func (c *city) revokedPC(o *office) error {
	p := o.pcs[1]
	if _, err := c.admin.Revoke(c.t.Context(), &unionrpc.RevokeRequest{Device: p.device, Operator: "op", Reason: "stolen"}); err != nil {
		return err
	}
	p.revoked = true
	if err := p.set(o.ids[1], map[string]string{"employer": "永康市假某厂"}); err != nil {
		return err
	}
	if err := p.sync(); err != nil {
		return err
	}
	return c.staff(o, "held", "drop", 0)
}

func (c *city) newPC(o *office) error {
	p, err := c.enrol(o, true)
	if err != nil {
		return err
	}
	if _, err = p.join(2); err != nil {
		return err
	}
	return syncs(o.pcs...)
}

func (c *city) sameAndVoid(o *office) error {
	a, b := o.pcs[0], o.pcs[1]
	err := a.with(func(ctx context.Context, u *union.Union) error {
		_, err := u.SaveGroup(ctx, []union.Draft{
			{Kind: "member", ID: o.ids[2], Values: kind.Values{syncproto.FieldSameAs: o.ids[3][:]}},
			{Kind: "member", ID: o.ids[4], Void: "录错"},
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := b.set(o.ids[4], map[string]string{"mobile": "13900000009"}); err != nil {
		return err
	}
	if err := syncs(a, b, a); err != nil {
		return err
	}
	return a.decide(union.CaseVoid, union.Decision{Choose: 1})
}

func (c *city) everyday(o *office) error {
	if err := o.pcs[0].set(o.ids[0], map[string]string{"mobile": "13900000001"}); err != nil {
		return err
	}
	if err := o.pcs[1].set(o.ids[1], map[string]string{"remark": "已核对"}); err != nil {
		return err
	}
	_, err := o.pcs[1].join(1)
	return err
}

// ruined: the third PC delivers something that nobody else fetches before its disk breaks.
func (c *city) ruined(o *office) error {
	p := o.pcs[2]
	ids, err := p.join(1)
	if err == nil {
		err = p.sync()
	}
	if err != nil {
		return err
	}
	o.joined, o.lostPC = append(o.joined, ids...), p.device
	return p.ruin()
}

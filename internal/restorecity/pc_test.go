package restorecity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// pc is one PC of one union, with a data folder of its own.
type pc struct {
	c       *city
	union   *office
	name    string
	dir     string
	device  string
	fresh   bool // it came since the backup: the centre may have forgotten it
	revoked bool
	equal   int // syncs in this life of the centre that ended with equal digests
}

// open opens the data folder; wide by a program whose files let a department be longer than
// the centre takes.
func (p *pc) open(wide bool) (*agent.Agent, error) {
	c := agent.Config{Dir: p.dir, Actor: p.name, Version: "test"}
	if wide {
		c.Kinds = p.c.wide
	}
	return agent.Open(c)
}

// enrol makes a further PC of a union.
func (c *city) enrol(o *office, fresh bool) (*pc, error) {
	p := &pc{c: c, union: o, name: fmt.Sprintf("%s-%d", o.code, len(o.pcs)+1), fresh: fresh}
	p.dir = filepath.Join(c.dir, p.name)
	r, err := c.admin.CreateCode(c.t.Context(), &unionrpc.CreateCodeRequest{Union: o.code})
	if err != nil {
		return nil, err
	}
	a, err := p.open(false)
	if err != nil {
		return nil, err
	}
	e, err := a.Enrol(c.t.Context(), "https://"+c.api, r.GetCode())
	if err == nil {
		err = e.Fetch
	}
	p.device, o.pcs = e.Device, append(o.pcs, p)
	return p, err
}

// with works on the union while it is open.
func (p *pc) with(do func(ctx context.Context, u *union.Union) error) error {
	return p.withKinds(false, do)
}

func (p *pc) withKinds(wide bool, do func(ctx context.Context, u *union.Union) error) (err error) {
	a, err := p.open(wide)
	if err != nil {
		return err
	}
	u, err := a.Union("")
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	if err := do(p.c.t.Context(), u); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// sync syncs once, as the schedule does in a night, and looks at what the clerk is asked then.
func (p *pc) sync() error {
	a, err := p.open(false)
	if err != nil {
		return err
	}
	r, err := a.Sync(p.c.t.Context(), "", nil)
	if err != nil && !(p.revoked && syncproto.CodeOf(err) == syncproto.CodeDeviceRevoked) {
		return fmt.Errorf("sync %s: %w", p.name, err)
	}
	if bad := slices.DeleteFunc(slices.Clone(r.Notices), func(c syncproto.Code) bool { return c == syncproto.CodeDeviceRevoked }); len(bad) > 0 {
		return fmt.Errorf("sync %s: notices %v", p.name, bad)
	}
	if r.Equal {
		p.equal++
	}
	return p.with(p.asked)
}

// asked fails if the clerk is asked about something that was decided. A revoked PC is told
// nothing any more, so it goes on asking what it did.
func (p *pc) asked(ctx context.Context, u *union.Union) error {
	if p.revoked {
		return nil
	}
	all, err := u.Cases(ctx)
	if err != nil {
		return err
	}
	for _, c := range union.Confirmed(all) {
		if p.union.decided[questionOf(&c)] {
			return fmt.Errorf("the clerk is asked again about what was decided: %s", questionOf(&c))
		}
	}
	return nil
}

// questionOf names what a case of an agent is about.
func questionOf(c *union.Case) question {
	q := question{typ: string(c.Type), record: c.ID.String()}
	if c.Type == union.CaseConflict && c.Kind != nil {
		if f, ok := c.Kind.FieldByNumber(c.Field); ok {
			q.field = f.Name
		}
	}
	return q
}

// set saves fields of a member, as typed.
func (p *pc) set(id syncproto.RecordID, text map[string]string) error {
	return p.with(func(ctx context.Context, u *union.Union) error {
		_, err := u.Save(ctx, union.Draft{Kind: "member", ID: id, Text: text})
		return err
	})
}

// join saves new members, each with the event of joining, and gives their ids.
func (p *pc) join(n int) (ids []syncproto.RecordID, err error) {
	err = p.with(func(ctx context.Context, u *union.Union) error {
		saved, err := uniontest.Members(ctx, u, int(p.c.people.Add(int64(n)))-n, n)
		for _, s := range saved {
			if s.Kind == "member" {
				ids = append(ids, s.ID)
			}
		}
		return err
	})
	return ids, err
}

// view is all that a PC shows of members and their events: by record and field the values,
// those that lost beside the one that stands.
func (p *pc) view() (out map[string]string, err error) {
	out = map[string]string{}
	err = p.with(func(ctx context.Context, u *union.Union) error {
		for _, name := range []string{"member", "membership-event"} {
			if err := u.Each(ctx, union.Query{Kind: name, Void: true}, func(r union.Row) error {
				for _, f := range r.Record.Fields {
					var values []string
					for _, e := range f.Entries {
						values = append(values, fmt.Sprintf("%q%v", e.Value, e.Dots))
					}
					for _, e := range f.Elements {
						values = append(values, fmt.Sprintf("+%q", e.Value))
					}
					out[fmt.Sprintf("%s %s %d", name, r.ID, f.Number)] = strings.Join(values, " ")
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// ruin takes the PC away.
func (p *pc) ruin() error {
	p.union.pcs = slices.DeleteFunc(p.union.pcs, func(x *pc) bool { return x == p })
	return os.RemoveAll(p.dir)
}

// wideKinds are the kind files of a program that lets a department be longer.
func wideKinds() (*kind.Set, error) {
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = f.Data
		if f.Kind == "member" {
			files[f.Name] = []byte(strings.ReplaceAll(string(f.Data), "type: text, max: 60,", "type: text, max: 600,"))
		}
	}
	return kind.LoadFiles(files)
}

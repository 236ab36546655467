package main

import (
	"context"
	"errors"
	"time"

	"unionsync/agent/union"
)

const idlePerRun = 10

// benchIdle syncs when there is nothing to sync, over a new connection each time.
func benchIdle(ctx context.Context, e *env) (values, error) {
	p, err := e.average(ctx)
	if err != nil {
		return nil, err
	}
	var took, requests, bytes samples
	err = p.with(func(u *union.Union) error {
		if _, err := p.sync(ctx, u); err != nil { // tells the centre that the digests are equal
			return err
		}
		for range e.o.runs * e.pick(idlePerRun, 1) {
			c, err := p.sync(ctx, u)
			if err != nil {
				return err
			}
			took.took(c.took, time.Millisecond)
			requests.add(float64(c.traffic.Requests))
			bytes.add(c.bytes())
		}
		return nil
	})
	return values{"exchange_idle": took.median(), "exchange_idle_requests": requests.median(), "exchange_idle_bytes": bytes.median()}, err
}

// editedMembers is how many members are edited before an exchange.
const editedMembers = 5

// benchFive edits five members, one or two fields each, and syncs.
func benchFive(ctx context.Context, e *env) (values, error) {
	p, err := e.average(ctx)
	if err != nil {
		return nil, err
	}
	var bytes samples
	err = p.with(func(u *union.Union) error {
		for run := range e.o.runs {
			if err := p.edit(ctx, u, run); err != nil {
				return err
			}
			c, err := p.sync(ctx, u)
			if err != nil {
				return err
			}
			if c.result.Sent != editedMembers {
				return errors.New("the five changes were not delivered")
			}
			bytes.add(c.bytes())
		}
		return nil
	})
	return values{"exchange_5_bytes": bytes.median()}, err
}

func (p *pc) edit(ctx context.Context, u *union.Union, run int) error {
	for i := range editedMembers {
		n := run*editedMembers + i
		d := union.Draft{Kind: "member", ID: p.members[n%len(p.members)], Text: map[string]string{"mobile": phone(n)}}
		if i%2 == 1 {
			d.Text["department"] = []string{"一车间", "仓储部", "质检部"}[n%3]
		}
		if _, err := u.Save(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// benchRoster syncs 111 new members with their joining events, from a union that the centre
// knows nothing of yet.
func benchRoster(ctx context.Context, e *env) (values, error) {
	var bytes samples
	for range e.o.runs {
		c, _, err := e.deliver(ctx, unionMembers)
		if err != nil {
			return nil, err
		}
		bytes.add(c.bytes())
	}
	return values{"exchange_111_bytes": bytes.median()}, nil
}

// deliver fills a new PC and syncs once.
func (e *env) deliver(ctx context.Context, members int) (c cost, p *pc, err error) {
	if p, err = e.newPC(ctx); err != nil {
		return c, p, err
	}
	err = p.with(func(u *union.Union) error {
		if err := p.fill(ctx, u, members); err != nil {
			return err
		}
		c, err = p.sync(ctx, u)
		return err
	})
	return c, p, err
}

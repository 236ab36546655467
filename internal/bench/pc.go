package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"unionsync/agent"
	"unionsync/agent/link"
	"unionsync/agent/union"
	"unionsync/syncproto"
)

// pc is a union's PC in this process: enrolled at the centre, the first fetch done.
type pc struct {
	dir     string
	seed    uint64 // of its people: no two PCs have the same
	agent   *agent.Agent
	line    *link.Link           // of the newest sync
	members []syncproto.RecordID // saved here
}

// newPC enrols a PC for a union that has none.
func (e *env) newPC(ctx context.Context) (*pc, error) {
	c, err := e.centre(ctx)
	if err != nil {
		return nil, err
	}
	code, err := c.enrol(ctx)
	if err != nil {
		return nil, err
	}
	p := &pc{dir: e.folder("pc"), seed: uint64(e.folders)}
	if p.agent, err = agent.Open(agent.Config{Dir: p.dir, Actor: "bench", Version: "bench", Dial: p.dial}); err != nil {
		return nil, err
	}
	r, err := p.agent.Enrol(ctx, c.nodes.Nodes[0].URL(), code)
	return p, errors.Join(err, r.Fetch)
}

// dial is as the agent does it by itself; only that the line is remembered.
func (p *pc) dial(config *tls.Config, addresses []string) (agent.Line, error) {
	l, err := link.New(link.Config{TLS: config, Addresses: addresses})
	if err != nil {
		return nil, err
	}
	p.line = l
	return l, nil
}

// with opens the PC's union for a while.
func (p *pc) with(do func(u *union.Union) error) (err error) {
	u, err := p.agent.Union("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	return do(u)
}

// cost is what a sync took.
type cost struct {
	traffic link.Traffic
	took    time.Duration
	result  union.Result
}

// bytes are those of both directions.
func (c cost) bytes() float64 { return float64(c.traffic.Sent + c.traffic.Received) }

// sync makes one whole sync over a new connection, as the agent does it at night. One that
// leaves something undone is an error.
func (p *pc) sync(ctx context.Context, u *union.Union) (c cost, err error) {
	began := time.Now()
	c.result, err = p.agent.SyncOpen(ctx, u, nil)
	c.took = time.Since(began)
	if err != nil {
		return c, err
	}
	c.traffic = p.line.Traffic()
	if r := c.result; !r.Complete || !r.Equal || r.Held > 0 || len(r.Refused) > 0 {
		err = fmt.Errorf("sync: complete %v, equal %v, held %d, refused %v", r.Complete, r.Equal, r.Held, r.Refused)
	}
	return c, err
}

// fill imports new members with their joining events.
func (p *pc) fill(ctx context.Context, u *union.Union, members int) (err error) {
	p.members, err = newMembers(ctx, u, p.seed, members)
	return err
}

// average gives a PC of the average union, everything delivered; the same one every time.
func (e *env) average(ctx context.Context) (*pc, error) {
	if e.small != nil {
		return e.small, nil
	}
	p, err := e.newPC(ctx)
	if err != nil {
		return nil, err
	}
	err = p.with(func(u *union.Union) error {
		if err := p.fill(ctx, u, unionMembers); err != nil {
			return err
		}
		_, err := p.sync(ctx, u)
		return err
	})
	if err == nil {
		e.small = p
	}
	return p, err
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"unionsync/agent"
	"unionsync/agent/link"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// Bounds of a clerk's work.
const (
	clerkMembers = 20
	clerkPause   = 700 * time.Millisecond // between two syncs, about
	syncPatience = 60 * time.Second
	stall        = 10 * time.Second // a line on which nothing moves is given up
)

// clerk is a PC with the real agent: one union, open all the time.
type clerk struct {
	history *history
	code    string
	agent   *agent.Agent
	union   *union.Union
	members []syncproto.RecordID
	dice    *rand.Rand
}

// recorded is a line that tells the history what goes over it.
type recorded struct {
	agent.Line
	history *history
}

// Exchange implements agent.Line.
func (r recorded) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	a := r.history.sending(q)
	p, err := r.Line.Exchange(ctx, q)
	if err == nil {
		r.history.answered(a, p)
	}
	return p, err
}

func newClerk(h *history, dir, code string, seed uint64) (*clerk, error) {
	direct := func(*http.Request) (*url.URL, error) { return nil, nil }
	c := &clerk{history: h, code: code, dice: rand.New(rand.NewPCG(seed, 1))}
	var err error
	c.agent, err = agent.Open(agent.Config{
		Dir: filepath.Join(dir, "pc-"+code), Actor: "王芳", Version: "faults",
		Dial: func(config *tls.Config, addresses []string) (agent.Line, error) {
			l, err := link.New(link.Config{TLS: config, Addresses: addresses, Proxy: direct, Stall: stall})
			if err != nil {
				return nil, err
			}
			return recorded{l, h}, nil
		},
	})
	return c, err
}

// enrol makes the PC a device of its union, and takes members in from the one of a number on.
func (c *clerk) enrol(ctx context.Context, node, code string, first int) error {
	e, err := c.agent.Enrol(ctx, node, code)
	if err == nil {
		err = e.Fetch
	}
	if err == nil {
		c.union, err = c.agent.Union(e.Union)
	}
	if err != nil {
		return err
	}
	saved, err := uniontest.Members(ctx, c.union, first, clerkMembers)
	for _, s := range saved {
		if s.Kind == "member" {
			c.members = append(c.members, s.ID)
		}
	}
	return err
}

// run saves and syncs until ctx ends. What goes wrong on the way is a fault's doing, and
// comes right afterwards; only a save must never fail.
func (c *clerk) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		for range 1 + c.dice.IntN(3) {
			if err := c.save(ctx, n); err != nil {
				return err
			}
		}
		if r, err := c.sync(ctx); err == nil && len(r.Notices) > 0 {
			c.history.broke("the agent of %s notices %v", c.code, r.Notices)
		}
		pause(ctx, clerkPause/2+time.Duration(c.dice.Int64N(int64(clerkPause))))
	}
	return nil
}

func (c *clerk) save(ctx context.Context, n int) error {
	id := c.members[c.dice.IntN(len(c.members))]
	_, err := c.union.Save(context.WithoutCancel(ctx), union.Draft{Kind: "member", ID: id, Text: map[string]string{"remark": fmt.Sprint(n, " ", c.dice.Uint32())}})
	if err != nil {
		return fmt.Errorf("save at %s: %w", c.code, err)
	}
	return nil
}

func (c *clerk) sync(ctx context.Context) (union.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	return c.agent.SyncOpen(ctx, c.union, nil)
}

// settle syncs until the centre has all, and both have the very same records.
func (c *clerk) settle(ctx context.Context) error {
	var last error
	for ctx.Err() == nil {
		r, err := c.sync(ctx)
		if err == nil && r.Complete && r.Equal && len(r.Notices) == 0 {
			return nil
		}
		last = errors.Join(err, fmt.Errorf("complete %v, equal %v, notices %v", r.Complete, r.Equal, r.Notices))
		pause(ctx, clerkPause)
	}
	return fmt.Errorf("the agent of %s is not settled: %w", c.code, last)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

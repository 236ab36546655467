package gate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// contacts pools the notes of exchanges, the newest of each device: an exchange never waits
// for its note, and a night of idle exchanges costs an entry a second and not one each. A
// leader that dies takes up to a second of notes along; they are written again the next
// night, and decide nothing.
type contacts struct {
	mu      sync.Mutex
	pooled  map[contactKey]*entrypb.Contact
	flushes sync.Mutex // one flush at a time, so that older notes never overtake newer ones
}

type contactKey struct {
	union  string
	device string
}

func newContacts() *contacts { return &contacts{pooled: map[contactKey]*entrypb.Contact{}} }

func (c *contacts) note(union string, device []byte, note *entrypb.Contact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := contactKey{union, string(device)}
	if was := c.pooled[k]; was.GetComplete() {
		note.Complete = true // it did come to its end a moment ago, which a later request does not undo
	}
	c.pooled[k] = note
}

func (c *contacts) take() map[contactKey]*entrypb.Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pooled
	c.pooled = map[contactKey]*entrypb.Contact{}
	return taken
}

// putBack returns notes that were not committed, unless there is a newer one.
func (c *contacts) putBack(notes map[contactKey]*entrypb.Contact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range notes {
		if c.pooled[k] == nil {
			c.pooled[k] = n
		}
	}
}

// maxContacts is how many notes go into one entry.
const maxContacts = 2000

// flushContacts commits the pooled notes, at the leader.
func (g *Gate) flushContacts(ctx context.Context) error {
	g.contacts.flushes.Lock()
	defer g.contacts.flushes.Unlock()
	if !g.cfg.Log.Leads() {
		g.contacts.take() // of a lead that is over
		return nil
	}
	notes := g.contacts.take()
	items := itemsOf(notes)
	for len(items) > 0 {
		n := min(len(items), maxContacts)
		if _, err := g.propose(ctx, &entrypb.Batch{Time: g.now(), Items: items[:n]}); err != nil {
			g.contacts.putBack(notes)
			return fmt.Errorf("commit contacts: %w", err)
		}
		items = items[n:]
	}
	return nil
}

// Flush commits the notes that are pooled, at the leader, as [Gate.Run] does now and then.
func (g *Gate) Flush(ctx context.Context) error { return g.flushContacts(ctx) }

// itemsOf orders the notes: an entry's bytes do not depend on a map's order.
func itemsOf(notes map[contactKey]*entrypb.Contact) []*entrypb.Item {
	items := make([]*entrypb.Item, 0, len(notes))
	for k, n := range notes {
		items = append(items, &entrypb.Item{Union: k.union, Device: []byte(k.device), Contact: n})
	}
	slices.SortFunc(items, func(a, b *entrypb.Item) int {
		return cmp.Or(cmp.Compare(a.GetUnion(), b.GetUnion()), bytes.Compare(a.GetDevice(), b.GetDevice()))
	})
	return items
}

// propose commits one entry and gives its result; a refusal that all replicas came to is an
// error here.
func (g *Gate) propose(ctx context.Context, m proto.Message) (any, error) {
	b, err := ledger.Entry(m)
	if err != nil {
		return nil, err
	}
	res, err := g.cfg.Log.Propose(ctx, b)
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	return res, nil
}

func contactOf(q *syncpb.Request, complete bool) *entrypb.Contact {
	c := q.GetClient()
	n := &entrypb.Contact{
		Complete: complete, Waiting: c.GetWaiting(), Alarms: c.GetAlarms(),
		Version: clip(c.GetVersion(), maxVersion), ClientTime: c.GetTime(),
	}
	if complete {
		n.Waiting = 0 // what waited when the agent asked is here now
	}
	if p := q.GetProved(); len(p.GetDigest()) == syncproto.WireHashSize {
		n.ProvedCursor, n.ProvedDigest = p.GetCursor(), bytes.Clone(p.GetDigest())
	}
	return n
}

const maxVersion = 40 // bytes kept of a program's version

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

// Pool says how items of many callers become one entry, and how its result is shared out.
// Join and Split belong to whoever knows what an item is; both are called by several
// goroutines at a time.
type Pool struct {
	Join  func(items [][]byte) ([]byte, error)
	Split func(result any, items int) ([]any, error) // as many as there were items

	MaxBytes int // of the items of one entry, with Overhead each; default: Space.EntryBytes
	Overhead int // bytes that Join adds to each item at most; default 16
	MaxItems int // in one entry; default 1,024
	Flights  int // entries on their way at a time; default 3
	Waiting  int // items that may wait for a flight before callers have to; default 4,096
}

func (p *Pool) setDefaults(entryBytes int) {
	setDefault(&p.MaxBytes, entryBytes)
	setDefault(&p.Overhead, 16)
	setDefault(&p.MaxItems, 1024)
	setDefault(&p.Flights, 3)
	setDefault(&p.Waiting, 4096)
}

// Proposer commits many callers' items in few entries. Nobody waits for a timer: an item
// leaves at once while there is a free flight, and what comes while all are on their way
// leaves together with the next. [Proposer.Run] must be running.
type Proposer struct {
	propose func(context.Context, []byte) (any, uint64, error)
	pool    Pool
	queue   chan *ticket
	done    chan struct{} // closed when Run has ended

	mu    sync.Mutex // held by the flight that is collecting
	spill *ticket    // taken from the queue, and too large for the entry it came to
}

// NewProposer makes a proposer of entries for this node.
func (n *Node) NewProposer(p Pool) *Proposer {
	p.setDefaults(n.cfg.Space.EntryBytes)
	return newProposer(n.Propose, p)
}

func newProposer(propose func(context.Context, []byte) (any, uint64, error), p Pool) *Proposer {
	return &Proposer{propose: propose, pool: p, queue: make(chan *ticket, p.Waiting), done: make(chan struct{})}
}

// Whether a ticket still waits, is on its way, or was given up by its caller.
const (
	waiting int32 = iota
	taken
	givenUp
)

// ticket is one item on its way.
type ticket struct {
	item  []byte
	state atomic.Int32
	reply chan reply // of size 1: who answers never waits
}

type reply struct {
	result any
	index  uint64
	err    error
}

// Submit commits one item and gives its own result and the index of the entry that it came
// in. The errors are those of [Node.Propose]. When ctx ends before the item has left, its
// cause is returned and surely nothing was proposed; afterwards it is [ErrUnknownOutcome].
// The item must not be changed before Submit returns, nor after ErrUnknownOutcome.
func (p *Proposer) Submit(ctx context.Context, item []byte) (any, uint64, error) {
	const op = "submit"
	if size := len(item) + p.pool.Overhead; size > p.pool.MaxBytes {
		return nil, 0, syncproto.Fail(syncproto.CodeEntryTooLarge, op, nil,
			"bytes", fmt.Sprint(size), "max", fmt.Sprint(p.pool.MaxBytes))
	}
	t := &ticket{item: item, reply: make(chan reply, 1)}
	select {
	case p.queue <- t:
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("%s: %w", op, ctx.Err())
	case <-p.done:
		return nil, 0, syncproto.Fail(syncproto.CodeNodeStopped, op, nil)
	}
	var end error
	select {
	case r := <-t.reply:
		return r.result, r.index, r.err
	case <-ctx.Done():
		end = fmt.Errorf("%s: %w", op, ctx.Err())
	case <-p.done:
		end = syncproto.Fail(syncproto.CodeNodeStopped, op, nil)
	}
	if t.state.CompareAndSwap(waiting, givenUp) {
		return nil, 0, end
	}
	select { // it was on its way: perhaps the answer is here by now
	case r := <-t.reply:
		return r.result, r.index, r.err
	default:
		return nil, 0, syncproto.Fail(syncproto.CodeUnknownOutcome, op, end)
	}
}

// Run proposes what is submitted, until ctx ends; entries on their way are waited for.
func (p *Proposer) Run(ctx context.Context) error {
	defer close(p.done)
	onTheWay := context.WithoutCancel(ctx) // raft ends every entry, at the latest with the node
	var flights errgroup.Group
	for range p.pool.Flights {
		flights.Go(func() error {
			for {
				tickets := p.collect(ctx)
				if len(tickets) == 0 {
					return nil
				}
				p.fly(onTheWay, tickets)
			}
		})
	}
	return flights.Wait()
}

// collect waits for an item and takes all that are there with it, as far as one entry can
// hold them. It gives none when ctx has ended.
func (p *Proposer) collect(ctx context.Context) []*ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	var tickets []*ticket
	bytes := 0
	for len(tickets) < p.pool.MaxItems {
		t := p.next(ctx, len(tickets) == 0)
		if t == nil {
			break
		}
		size := len(t.item) + p.pool.Overhead
		if bytes+size > p.pool.MaxBytes { // never the first one: Submit has checked it
			p.spill = t
			break
		}
		if t.state.CompareAndSwap(waiting, taken) {
			tickets, bytes = append(tickets, t), bytes+size
		}
	}
	return tickets
}

// next gives the next item, or nil: at once, or, when it is to wait, at the end of ctx.
func (p *Proposer) next(ctx context.Context, wait bool) *ticket {
	if ctx.Err() != nil {
		return nil
	}
	if t := p.spill; t != nil {
		p.spill = nil
		return t
	}
	if !wait {
		select {
		case t := <-p.queue:
			return t
		default:
			return nil
		}
	}
	select {
	case t := <-p.queue:
		return t
	case <-ctx.Done():
		return nil
	}
}

// fly proposes one entry and answers everybody in it.
func (p *Proposer) fly(ctx context.Context, tickets []*ticket) {
	results, index, err := p.proposeAll(ctx, tickets)
	for i, t := range tickets {
		r := reply{index: index, err: err}
		if err == nil {
			r.result = results[i]
		}
		t.reply <- r
	}
}

func (p *Proposer) proposeAll(ctx context.Context, tickets []*ticket) ([]any, uint64, error) {
	items := make([][]byte, len(tickets))
	for i, t := range tickets {
		items[i] = t.item
	}
	data, err := p.pool.Join(items)
	if err != nil {
		return nil, 0, fmt.Errorf("join %d items: %w", len(items), err)
	}
	result, index, err := p.propose(ctx, data)
	if err != nil {
		return nil, 0, err
	}
	results, err := p.pool.Split(result, len(items))
	if err == nil && len(results) != len(items) {
		err = errors.New("wrong number of results")
	}
	if err != nil { // it is committed all the same
		return nil, 0, syncproto.Fail(syncproto.CodeUnknownOutcome, "share out result", err)
	}
	return results, index, nil
}

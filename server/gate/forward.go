package gate

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
)

// pause is how long a call waits before it looks for a leader again.
const pause = 100 * time.Millisecond

// call is one call that only the leader can answer.
type call[Q, R any] struct {
	op     string
	head   http.Header       // of the request, as it came
	mark   func(http.Header) // adds to the forwarded one; may be nil
	wait   time.Duration     // for a leader and its answer; 0: as configured
	local  func(context.Context, *Q) (*R, error)
	remote func(context.Context, string, *connect.Request[Q]) (*connect.Response[R], error)
}

// onLeader answers at the leader, here or at another node. While there is none, or it is
// lost on the way, it tries again: every call that comes here may be made twice. What has
// been forwarded to this node is not forwarded again.
func onLeader[Q, R any](ctx context.Context, g *Gate, c call[Q, R], q *Q) (*R, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.wait, g.cfg.Capacity.Patience))
	defer cancel()
	var last error
	for {
		r, err := c.once(ctx, g, q)
		if err == nil || !passing(err) || forwarded(c.head) {
			return r, c.late(err)
		}
		last = err
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			if errors.Is(last, context.DeadlineExceeded) { // there is a leader, which has much to do
				return nil, c.late(last)
			}
			return nil, syncproto.Fail(syncproto.CodeNoLeader, c.op, last, argSeconds, leaderSeconds)
		}
	}
}

// Argument of an error that says when to come again, and its value while there is no leader.
const (
	argSeconds    = "seconds"
	leaderSeconds = "5"
)

// late gives a call that ran out of time at the leader a code.
func (c *call[Q, R]) late(err error) error {
	var coded *syncproto.Error
	if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &coded) {
		return syncproto.Fail(syncproto.CodeBusy, c.op, err, argSeconds, busySeconds)
	}
	return err
}

func (c *call[Q, R]) once(ctx context.Context, g *Gate, q *Q) (*R, error) {
	if g.cfg.Log.Leads() {
		return c.local(ctx, q)
	}
	if forwarded(c.head) {
		return nil, syncproto.Fail(syncproto.CodeNotLeader, c.op, nil, "leader", "?")
	}
	address, err := g.leaderAddress()
	if err != nil {
		return nil, err
	}
	q2 := connect.NewRequest(q)
	q2.Header().Set(headerHop, "1")
	if a := callerOf(ctx).address; a.IsValid() {
		q2.Header().Set(headerAddress, a.String())
	}
	if c.mark != nil {
		c.mark(q2.Header())
	}
	r, err := c.remote(ctx, address, q2)
	if err != nil {
		return nil, wire.Decode(c.op, err)
	}
	return r.Msg, nil
}

func forwarded(h http.Header) bool { return h.Get(headerHop) != "" }

// passing reports errors that another try may not meet.
func passing(err error) bool {
	switch syncproto.CodeOf(err) {
	case syncproto.CodeNotLeader, syncproto.CodeNoLeader, syncproto.CodeUnknownOutcome,
		syncproto.CodeNodeStopped, syncproto.CodeUnreachable, syncproto.CodeNotReady:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// leaderAddress gives the URL of the node that leads.
func (g *Gate) leaderAddress() (string, error) {
	id := g.cfg.Log.LeaderID()
	if id == "" || id == g.id {
		return "", syncproto.Fail(syncproto.CodeNoLeader, "find the leader", nil, argSeconds, leaderSeconds)
	}
	n, err := g.cfg.Ledger.Node(id)
	if err != nil {
		return "", err
	}
	if n.GetApiAddress() == "" {
		return "", syncproto.Fail(syncproto.CodeNoLeader, "find the leader", errors.New("its address is not known yet"), argSeconds, leaderSeconds)
	}
	return n.GetApiAddress(), nil
}

func (g *Gate) unionAt(address string) unionrpcconnect.UnionClient {
	return unionrpcconnect.NewUnionClient(g.cfg.Client, address, wire.ClientOptions(syncproto.MaxRequestBytes))
}

func (g *Gate) adminAt(address string) unionrpcconnect.AdminClient {
	return unionrpcconnect.NewAdminClient(g.cfg.Client, address, wire.ClientOptions(g.cfg.Capacity.AdminSize))
}

// answer gives the outcome of a call in Connect's form. An error without a code, or one that
// is the node's own business, is logged here and is only a number outside.
func answer[R any](g *Gate, op string, r *R, err error) (*connect.Response[R], error) {
	if err == nil {
		return connect.NewResponse(r), nil
	}
	switch {
	case errors.Is(err, context.Canceled):
	case syncproto.CodeOf(err) == syncproto.CodeInternal:
		g.cfg.Logger.Error("call failed", "call", op, "error", err)
	default:
		g.cfg.Logger.Info("call refused", "call", op, "code", int(syncproto.CodeOf(err)))
	}
	return nil, wire.Encode(err)
}

// How often it is looked whether another node leads, and a line to it is used so that it
// stays: at the next stampede a new one would wait behind thousands of agents at its door.
const (
	wayLook = time.Second
	wayUse  = 30 * time.Second
)

// keepWay keeps a line open to the node that leads, until ctx ends.
func (g *Gate) keepWay(ctx context.Context) {
	tick := time.NewTicker(wayLook)
	defer tick.Stop()
	var used wayUsed
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := g.way(ctx, &used); err != nil && ctx.Err() == nil {
			g.cfg.Logger.Debug("no line to the leader", "error", err)
		}
	}
}

// wayUsed is the line to the leader that was used last, and when.
type wayUsed struct {
	to string
	at time.Time
}

// way uses the line to the leader if that is another node, and it is time.
func (g *Gate) way(ctx context.Context, used *wayUsed) error {
	address, err := g.leaderAddress()
	if err != nil || g.cfg.Log.Leads() || address == used.to && time.Since(used.at) < wayUse {
		return nil //nolint:nilerr // without a leader there is no way
	}
	used.to, used.at = address, time.Now()
	return g.useWay(ctx, address)
}

// useWay asks for what no node has, which costs next to nothing.
func (g *Gate) useWay(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, wayUse)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodHead, address+"/", nil)
	if err != nil {
		return err
	}
	r, err := g.cfg.Client.Do(q)
	if err != nil {
		return err
	}
	return r.Body.Close()
}

package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Left says what a cluster is without a node that was taken out.
type Left struct {
	Node    string   `json:"node"`
	Members []string `json:"members"` // that stay
	Working int      `json:"working"` // voters of these that answer
	Spare   int      `json:"spare"`   // how many of these may fail until nothing is taken in any more
}

// Leave takes a node out of the cluster.
func (s *adminService) Leave(ctx context.Context, req *connect.Request[unionrpc.LeaveRequest]) (*connect.Response[unionrpc.LeaveResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.LeaveRequest, unionrpc.LeaveResponse]{
		op: "leave", head: req.Header(), local: g.leave,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.LeaveRequest]) (*connect.Response[unionrpc.LeaveResponse], error) {
			return g.adminAt(url).Leave(ctx, q)
		},
	}, req.Msg)
	return answer(g, "leave", r, err)
}

// leave takes a node out at the leader: first its vote, then its place in the list. When it
// is cut between the two it is made again.
func (g *Gate) leave(ctx context.Context, q *unionrpc.LeaveRequest) (*unionrpc.LeaveResponse, error) {
	const op = "leave"
	d := g.cfg.Members.Describe()
	noted, err := g.cfg.Ledger.Node(q.GetNode())
	if err != nil {
		return nil, err
	}
	m := d.member(q.GetNode())
	if m == nil && noted == nil || g.cfg.Cluster == nil {
		return nil, syncproto.Fail(syncproto.CodeNodeUnknown, op, nil, argNode, q.GetNode())
	}
	out, err := g.mayLeave(ctx, &d, m, q)
	if err != nil {
		return nil, err
	}
	if q.GetNode() == g.cfg.Node.ID() { // the next leader does it; the call comes to it again
		if err := g.cfg.Cluster.Transfer(ctx, ""); err != nil {
			return nil, err
		}
		return nil, syncproto.Fail(syncproto.CodeNotLeader, op, nil, "leader", "?")
	}
	if err := g.cfg.Cluster.Remove(ctx, q.GetNode()); err != nil {
		return nil, err
	}
	if _, err := g.propose(ctx, &entrypb.NodeLeft{Time: g.now(), Id: q.GetNode()}); err != nil {
		return nil, err
	}
	g.cfg.Logger.Warn("node left", "member", q.GetNode(), "dead", q.GetDead(), "working", out.Working, "spare", out.Spare)
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return &unionrpc.LeaveResponse{Json: b}, nil
}

const argNode = "node"

// mayLeave refuses what would leave fewer working nodes than a majority of those that stay,
// and a node that is dead where it should not be, or the other way round.
func (g *Gate) mayLeave(ctx context.Context, d *Description, m *Member, q *unionrpc.LeaveRequest) (*Left, error) {
	const op = "leave"
	works := g.working(ctx, d.Members)
	out := &Left{Node: q.GetNode(), Members: []string{}}
	voters := 0
	for _, x := range d.Members {
		if x.ID == q.GetNode() {
			continue
		}
		out.Members = append(out.Members, x.ID)
		if x.Voter {
			voters++
		}
		if x.Voter && works[x.ID] {
			out.Working++
		}
	}
	need := voters/2 + 1
	out.Spare = out.Working - need
	switch {
	case out.Spare < 0 && (m == nil || m.Voter):
		return nil, syncproto.Fail(syncproto.CodeQuorumRisk, op, nil, argNode, q.GetNode(),
			"left", fmt.Sprint(out.Working), "need", fmt.Sprint(need))
	case q.GetDead() && works[q.GetNode()]:
		return nil, syncproto.Fail(syncproto.CodeNodeAnswers, op, nil, argNode, q.GetNode())
	case !q.GetDead() && !works[q.GetNode()]:
		return nil, syncproto.Fail(syncproto.CodeNodeSilent, op, nil, argNode, q.GetNode())
	}
	return out, nil
}

// probePatience is how long a node may take to say how it stands.
const probePatience = 3 * time.Second

// working asks all members at once how they stand, and gives those that answer and have a
// leader.
func (g *Gate) working(ctx context.Context, members []Member) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	out := map[string]bool{}
	for _, m := range members {
		all.Go(func() {
			ok := m.ID == g.cfg.Node.ID() || g.works(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			out[m.ID] = ok
		})
	}
	all.Wait()
	return out
}

func (g *Gate) works(ctx context.Context, m Member) bool {
	if m.API == "" {
		return false
	}
	r, err := g.adminAt(m.API).Status(ctx, connect.NewRequest(new(unionrpc.StatusRequest)))
	if err != nil {
		return false
	}
	st := new(Status)
	return json.Unmarshal(r.Msg.GetJson(), st) == nil && st.Node == m.ID && st.Ready && st.Leader != ""
}

// Moved says which node leads after a transfer.
type Moved struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Transfer lets another node lead.
func (s *adminService) Transfer(ctx context.Context, req *connect.Request[unionrpc.TransferRequest]) (*connect.Response[unionrpc.TransferResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.TransferRequest, unionrpc.TransferResponse]{
		op: "transfer lead", head: req.Header(), local: g.transfer,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.TransferRequest]) (*connect.Response[unionrpc.TransferResponse], error) {
			return g.adminAt(url).Transfer(ctx, q)
		},
	}, req.Msg)
	return answer(g, "transfer lead", r, err)
}

func (g *Gate) transfer(ctx context.Context, q *unionrpc.TransferRequest) (*unionrpc.TransferResponse, error) {
	const op = "transfer lead"
	d, to := g.cfg.Members.Describe(), q.GetNode()
	own := g.cfg.Node.ID()
	if m := d.member(to); to != "" && (m == nil || !m.Voter) || g.cfg.Cluster == nil {
		return nil, syncproto.Fail(syncproto.CodeNodeUnknown, op, nil, argNode, to)
	} else if to != "" && to != own && !g.works(ctx, *m) {
		return nil, syncproto.Fail(syncproto.CodeNodeSilent, op, nil, argNode, to)
	}
	if to != own {
		if err := g.cfg.Cluster.Transfer(ctx, to); err != nil {
			return nil, err
		}
	}
	moved := Moved{From: own, To: to}
	if to == "" {
		moved.To = g.nextLeader(ctx, own)
	}
	g.cfg.Logger.Info("lead handed over", "to", moved.To)
	b, err := json.Marshal(moved)
	return &unionrpc.TransferResponse{Json: b}, err
}

// nextLeader waits a moment until the new leader is known; "" if it is not.
func (g *Gate) nextLeader(ctx context.Context, not string) string {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	for {
		if id := g.cfg.Log.LeaderID(); id != "" && id != not {
			return id
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ""
		}
	}
}

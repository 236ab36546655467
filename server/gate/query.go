package gate

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/census"
	"unionsync/server/health"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// reading is how long a question waits for the state that it asks for.
const reading = 30 * time.Second

// fresh makes what this node is about to tell contain all that was answered before the
// question: at the leader by committing the pooled notes, elsewhere by asking the leader
// instead. It reports false when the question is to be passed on.
func (g *Gate) fresh(ctx context.Context, head interface{ Get(string) string }) bool {
	if g.cfg.Log.Leads() {
		if err := g.flushContacts(ctx); err != nil {
			g.cfg.Logger.Warn("contacts not committed", "error", err)
		}
		return true
	}
	return head.Get(headerHop) != ""
}

// ask answers a question at the leader if there is one, else here: without a majority a
// node still tells what it knows, and up to which position.
func ask[Q, R any](ctx context.Context, g *Gate, op string, req *connect.Request[Q], local func(context.Context, *Q) (*R, error),
	remote func(context.Context, string, *connect.Request[Q]) (*connect.Response[R], error)) (*connect.Response[R], error) {
	if !g.fresh(ctx, req.Header()) {
		if url, err := g.leaderAddress(); err == nil {
			q := connect.NewRequest(req.Msg)
			q.Header().Set(headerHop, "1")
			if r, err := remote(ctx, url, q); err == nil {
				return r, nil
			}
		}
	}
	r, err := local(ctx, req.Msg)
	return answer(g, op, r, err)
}

// ListOrg lists units of the tree with what is known of their devices.
func (s *adminService) ListOrg(ctx context.Context, req *connect.Request[unionrpc.ListOrgRequest]) (*connect.Response[unionrpc.ListOrgResponse], error) {
	return ask(ctx, s.g, "list org", req, s.g.listOrg,
		func(ctx context.Context, url string, q *connect.Request[unionrpc.ListOrgRequest]) (*connect.Response[unionrpc.ListOrgResponse], error) {
			return s.g.adminAt(url).ListOrg(ctx, q)
		})
}

func (g *Gate) listOrg(_ context.Context, q *unionrpc.ListOrgRequest) (*unionrpc.ListOrgResponse, error) {
	t, err := g.readTree()
	if err != nil {
		return nil, err
	}
	if p := q.GetParent(); p != "" && t.units[p] == nil {
		return nil, syncproto.Fail(syncproto.CodeUnionUnknown, "list org", nil, "union", clip(p, syncproto.MaxUnionCode))
	}
	states, err := g.unionStates()
	if err != nil {
		return nil, err
	}
	r := new(unionrpc.ListOrgResponse)
	for _, code := range t.codes(q.GetParent(), q.GetText()) {
		unit := &unionrpc.OrgRow{Values: map[string]string{}}
		for _, f := range t.kind.Fields {
			if v := t.units[code].Text(f); v != "" {
				unit.Values[f.Name] = v
			}
		}
		s := states[code]
		if s == nil {
			s = new(unionrpc.OrgState)
		}
		s.Unit = unit
		r.Units = append(r.Units, s)
	}
	return r, nil
}

// unionStates sums up, by union, what its devices said when they were last heard of.
func (g *Gate) unionStates() (map[string]*unionrpc.OrgState, error) {
	out := map[string]*unionrpc.OrgState{}
	err := g.cfg.Ledger.Contacts(func(union string, _ []byte, c *entrypb.ContactState) error {
		s := out[union]
		if s == nil {
			s = new(unionrpc.OrgState)
			out[union] = s
		}
		s.Devices++
		s.Heard, s.Complete = max(s.Heard, c.GetHeard()), max(s.Complete, c.GetComplete())
		s.Waiting += c.GetLast().GetWaiting()
		if s.Proved || len(c.GetLast().GetProvedDigest()) == 0 {
			return nil
		}
		v := g.cfg.Ledger.View(union)
		defer v.Done()
		d, err := v.Digest()
		s.Proved = bytes.Equal(d.Wire(), c.GetLast().GetProvedDigest())
		return err
	})
	return out, err
}

// Counts counts members.
func (s *adminService) Counts(ctx context.Context, req *connect.Request[unionrpc.CountsRequest]) (*connect.Response[unionrpc.CountsResponse], error) {
	return ask(ctx, s.g, "counts", req, s.g.counts,
		func(ctx context.Context, url string, q *connect.Request[unionrpc.CountsRequest]) (*connect.Response[unionrpc.CountsResponse], error) {
			return s.g.adminAt(url).Counts(ctx, q)
		})
}

func (g *Gate) counts(ctx context.Context, q *unionrpc.CountsRequest) (*unionrpc.CountsResponse, error) {
	query, err := g.query(q)
	if err != nil {
		return nil, err
	}
	a, err := g.count(ctx, query, max(syncproto.Position(q.GetAtLeast()), g.cfg.Ledger.Head()))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := a.WriteJSON(&b); err != nil {
		return nil, err
	}
	return &unionrpc.CountsResponse{Json: b.Bytes()}, nil
}

// count asks the census once it has followed the log up to a position.
func (g *Gate) count(ctx context.Context, q census.Query, position syncproto.Position) (census.Answer, error) {
	c := g.cfg.Census()
	if c == nil {
		return census.Answer{}, syncproto.Fail(syncproto.CodeCountNotReady, "count", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, reading)
	defer cancel()
	if err := c.WaitFor(ctx, position); err != nil {
		return census.Answer{}, syncproto.Fail(syncproto.CodeCountNotReady, "count", err)
	}
	return c.Count(q)
}

func (g *Gate) query(q *unionrpc.CountsRequest) (census.Query, error) {
	// This node's own clock: the log's time may lie ahead for good if a leader's clock ever did.
	now := g.cfg.Now().Unix()
	out := census.Query{
		Now: now, Known: syncproto.Position(q.GetKnown()), Zeros: q.GetZeros(),
		FreshWithin: time.Duration(q.GetFreshSeconds()) * time.Second, Contacts: map[string]census.Contact{},
	}
	day := q.GetDay()
	if day == "" {
		day = census.DayAt(now).String()
	}
	var err error
	if out.Day, err = census.ParseDay(day); err != nil {
		return out, err
	}
	for _, d := range q.GetBy() {
		out.By = append(out.By, census.Dimension(d))
	}
	for _, f := range q.GetFilter() {
		out.Filter = append(out.Filter, census.Condition{Dimension: census.Dimension(f.GetDimension()), Codes: f.GetCodes()})
	}
	states, err := g.unionStates()
	for union, s := range states {
		out.Contacts[union] = census.Contact{Last: s.GetComplete(), Proved: s.GetProved()}
	}
	if err != nil {
		return out, err
	}
	return out, g.reconfirming(&out)
}

// reconfirming fills in what is being re-confirmed. A question about what was known in an
// older life is answered from what all lives have had: nothing of that is missing.
func (g *Gate) reconfirming(q *census.Query) error {
	r, err := g.cfg.Ledger.Reconfirming()
	if err != nil || q.Known != 0 && q.Known.Generation() != r.Life {
		return err
	}
	q.Reconfirming, q.ReconfirmingSince = r.Unions, r.Began
	return nil
}

// Status tells how a node sees itself, the cluster and the unions. Its JSON form is stable:
// fields are added, never renamed.
type Status struct {
	Node       string          `json:"node"`
	Version    string          `json:"version"`
	Ready      bool            `json:"ready"` // the centre is set up and its state is here
	Role       string          `json:"role"`  // leader or follower
	Leader     string          `json:"leader"`
	Term       uint64          `json:"term"`
	Applied    uint64          `json:"applied"` // index of the raft log
	Head       string          `json:"head"`    // position of the newest change
	Generation int             `json:"generation"`
	City       string          `json:"city"` // fingerprint of the CA
	Members    []Member        `json:"members"`
	Devices    int             `json:"devices"`
	Unions     *census.Unions  `json:"unions,omitempty"` // left out while the census is not ready
	Time       int64           `json:"time"`
	Clock      int64           `json:"clock"`            // the node's own, which Time never falls behind
	Health     string          `json:"health,omitempty"` // address of /readyz and /metrics on the node's machine
	Checks     []health.Result `json:"checks"`           // what must hold for the node to do its work

	Raft   RaftStatus  `json:"raft"`
	Level  uint32      `json:"level"`  // up to which entries may be proposed
	Knows  uint32      `json:"knows"`  // the newest level that the node's program knows
	Halted uint64      `json:"halted"` // raft index of the check at which no majority agreed; 0: none, all is well
	Check  CheckStatus `json:"check"`
}

// CheckStatus tells of the newest comparison of the nodes' states, as this node knows it.
type CheckStatus struct {
	Index  uint64   `json:"index"`  // in the raft log; 0: there was none yet
	Sum    string   `json:"sum"`    // that a majority has, first 16 hexadecimal digits; "": none has yet
	Time   int64    `json:"time"`   // when it began, Unix seconds
	Differ []string `json:"differ"` // nodes whose state is not that of the majority
}

// RaftStatus tells how far a node is with the replicated log.
type RaftStatus struct {
	LastIndex   uint64 `json:"last_index"`
	Commit      uint64 `json:"commit"`
	Snapshot    uint64 `json:"snapshot"`
	LogBytes    int64  `json:"log_bytes"`
	LastContact int64  `json:"last_contact_ms"` // since the leader was heard; 0 for the leader, -1: never
}

// Status tells how this node stands. It is never passed on: each node speaks for itself.
func (s *adminService) Status(ctx context.Context, _ *connect.Request[unionrpc.StatusRequest]) (*connect.Response[unionrpc.StatusResponse], error) {
	st, err := s.g.status(ctx)
	if err != nil {
		return answer[unionrpc.StatusResponse](s.g, "status", nil, err)
	}
	b, err := json.Marshal(st)
	if err != nil {
		err = fmt.Errorf("encode status: %w", err)
	}
	return answer(s.g, "status", &unionrpc.StatusResponse{Json: b}, err)
}

func (g *Gate) checkStatus(st *Status) error {
	l := g.cfg.Ledger
	st.Level, st.Knows, st.Halted, st.Check.Differ = l.Level(), ledger.KnownLevel(), l.Halted(), []string{}
	index, c, err := l.Check()
	if err != nil {
		return err
	}
	st.Check.Index, st.Check.Time, st.Check.Sum = index, c.GetTime(), hex.EncodeToString(c.GetSum()[:min(8, len(c.GetSum()))])
	nodes, err := l.Nodes()
	for _, n := range nodes {
		if n.GetDiffers() != 0 {
			st.Check.Differ = append(st.Check.Differ, n.GetId())
		}
	}
	return err
}

func (g *Gate) status(ctx context.Context) (*Status, error) {
	if g.cfg.Log.Leads() {
		if err := g.flushContacts(ctx); err != nil {
			g.cfg.Logger.Warn("contacts not committed", "error", err)
		}
	}
	d, l := g.cfg.Members.Describe(), g.cfg.Ledger
	st := &Status{
		Node: g.cfg.Node.ID(), Version: g.cfg.Version, Ready: l.Ready(), Role: "follower", Leader: g.cfg.Log.LeaderID(),
		Term: d.Term, Applied: l.Applied(), Head: l.Head().String(), Generation: int(l.Head().Generation()),
		City: g.cfg.Node.City.Fingerprint().String(), Members: d.Members, Time: g.now(),
		Raft:   RaftStatus{LastIndex: d.LastIndex, Commit: d.Commit, Snapshot: d.Snapshot, LogBytes: d.LogBytes, LastContact: d.LastContact},
		Health: g.cfg.Health, Checks: g.cfg.Checks.Run(ctx), Clock: g.cfg.Now().Unix(),
	}
	if g.cfg.Log.Leads() {
		st.Role = "leader"
	}
	if err := g.checkStatus(st); err != nil {
		return nil, err
	}
	devices, err := l.Devices()
	if err != nil {
		return nil, err
	}
	st.Devices = devices
	if c := g.cfg.Census(); st.Ready && c != nil && c.Ready() {
		q, err := g.query(&unionrpc.CountsRequest{})
		if err != nil {
			return nil, err
		}
		a, err := c.Count(q)
		if err != nil {
			return nil, err
		}
		st.Unions = &a.Unions
	}
	return st, nil
}

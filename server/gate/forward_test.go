package gate

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// TestLeaderThatIsLate: a leader that does not answer in time is busy, not gone: an agent is
// asked to come again and tells nobody of a failure.
func TestLeaderThatIsLate(t *testing.T) {
	b := newBench(t)
	b.apply(&entrypb.Node{Id: "n2", ApiAddress: "https://127.0.0.1:1", RaftAddress: "127.0.0.1:1"})
	b.log.leads, b.log.leader, b.g.cfg.Capacity.Patience = false, "n2", 20*time.Millisecond
	late := call[syncpb.Request, syncpb.Response]{op: "exchange", head: http.Header{},
		remote: func(ctx context.Context, _ string, _ *connect.Request[syncpb.Request]) (*connect.Response[syncpb.Response], error) {
			<-ctx.Done()
			return nil, connect.NewError(connect.CodeDeadlineExceeded, ctx.Err())
		}}
	_, err := onLeader(t.Context(), b.g, late, &syncpb.Request{})
	wantAgain(t, err, syncproto.CodeBusy)
}

// TestForwardedTakesNoTurn: what another node sends has its turn there.
func TestForwardedTakesNoTurn(t *testing.T) {
	b := newBench(t)
	b.g.cfg.Capacity.Requests, b.g.cfg.Capacity.Queue = 1, 20*time.Millisecond
	turns := newTurns(b.g, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	if !turns.atOnce.TryAcquire(1) {
		t.Fatal("no turn")
	}
	for role, want := range map[tlsid.Role]int{tlsid.RoleNode: http.StatusAccepted, tlsid.RoleDevice: http.StatusServiceUnavailable} {
		ctx := context.WithValue(t.Context(), callerKey{}, caller{known: true, id: tlsid.Identity{Role: role, ID: "x"}})
		q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
		q.Header.Set("Content-Type", "application/proto")
		w := &deadlined{httptest.NewRecorder()}
		turns.ServeHTTP(w, q)
		if w.Code != want {
			t.Errorf("a %s gets status %d, want %d", role, w.Code, want)
		}
	}
}

// deadlined is a recorder that takes deadlines.
type deadlined struct{ *httptest.ResponseRecorder }

func (deadlined) SetReadDeadline(time.Time) error  { return nil }
func (deadlined) SetWriteDeadline(time.Time) error { return nil }

// TestWayToTheLeader: a node that does not lead uses a line to the one that does, before
// anybody needs it; the leader has no use for one.
func TestWayToTheLeader(t *testing.T) {
	b := newBench(t)
	asked := make(chan string, 100)
	leader := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method }))
	defer leader.Close()
	b.apply(&entrypb.Node{Id: "n2", ApiAddress: leader.URL, RaftAddress: "127.0.0.1:1"})
	b.log.leader = "n2"
	if err := b.g.way(t.Context(), &wayUsed{}); err != nil || len(asked) != 0 {
		t.Fatalf("the leader asked %d times: %v", len(asked), err)
	}
	b.log.leads = false
	var used wayUsed
	for range 3 {
		if err := b.g.way(t.Context(), &used); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 1 {
		t.Fatalf("asked %d times, want once in %v", len(asked), wayUse)
	}
	used.at = used.at.Add(-wayUse)
	if err := b.g.way(t.Context(), &used); err != nil || len(asked) != 2 {
		t.Fatalf("asked %d times: %v", len(asked), err)
	}
}

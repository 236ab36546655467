package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"unionsync/server/ledger/entrypb"
)

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

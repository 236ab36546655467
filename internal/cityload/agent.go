package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// agent is a union's journal in memory, from which the agent's own code makes requests. It has
// never synced.
type agent struct {
	state session.State
	own   []syncproto.Placed
	key   ed25519.PrivateKey
}

var _ session.Journal = (*agent)(nil)

// newAgent begins a journal with these changes in it.
func newAgent(c *city, union string, key ed25519.PrivateKey, j syncproto.JournalID, changes []*syncproto.Change) *agent {
	a := &agent{key: key, state: session.State{
		History: c.history, Lineage: syncproto.Lineage{c.life}, Union: union, Journal: j,
		Head: syncproto.Place{Journal: j}, Budget: syncproto.MaxBatchBytes,
	}}
	for _, c := range changes {
		b := c.Encode(j)
		a.state.Head = a.state.Head.Next(b)
		a.own = append(a.own, syncproto.Placed{Place: a.state.Head, Bytes: b, Change: c})
	}
	return a
}

// request makes the one request that delivers the journal.
func (a *agent) request() (*syncpb.Request, error) {
	env := session.Env{
		Client: &syncpb.Client{Version: "cityload"}, Nonce: binary.BigEndian.AppendUint64(nil, uint64(a.state.Journal)),
		Sign: func(msg []byte) []byte { return seal.Sign(a.key, syncproto.DomainSegment, msg) },
	}
	q, sent, err := session.Ask(&a.state, a, env)
	if err != nil {
		return nil, err
	}
	if n := len(sent.Runs); len(a.own) > 0 && (n == 0 || sent.Runs[n-1].Last != a.state.Head.Seq) {
		return nil, fmt.Errorf("make request: %d changes do not fit into one", len(a.own))
	}
	return q, nil
}

// After implements [session.Journal].
func (a *agent) After(seq uint64, maxBytes, maxChanges int) ([]syncproto.Placed, error) {
	rest := a.own[seq:]
	n := 0
	for n < len(rest) && n < maxChanges && (n == 0 || len(rest[n].Bytes) <= maxBytes) {
		maxBytes -= len(rest[n].Bytes)
		n++
	}
	return rest[:n], nil
}

// Place implements [session.Journal].
func (a *agent) Place(seq uint64) (syncproto.Place, bool, error) {
	if seq == 0 || seq > uint64(len(a.own)) {
		return syncproto.Place{}, false, nil
	}
	return a.own[seq-1].Place, true, nil
}

// Verdict implements [session.Journal]: it has none.
func (a *agent) Verdict(uint64) (syncproto.Verdict, bool, error) {
	return syncproto.Verdict{}, false, nil
}

// Receipt implements [session.Journal]: it has none.
func (a *agent) Receipt(syncproto.Lineage) (syncproto.Place, error) { return syncproto.Place{}, nil }

// Stale implements [session.Keeper]: nothing of others is kept here.
func (a *agent) Stale(syncproto.Lineage) ([]session.Kept, error) { return nil, nil }

// Kept implements [session.Keeper].
func (a *agent) Kept(syncproto.Dot) (session.Kept, bool, error) { return session.Kept{}, false, nil }

// Archived implements [session.Keeper].
func (a *agent) Archived(syncproto.Position, syncproto.Lineage) ([]syncproto.Dot, error) {
	return nil, nil
}

// Certificate implements [session.Keeper].
func (a *agent) Certificate([]byte) ([]byte, error) { return nil, nil }

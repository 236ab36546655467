package gate

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/census"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// lossyLog applies entries to a ledger in memory, and fails as it is told.
type lossyLog struct {
	l         *ledger.Ledger
	leads     bool
	lose      int  // so many commits lose their answer
	persist   bool // what loses its answer is committed all the same
	confirmed int
	confirm   error
	leader    string
	queue     int
	hold      chan struct{} // commits wait for it; nil: none does
}

var errLost = syncproto.Fail(syncproto.CodeUnknownOutcome, "commit", errors.New("lost"))

// Propose implements Log.
func (f *lossyLog) Propose(_ context.Context, entry []byte) (any, error) {
	lost := f.lose > 0
	if lost {
		f.lose--
		if !f.persist {
			return nil, errLost
		}
	}
	res, err := f.l.Apply(f.l.Applied()+1, entry)
	if err == nil && lost {
		return nil, errLost
	}
	return res, err
}

// Commit implements Log.
func (f *lossyLog) Commit(ctx context.Context, item *entrypb.Item) ([]session.Outcome, error) {
	if f.hold != nil {
		<-f.hold
	}
	b, err := ledger.Entry(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{item}})
	if err != nil {
		return nil, err
	}
	res, err := f.Propose(ctx, b)
	if err != nil {
		return nil, err
	}
	return res.([][]session.Outcome)[0], nil
}

// Leads implements Log.
func (f *lossyLog) Leads() bool { return f.leads }

// LeaderID implements Log.
func (f *lossyLog) LeaderID() string { return f.leader }

// Queue implements Log.
func (f *lossyLog) Queue() int { return f.queue }

// Confirm implements Log.
func (f *lossyLog) Confirm(context.Context) error {
	f.confirmed++
	return f.confirm
}

// AddVoter implements Members.
func (f *lossyLog) AddVoter(context.Context, string, string) error { return nil }

// Describe implements Members.
func (f *lossyLog) Describe() Description { return Description{} }

// bench is a gate on a ledger in memory, and one enrolled device.
type bench struct {
	t     testing.TB
	g     *Gate
	log   *lossyLog
	agent *sessiontest.Agent
	id    []byte
}

func newBench(t testing.TB) *bench {
	t.Helper()
	own, err := trust.Init(t.TempDir(), trust.Founding{City: "t", NodeID: "n1", Rand: rand.Reader, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Config{Memory: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &bench{t: t, log: &lossyLog{l: l, leads: true}, id: make([]byte, deviceIDSize)}
	b.g, err = New(Config{
		Node: own, Ledger: l, Log: b.log, Members: b.log, Census: func() *census.Census { return nil }, Client: http.DefaultClient,
		Rand: rand.Reader, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Capacity: Capacity{Patience: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.agent = sessiontest.NewAgent("u1", 7, b.g.history)
	life := syncproto.Generation{Number: 1}
	genesis := &entrypb.Genesis{LogId: make([]byte, 16), Time: 1, Generation: &entrypb.Generation{
		Number: 1, Signature: own.City.Sign(syncproto.DomainGeneration, life.Message())}}
	for _, f := range kind.Embedded().Files() {
		genesis.Kinds = append(genesis.Kinds, &entrypb.KindFile{Name: f.Name, Yaml: f.Data})
	}
	b.apply(genesis)
	b.apply(&entrypb.Code{Time: 1, Hash: []byte("code"), Union: "u1", Expires: 9})
	b.apply(&entrypb.Enrolled{Time: 2, Hash: []byte("code"), Device: b.id, PublicKey: b.agent.Key.Public().(ed25519.PublicKey)})
	return b
}

func (b *bench) apply(m proto.Message) {
	b.t.Helper()
	e, err := ledger.Entry(m)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.log.l.Apply(b.log.l.Applied()+1, e)
	if refused, ok := res.(error); err != nil || ok {
		b.t.Fatal(err, refused)
	}
}

// exchange makes the call as the service gets it.
func (b *bench) exchange(q *syncpb.Request) (*syncpb.Response, error) {
	key := b.agent.Key.Public().(ed25519.PublicKey)
	c := caller{known: true, id: tlsid.Identity{
		Role: tlsid.RoleDevice, ID: hex.EncodeToString(b.id), Key: key, KeyID: tlsid.KeyIDOf(key)}}
	ctx := context.WithValue(b.t.Context(), callerKey{}, c)
	r, err := (&unionService{b.g}).Exchange(ctx, connect.NewRequest(q))
	if err != nil {
		return nil, err
	}
	return r.Msg, nil
}

func (b *bench) save(id byte) {
	b.agent.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{id}, Actor: "t",
		Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}})
}

// TestCommitFailsInTwoWays: whether the entry was lost or only its answer, the call ends
// well by itself, and every change is in the log exactly once.
func TestCommitFailsInTwoWays(t *testing.T) {
	for _, persist := range []bool{false, true} {
		for _, lose := range []int{1, 3} {
			b := newBench(t)
			for i := range 5 {
				b.save(byte(i + 1))
			}
			b.log.lose, b.log.persist = lose, persist
			u, err := b.agent.Sync(b.exchange)
			if err != nil || !u.Equal || b.agent.State.Receipt != b.agent.State.Head {
				t.Fatalf("persist %v, %d lost: %v", persist, lose, err)
			}
			if head := b.g.cfg.Ledger.Head().Count(); head != 5 || b.log.lose > 0 && !persist {
				t.Fatalf("persist %v, %d lost: %d changes in the log", persist, lose, head)
			}
		}
	}
}

// TestBehindTheAgent: a node whose state is older than what the agent has a receipt for
// makes certain that it leads before it answers, and else does not answer; in all other
// exchanges nobody is asked.
func TestBehindTheAgent(t *testing.T) {
	b := newBench(t)
	b.save(1)
	if _, err := b.agent.Sync(b.exchange); err != nil || b.log.confirmed != 0 {
		t.Fatalf("%v; %d confirmations of an exchange as usual", err, b.log.confirmed)
	}
	ahead := map[string]func(*syncpb.Request){
		"a cursor": func(q *syncpb.Request) { q.Cursor += 10 },
		"a receipt": func(q *syncpb.Request) {
			q.Receipt = &syncpb.Place{Seq: 9, Hash: make([]byte, syncproto.WireHashSize)}
		},
	}
	for why, change := range ahead {
		q, _, err := b.agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		change(q)
		b.log.confirmed, b.log.confirm = 0, nil
		if _, err := b.exchange(q); err != nil || b.log.confirmed != 1 {
			t.Errorf("%s ahead: %v, confirmed %d times", why, err, b.log.confirmed)
		}
		b.log.confirm = syncproto.Fail(syncproto.CodeDigest, "confirm", nil) // any that does not pass
		if _, err := b.exchange(q); err == nil {
			t.Errorf("%s ahead: answered without being certain", why)
		}
	}
}

// TestNoLeader: a call waits for a leader as long as it may, and says so then.
func TestNoLeader(t *testing.T) {
	b := newBench(t)
	b.log.leads = false
	b.g.cfg.Capacity.Patience = 2 * pause
	q, _, err := b.agent.Ask()
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.exchange(q)
	var c *connect.Error
	if !errors.As(err, &c) || c.Meta().Get("Unionsync-Code") != "514" || c.Meta().Get("Retry-After") == "" {
		t.Fatalf("%v", err)
	}
}

// TestContactsSurviveALostCommit: a note that was not committed is tried again, and never
// overtakes a newer one.
func TestContactsSurviveALostCommit(t *testing.T) {
	b := newBench(t)
	b.g.contacts.note("u1", b.id, &entrypb.Contact{Version: "old", Complete: true})
	b.log.lose = 1
	if err := b.g.flushContacts(t.Context()); err == nil {
		t.Fatal("no error")
	}
	b.g.contacts.note("u1", b.id, &entrypb.Contact{Version: "new", Complete: true})
	b.g.contacts.putBack(map[contactKey]*entrypb.Contact{{"u1", string(b.id)}: {Version: "older"}})
	if err := b.g.flushContacts(t.Context()); err != nil {
		t.Fatal(err)
	}
	states, err := b.g.unionStates()
	if err != nil || states["u1"].GetComplete() == 0 {
		t.Fatal(states, err)
	}
	var version string
	err = b.g.cfg.Ledger.Contacts(func(_ string, _ []byte, s *entrypb.ContactState) error {
		version = s.GetLast().GetVersion()
		return nil
	})
	if err != nil || version != "new" {
		t.Fatalf("%q %v", version, err)
	}
	b.g.contacts.note("u1", b.id, &entrypb.Contact{Version: "lead is over"})
	b.log.leads = false
	if err := b.g.flushContacts(t.Context()); err != nil || len(b.g.contacts.take()) != 0 {
		t.Fatal("notes of a lead that is over are kept", err)
	}
}

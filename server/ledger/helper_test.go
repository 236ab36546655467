package ledger

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/seal"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

var (
	testKey     = &[32]byte{1, 2, 3}
	testHistory = []byte("history1")
	nodeKey     = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	testSigner  = session.Signer{ID: publicKey(nodeKey), Sign: func(domain string, msg []byte) []byte {
		return seal.Sign(nodeKey, domain, msg)
	}}
)

// publicKey is by what sessiontest knows a signer.
func publicKey(k ed25519.PrivateKey) []byte { return k.Public().(ed25519.PublicKey) }

// node is one replica under test: entries get their raft index here.
type node struct {
	t     testing.TB
	l     *Ledger
	index uint64
	log   [][]byte // all entries, for replay on another replica
}

func newNode(t testing.TB, cfg Config) *node {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, l: l}
	t.Cleanup(func() {
		if err := n.l.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// begun is a node whose centre has begun.
func begun(t testing.TB, cfg Config) *node {
	n := newNode(t, cfg)
	n.apply(genesis())
	return n
}

func genesis() *entrypb.Genesis { return genesisWithout("") }

// genesisWithout begins a centre whose kind files lack a kind.
func genesisWithout(name string) *entrypb.Genesis {
	g := &entrypb.Genesis{
		LogId: []byte("log id 0123456789"), Time: 1000, Ca: []byte("ca"),
		Generation: &entrypb.Generation{Number: 1, Random: 77, Operator: "test", Reason: "first start"},
	}
	for _, f := range kind.Embedded().Files() {
		if f.Name != name+".yaml" {
			g.Kinds = append(g.Kinds, &entrypb.KindFile{Name: f.Name, Yaml: f.Data})
		}
	}
	return g
}

// apply encodes a payload as an entry and applies it.
func (n *node) apply(m proto.Message) any {
	n.t.Helper()
	b, err := Entry(m)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.raw(b)
}

func (n *node) raw(b []byte) any {
	n.t.Helper()
	n.index++
	n.log = append(n.log, b)
	res, err := n.l.Apply(n.index, b)
	if err != nil {
		n.t.Fatal(err)
	}
	return res
}

// exchange plays gate and raft: it applies a request's segments as one batch and answers.
func (n *node) exchange(union string, device []byte) func(*syncpb.Request) (*syncpb.Response, error) {
	return func(q *syncpb.Request) (*syncpb.Response, error) {
		segments, refused, err := session.Read(q)
		if err != nil {
			return nil, err
		}
		item := &entrypb.Item{Union: union, Device: device, Contact: &entrypb.Contact{Complete: true}}
		for i, s := range segments {
			if refused[i] == 0 {
				item.Segments = append(item.Segments, toEntry(s))
			}
		}
		res := n.apply(&entrypb.Batch{Time: 2000, Items: []*entrypb.Item{item}})
		v := n.l.View(union)
		defer v.Done()
		r, err := session.Answer(q, res.([][]session.Outcome)[0], v, testSigner)
		if err != nil {
			return nil, err
		}
		r.History = testHistory
		return r, nil
	}
}

func toEntry(s *session.Segment) *entrypb.Segment {
	m := &entrypb.Segment{Journal: uint64(s.Journal), First: s.First, Previous: s.Previous, Changes: s.Changes, Signature: s.Sign, Signer: s.Signer}
	for i := range s.Changes {
		if g, ok := s.Gaps[i]; ok {
			m.Gaps = append(m.Gaps, &entrypb.Gap{Index: uint32(i), Hash: g.Hash[:], Erased: g.Erased})
		}
	}
	return m
}

// dump gives the whole state as bytes, for comparing replicas.
func (n *node) dump() []byte {
	n.t.Helper()
	s, err := n.l.Snapshot()
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Release()
	var b bytes.Buffer
	if err := s.Stream(&b); err != nil {
		n.t.Fatal(err)
	}
	return b.Bytes()
}

// memberFields names fields of kind member as the tests use them.
func memberField(t testing.TB, name string) syncproto.FieldNumber {
	t.Helper()
	k, ok := kind.Embedded().Kind("member")
	if !ok {
		t.Fatal("no kind member")
	}
	f, ok := k.Field(name)
	if !ok {
		t.Fatalf("kind member has no field %s", name)
	}
	return f.Number
}

func outcomes(res any) [][]session.Outcome { return res.([][]session.Outcome) }

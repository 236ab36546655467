package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/seal"
	"unionsync/server/census"
	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// replicas is how many ledgers are fed the same entries: their states must be equal.
const replicas = 2

// centre is the city's centre: one gate over replicas of the ledger, without raft.
type centre struct {
	w       *world
	node    *trust.Node
	nodes   [replicas]*ledger.Ledger
	index   uint64
	gate    *gate.Gate
	count   *counting
	lives   int // of the centre, this one included
	archive archive
	waiting []*waiting // on its way into the log
	bytes   io.Reader  // of all gates, one after the other: no life has the bits of another
}

// newCentre founds the city.
func newCentre(w *world) (*centre, error) {
	dir := filepath.Join(w.dir, "node")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("found city: %w", err)
	}
	node, err := trust.Init(dir, trust.Founding{City: "永康", NodeID: "n1", Rand: source(w.o.Seed, "trust"), Now: w.now})
	if err != nil {
		return nil, fmt.Errorf("found city: %w", err)
	}
	c := &centre{w: w, node: node, bytes: source(w.o.Seed, "gate")}
	w.centre = c
	if err := c.openLedgers(); err != nil {
		return nil, err
	}
	return c, c.found()
}

func (c *centre) openLedgers() error {
	for i := range c.nodes {
		l, err := ledger.Open(ledger.Config{Memory: true, Log: discard})
		if err != nil {
			return fmt.Errorf("open ledger: %w", err)
		}
		c.nodes[i] = l
	}
	return c.openGate()
}

var discard = slog.New(slog.DiscardHandler)

func (c *centre) openGate() (err error) {
	c.gate, err = gate.New(gate.Config{
		Node: c.node, Ledger: c.nodes[0], Log: c, Members: c, Client: http.DefaultClient, Rand: c.bytes,
		Census: func() *census.Census { return nil }, Now: c.w.clock, Logger: discard,
	})
	return err
}

// found makes the first entry of the centre.
func (c *centre) found() error {
	g := syncproto.Generation{Number: 1, Random: roll(c.w.o.Seed, "generation").Uint64(), Operator: "op", Reason: "first start"}
	first := c.entryOf(g)
	e := &entrypb.Genesis{
		LogId: []byte("sim log id 00001"), Time: c.w.now.Unix(), Ca: c.node.City.Certificate().Raw, Sealed: c.node.City.Sealed(),
		Generation: first,
	}
	for _, f := range c.w.kinds.Files() {
		e.Kinds = append(e.Kinds, &entrypb.KindFile{Name: f.Name, Yaml: f.Data, Version: f.Version})
	}
	if err := c.apply(e); err != nil {
		return err
	}
	err := c.apply(&entrypb.Node{Time: c.w.now.Unix(), Id: "n1", RaftAddress: "n1:1", ApiAddress: "https://n1:2", Certificate: c.node.Own.Cert.Raw})
	return err
}

// apply puts one entry into all replicas.
func (c *centre) apply(m proto.Message) error {
	b, err := ledger.Entry(m)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	_, err = c.Propose(context.Background(), b)
	return err
}

// Propose implements gate.Log.
func (c *centre) Propose(_ context.Context, entry []byte) (first any, err error) {
	c.index++
	if c.w.city != nil {
		c.w.city.streamed(c.index, entry)
	}
	before := c.head()
	for i, l := range c.nodes {
		res, err := l.Apply(c.index, entry)
		if err != nil {
			return nil, fmt.Errorf("apply on replica %d: %w", i, err)
		}
		if i == 0 {
			first = res
		}
	}
	if refused, ok := first.(*syncproto.Error); ok && refused != nil {
		return nil, refused
	}
	if err := c.logLives(); err != nil {
		return nil, err
	}
	return first, c.w.oracle.logged(c.w, before)
}

// holdNote marks the changes that the centre of this world holds, as it would a value that
// does not fit. The same change is held again after a restore.
const holdNote = "hold"

func (c *centre) hold(s *entrypb.Segment) {
	for i, b := range s.GetChanges() {
		ch, err := syncproto.DecodeChange(b, syncproto.JournalID(s.GetJournal()))
		if err != nil || ch.Note != holdNote {
			continue
		}
		if len(s.Held) == 0 {
			s.Held = make([]byte, len(s.GetChanges()))
		}
		s.Held[i] = byte(syncproto.HeldValue)
	}
}

// Leads implements gate.Log.
func (c *centre) Leads() bool { return true }

// LeaderID implements gate.Log.
func (c *centre) LeaderID() string { return "n1" }

// Queue implements gate.Log: each entry is applied at once.
func (c *centre) Queue() int { return 0 }

// Confirm implements gate.Log.
func (c *centre) Confirm(context.Context) error { return nil }

// AddVoter implements gate.Members.
func (c *centre) AddVoter(context.Context, string, string) error { return nil }

// Describe implements gate.Members.
func (c *centre) Describe() gate.Description { return gate.Description{} }

// answer answers a device's request.
func (c *centre) answer(p *pc, q *syncpb.Request) (*syncpb.Response, error) {
	return c.gate.Answer(context.Background(), gate.Device{ID: p.id, Key: p.keyID, Certificate: p.cert}, q)
}

// enrol gives a device the right to a union.
func (c *centre) enrol(p *pc, union string) error {
	hash := []byte(fmt.Sprint("code ", p.name, " ", union, " of the sim, 32 bytes"))[:32]
	now := c.w.now.Unix()
	if err := c.apply(&entrypb.Code{Time: now, Hash: hash, Union: union, Expires: now + 60}); err != nil {
		return err
	}
	err := c.apply(&entrypb.Enrolled{Time: now, Hash: hash, Device: p.id, PublicKey: p.public(), Certificate: p.cert})
	return err
}

// signReceiptKey verifies what receipts say.
func (c *centre) verifyReceipt(r *syncpb.Receipt, msg []byte) error {
	id, err := c.node.Own.Identity()
	if err != nil {
		return err
	}
	if !bytes.Equal(r.GetSigner(), id.KeyID[:]) {
		return fmt.Errorf("signed by %x", r.GetSigner())
	}
	return seal.Verify(id.Key, syncproto.DomainReceipt, msg, r.GetSignature())
}

// snapshot gives a replica's whole state.
func (c *centre) snapshot(i int, w io.Writer) error {
	s, err := c.nodes[i].Snapshot()
	if err != nil {
		return err
	}
	defer s.Release()
	return s.Stream(w)
}

func (c *centre) close() (err error) {
	if c.count != nil {
		c.count.stop()
	}
	for _, l := range c.nodes {
		if l != nil {
			if e := l.Close(); e != nil {
				err = e
			}
		}
	}
	return err
}

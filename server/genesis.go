package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// lead is what this node does when it begins to lead: it founds the centre if there is
// none, and notes its own addresses, also for raft: a node that leads from a new address was
// elected without the others knowing it. ctx ends with the lead.
func (n *Node) lead(ctx context.Context, term uint64) {
	err := func() error {
		if !n.ledger.Ready() {
			if err := n.found(ctx); err != nil {
				return err
			}
		}
		return n.gate.ListSelf(ctx, n.cluster.Address(), n.url)
	}()
	if err != nil && ctx.Err() == nil {
		n.opt.Log.Error("lead begun badly", "term", term, "error", err)
	}
}

// bootstrap makes this node the first member, on the founder's first start only: a founder
// whose log was removed must not make a second centre of the same city.
func (n *Node) bootstrap() error {
	c := n.opt.Config
	if !c.Founder || n.ledger.Ready() || n.ledger.Applied() > 0 {
		return nil
	}
	err := n.cluster.Bootstrap()
	if syncproto.CodeOf(err) == syncproto.CodeBootstrapped {
		return nil // an earlier start got as far as this
	}
	return err
}

// founded takes the mark of the founder away once the centre stands.
func (n *Node) founded() error {
	c, err := LoadConfig(n.opt.Dir, func(string) string { return "" }, nil)
	if err != nil || !c.Founder {
		return err
	}
	c.Founder = false
	return c.save(n.opt.Dir)
}

// found proposes the first entry of the centre.
func (n *Node) found(ctx context.Context) error {
	g, err := genesis(n.trust, n.opt.World.Rand, n.opt.World.Now())
	if err != nil {
		return err
	}
	g.LogId = n.logID
	b, err := ledger.Entry(g)
	if err != nil {
		return err
	}
	res, _, err := n.cluster.Propose(ctx, b)
	if refused, ok := res.(error); ok && err == nil {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("found centre: %w", err)
	}
	n.opt.Log.Info("centre founded", "city", n.trust.City.Fingerprint().String())
	return nil
}

// genesis makes the first entry: who the city is, its first generation, and the kind files
// that this program was built with, all signed by the CA.
func genesis(t *trust.Node, rand io.Reader, now time.Time) (*entrypb.Genesis, error) {
	random := make([]byte, 16+8)
	if _, err := io.ReadFull(rand, random); err != nil {
		return nil, fmt.Errorf("draw log id: %w", err)
	}
	recipient, err := seal.Recipient(t.City.EscrowKey())
	if err != nil {
		return nil, fmt.Errorf("found centre: %w", err)
	}
	gen := syncproto.Generation{Number: 1, Random: binary.BigEndian.Uint64(random[16:]), Operator: t.ID(), Reason: "founded"}
	g := &entrypb.Genesis{
		LogId: random[:16], Time: now.Unix(), Ca: t.Own.CA.Raw, Sealed: t.City.Sealed(),
		CityRecipient: recipient,
		Generation: &entrypb.Generation{
			Number: uint32(gen.Number), Random: gen.Random, Base: uint64(gen.Base), Operator: gen.Operator, Reason: gen.Reason,
			Signature: t.City.Sign(syncproto.DomainGeneration, gen.Message()),
		},
	}
	for _, f := range kind.Embedded().Files() {
		g.Kinds = append(g.Kinds, &entrypb.KindFile{
			Name: f.Name, Yaml: f.Data, Version: f.Version,
			Signature: t.City.Sign(syncproto.DomainKindFile, syncproto.KindFileMessage(f.Name, f.Version, f.Data)),
		})
	}
	if len(g.Kinds) == 0 {
		return nil, errors.New("found centre: the program has no kind files")
	}
	return g, nil
}

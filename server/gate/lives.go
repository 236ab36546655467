package gate

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// lives gives the lives of the centre that are known after what a request hands back, and
// whether the request is a stranger's: of a life that was not known when it came. Entries
// of the city that the centre lacks begin a further life: what this state and those lives
// have both kept is its base.
func (g *Gate) lives(ctx context.Context, q *syncpb.Request) (lives syncproto.Lineage, stranger bool, err error) {
	if lives, err = g.cfg.Ledger.Lineage(); err != nil {
		return nil, false, err
	}
	stranger = !isKnown(lives, q)
	learned := g.unknownLives(lives, q)
	if len(learned) == 0 {
		return lives, stranger, nil
	}
	others := make([]syncproto.Generation, len(learned))
	for i, e := range learned {
		others[i] = ledger.Generation(e)
	}
	next := syncproto.Generation{
		Base: lives.Beside(g.cfg.Ledger.Head(), others...), Operator: g.cfg.Node.ID(), Reason: reasonLearned,
	}
	err = g.begin(ctx, next, learned)
	switch syncproto.CodeOf(err) {
	case syncproto.CodeArchiveTarget:
		// An operator's worry, whom the log and the archive's status tell; the agent comes again.
		g.cfg.Logger.Error("a life that an agent knows of cannot begin: the archive does not take it", "error", err)
		return nil, false, syncproto.Fail(syncproto.CodeBusy, "learn lives of the centre", err, argSeconds, busySeconds)
	case syncproto.CodeGenerationNumber:
	default:
		if err != nil {
			return nil, false, err
		}
	}
	// Refused because of its number: another request brought the same a moment before.
	if lives, err = g.cfg.Ledger.Lineage(); err != nil {
		return nil, false, err
	}
	if len(g.unknownLives(lives, q)) > 0 {
		return nil, false, syncproto.Fail(syncproto.CodeBusy, "learn lives of the centre", nil, argSeconds, busySeconds)
	}
	return lives, true, nil
}

// reasonLearned stands in the entry of a life that was begun because an agent knew of one.
const reasonLearned = "learned of another life from an agent"

// unknownLives gives the entries that a request hands back, that the CA signed and that are
// not in lives.
func (g *Gate) unknownLives(lives syncproto.Lineage, q *syncpb.Request) (learned []*entrypb.Generation) {
	for _, m := range q.GetReturned() {
		r := m.GetGeneration()
		if r.GetNumber() == 0 || r.GetNumber() >= math.MaxUint16 {
			continue
		}
		e := &entrypb.Generation{
			Number: r.GetNumber(), Random: r.GetRandom(), Base: r.GetBase(), Operator: r.GetOperator(),
			Reason: r.GetReason(), Signature: r.GetSignature(),
		}
		gen := ledger.Generation(e)
		if seal.Verify(g.cfg.Node.City.Certificate().PublicKey.(ed25519.PublicKey), syncproto.DomainGeneration, gen.Message(), e.GetSignature()) != nil {
			continue
		}
		var fresh bool
		if lives, fresh = lives.With(gen); fresh {
			learned = append(learned, e)
		}
	}
	return learned
}

// begin begins another life of the centre: its number is one above every number known here or
// to the archive, which gets the entry before anybody can hear of it.
func (g *Gate) begin(ctx context.Context, next syncproto.Generation, learned []*entrypb.Generation) error {
	own, err := g.cfg.Ledger.Lineage()
	if err != nil {
		return err
	}
	kept, err := g.keptLives(ctx)
	if err != nil {
		return err
	}
	all, learned := withLives(own, learned, kept)
	newest := all.Newest().Number
	if newest == math.MaxUint16 {
		return fmt.Errorf("begin generation: %w", errors.New("no number is left"))
	}
	random := make([]byte, 8)
	if _, err := io.ReadFull(g.cfg.Rand, random); err != nil {
		return fmt.Errorf("begin generation: %w", err)
	}
	next.Number, next.Random = newest+1, binary.BigEndian.Uint64(random)
	next.Base = min(next.Base, own.Certain(g.cfg.Ledger.Head(), all))
	entry := &entrypb.Generation{
		Number: uint32(next.Number), Random: next.Random, Base: uint64(next.Base), Operator: next.Operator, Reason: next.Reason,
		Signature: g.cfg.Node.City.Sign(syncproto.DomainGeneration, next.Message()),
	}
	if g.cfg.Archive != nil {
		if err := g.cfg.Archive.KeepLife(ctx, entry); err != nil {
			return err
		}
	}
	if _, err = g.propose(ctx, &entrypb.NewGeneration{Time: g.now(), Learned: learned, Next: entry}); err != nil {
		return err
	}
	g.cfg.Logger.Warn("generation begun", "number", next.Number, "base", next.Base.String(), "learned", len(learned))
	return nil
}

// keptLives gives the lives that the archive knows; none where no archive is kept.
func (g *Gate) keptLives(ctx context.Context) ([]*entrypb.Generation, error) {
	if g.cfg.Archive == nil {
		return nil, nil
	}
	return g.cfg.Archive.EveryLife(ctx)
}

// withLives gives all lives of own and lists, and the entries of those that own lacks.
func withLives(own syncproto.Lineage, lists ...[]*entrypb.Generation) (all syncproto.Lineage, learned []*entrypb.Generation) {
	all = own
	for _, list := range lists {
		for _, e := range list {
			var fresh bool
			if all, fresh = all.With(ledger.Generation(e)); fresh {
				learned = append(learned, e)
			}
		}
	}
	return all, learned
}

// isKnown reports whether a request's generation is in lives. An agent that names none knows
// none, which is older than all.
func isKnown(lives syncproto.Lineage, q *syncpb.Request) bool {
	ref := q.GetGeneration()
	if ref.GetNumber() == 0 {
		return true
	}
	_, ok := lives.Find(uint16(min(ref.GetNumber(), math.MaxUint16)), ref.GetRandom())
	return ok
}

func isNewest(lives syncproto.Lineage, q *syncpb.Request) bool {
	newest, ref := lives.Newest(), q.GetGeneration()
	return ref.GetNumber() == uint32(newest.Number) && ref.GetRandom() == newest.Random
}

// answerLives is all that an agent of a life gets that the centre does not know: the lives
// that it does know. The agent hands back those that are missing here.
func (g *Gate) answerLives(q *syncpb.Request) (*syncpb.Response, error) {
	r := &syncpb.Response{History: g.history, Nonce: q.GetNonce()}
	return r, g.fillLives(q, r)
}

// fillLives says in which life this is answered and gives, to an agent of another one, the
// entries of all.
func (g *Gate) fillLives(q *syncpb.Request, r *syncpb.Response) error {
	all, err := g.cfg.Ledger.Generations()
	if err != nil {
		return err
	}
	own, err := g.cfg.Ledger.Generation()
	if err != nil {
		return err
	}
	r.Generation = generationRef(own)
	if ref := q.GetGeneration(); ref.GetNumber() == own.GetNumber() && ref.GetRandom() == own.GetRandom() {
		return nil
	}
	for _, e := range all {
		r.Generations = append(r.Generations, &syncpb.Generation{
			Number: e.GetNumber(), Random: e.GetRandom(), Base: e.GetBase(),
			Operator: e.GetOperator(), Reason: e.GetReason(), Signature: e.GetSignature(),
		})
	}
	return nil
}

package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
)

// preparing takes a request's segments from what came to what is proposed. A segment that
// is refused gets its code; the others are not touched by that.
type preparing struct {
	g        *Gate
	device   device
	key      ed25519.PublicKey
	union    string
	refused  map[int]syncproto.Code
	outcomes []session.Outcome  // by segment; those to be proposed are filled by commit
	proposed []*entrypb.Segment // ready for the log
	index    []int              // of each proposed one in outcomes
	ends     []syncproto.Place  // the last place of each proposed one

	lives     syncproto.Lineage           // that the centre knows
	old       bool                        // the request is of an older life: nothing new is taken
	certified map[string][]tlsid.Identity // by signer: of certificates that were handed back
}

// prepare checks every segment against one view of the state.
func (p *preparing) prepare(segments []*session.Segment) error {
	v := p.g.cfg.Ledger.View(p.union)
	defer v.Done()
	kinds := p.g.cfg.Ledger.Versions()
	p.outcomes = make([]session.Outcome, len(segments))
	for i, s := range segments {
		code := p.refused[i]
		if code == 0 {
			var err error
			if code, err = p.segment(v, kinds, i, s); err != nil {
				return fmt.Errorf("prepare segment %d: %w", i, err)
			}
		}
		if p.outcomes[i].Refused = code; code != 0 && s != nil { // nil: it could not be read
			p.g.cfg.Meter.Refused(len(s.Changes))
		}
	}
	return nil
}

// segment checks one: the place before it, its signature, its values.
func (p *preparing) segment(v *ledger.View, kinds *kind.Versions, i int, s *session.Segment) (syncproto.Code, error) {
	previous := syncproto.Place{Journal: s.Journal}
	if s.First > 1 {
		found, _, ok, err := v.Find(s.Journal, s.First-1, s.Previous)
		if err != nil {
			return 0, err
		}
		if !ok && p.old {
			return syncproto.CodeGeneration, nil
		}
		if !ok {
			found, ok = p.before(s)
		}
		if !ok {
			return syncproto.CodeUnknownPrevious, nil
		}
		previous = found
	}
	places := s.Places(previous)
	known, err := p.stored(v, i, s, places)
	if err != nil || known {
		return 0, err
	}
	if p.old {
		return syncproto.CodeGeneration, nil
	}
	asHeld, code, err := p.signed(s, places[len(places)-1])
	if err != nil || code != 0 {
		return code, err
	}
	held := heldReasons(kinds, s)
	if asHeld {
		held = bytes.Repeat([]byte{byte(syncproto.HeldRevoked)}, len(s.Changes))
	}
	p.proposed = append(p.proposed, entryOf(s, held))
	p.index = append(p.index, i)
	p.ends = append(p.ends, places[len(places)-1])
	return 0, nil
}

// before finds the place before a segment at the end of one that stands before it in the same
// request: a refill brings the changes of several PCs in their old order, by turns. Apply
// enters them in this order, and refuses the latter should it have refused the former.
func (p *preparing) before(s *session.Segment) (syncproto.Place, bool) {
	for _, end := range p.ends {
		if end.Journal == s.Journal && end.Seq == s.First-1 && bytes.Equal(end.Hash.Wire(), s.Previous) {
			return end, true
		}
	}
	return syncproto.Place{}, false
}

// stored answers a segment that is here already with its stored verdicts: a lost answer
// costs no log entry. The chain makes one look at the last place enough.
func (p *preparing) stored(v *ledger.View, i int, s *session.Segment, places []syncproto.Place) (bool, error) {
	last := places[len(places)-1]
	if found, _, ok, err := v.Find(s.Journal, last.Seq, last.Hash.Wire()); err != nil || !ok || found != last {
		return false, err
	}
	o := session.Outcome{Last: last}
	for k, place := range places {
		_, verdict, ok, err := v.Find(s.Journal, place.Seq, place.Hash.Wire())
		if err != nil || !ok {
			return false, err
		}
		var key syncproto.RecordKey
		if c, err := syncproto.DecodeChange(s.Changes[k], s.Journal); err == nil {
			key = c.Key()
		}
		o.Verdicts, o.Keys = append(o.Verdicts, verdict), append(o.Keys, key)
	}
	p.outcomes[i] = o
	return true, nil
}

// signed checks the signature over the segment's last place. Whoever sends may hand on what
// another device of the union signed, or a node. What staff changed only a node may sign:
// the name of that journal is no secret. AsHeld tells that a node signed for it as what was
// held because its device was revoked: it is held again, whether or not the revocation has
// come back already, and whose it is.
func (p *preparing) signed(s *session.Segment, last syncproto.Place) (asHeld bool, code syncproto.Code, err error) {
	keys, more := []signer{{key: p.key}}, false
	if len(s.Signer) > 0 && !bytes.Equal(s.Signer, p.device.id) {
		if keys, more, err = p.signerKeys(s.Signer); err != nil {
			return false, 0, err
		}
	}
	staff, msg := ledger.IsStaffJournal(p.lives, p.union, s.Journal), syncproto.SegmentMessage(p.union, last)
	for _, by := range keys {
		if (by.node || !staff) && seal.Verify(by.key, syncproto.DomainSegment, msg, s.Sign) == nil {
			return false, 0, nil
		}
		if by.node && seal.Verify(by.key, syncproto.DomainHeldSegment, msg, s.Sign) == nil {
			return true, 0, nil
		}
	}
	if more { // the agent hands the signer's certificate back, and tries again
		return false, syncproto.CodeSignerUnknown, nil
	}
	return false, syncproto.CodeSignature, nil
}

// commit puts what was prepared into the log and takes the verdicts.
func (p *preparing) commit(ctx context.Context) error {
	if len(p.proposed) == 0 {
		return nil
	}
	got, err := p.g.cfg.Log.Commit(ctx, &entrypb.Item{Union: p.union, Device: p.device.id, Segments: p.proposed})
	if err != nil {
		return err
	}
	if len(got) != len(p.proposed) {
		return fmt.Errorf("commit: %d outcomes for %d segments", len(got), len(p.proposed))
	}
	for k, o := range got {
		p.outcomes[p.index[k]] = o
		p.g.cfg.Meter.Decided(o.Verdicts)
		if o.Refused != 0 {
			p.g.cfg.Meter.Refused(len(p.proposed[k].GetChanges()))
		}
	}
	return nil
}

func entryOf(s *session.Segment, held []byte) *entrypb.Segment {
	e := &entrypb.Segment{
		Journal: uint64(s.Journal), First: s.First, Previous: s.Previous, Changes: s.Changes,
		Signature: s.Sign, Signer: s.Signer, Held: held,
	}
	for i := range s.Changes {
		if gap, ok := s.Gaps[i]; ok {
			e.Gaps = append(e.Gaps, &entrypb.Gap{Index: uint32(i), Hash: gap.Hash[:], Erased: gap.Erased})
		}
	}
	return e
}

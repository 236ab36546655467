package session

import (
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// packVerdicts puts the verdicts on one segment into their short form.
func packVerdicts(segment int, all []syncproto.Verdict) *syncpb.Verdicts {
	v := &syncpb.Verdicts{Segment: uint32(segment)}
	plain := true
	for i, x := range all {
		if i == 0 {
			v.Position = uint64(x.Position)
		} else {
			v.Steps = append(v.Steps, int64(x.Position-all[i-1].Position))
		}
		v.Kinds = append(v.Kinds, byte(x.Kind)|byte(x.Reason)<<4)
		v.Hashes = append(v.Hashes, x.Hash[:]...)
		plain = plain && x.Kind == syncproto.VerdictApplied
	}
	if plain {
		v.Kinds = nil
	}
	if !slices.ContainsFunc(v.Steps, func(s int64) bool { return s != 1 }) {
		v.Steps = nil
	}
	return v
}

// unpackVerdicts reads the short form; it refuses what is not one verdict for each of the
// n changes sent.
func unpackVerdicts(v *syncpb.Verdicts, n int) ([]syncproto.Verdict, error) {
	h := v.GetHashes()
	if n == 0 || len(h) != n*syncproto.RecordHashSize {
		return nil, fmt.Errorf("%d bytes of hashes for %d changes", len(h), n)
	}
	if k := len(v.GetKinds()); k != 0 && k != n {
		return nil, fmt.Errorf("%d kinds for %d changes", k, n)
	}
	if k := len(v.GetSteps()); k != 0 && k != n-1 {
		return nil, fmt.Errorf("%d steps for %d changes", k, n)
	}
	out := make([]syncproto.Verdict, n)
	pos := syncproto.Position(v.GetPosition())
	for i := range out {
		if i > 0 {
			step := int64(1)
			if len(v.GetSteps()) > 0 {
				step = v.GetSteps()[i-1]
			}
			pos += syncproto.Position(step)
		}
		out[i] = syncproto.Verdict{Position: pos, Kind: syncproto.VerdictApplied}
		if len(v.GetKinds()) > 0 {
			k := v.GetKinds()[i]
			out[i].Kind, out[i].Reason = syncproto.VerdictKind(k&0x0f), syncproto.HeldReason(k>>4)
		}
		if out[i].Kind == syncproto.VerdictNone || out[i].Kind > syncproto.VerdictDropped || pos == 0 {
			return nil, fmt.Errorf("verdict %d is of kind %d at %s", i, out[i].Kind, pos)
		}
		copy(out[i].Hash[:], h[i*syncproto.RecordHashSize:])
	}
	return out, nil
}

package union

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// livesBucket holds the lives of the centre: number (2), random (8) → the entry as it
// travels, with the CA's signature.
const livesBucket = "generations"

// loadLineage reads the lives of the centre that are known here. While none is, the lineage
// is one life that no centre knows: the first answer then tells all of them.
func (u *Union) loadLineage() error {
	var all []syncproto.Generation
	err := u.EachFact(livesBucket, func(_, value []byte) error {
		g := &syncpb.Generation{}
		if err := proto.Unmarshal(value, g); err != nil {
			return err
		}
		all = append(all, syncproto.Generation{
			Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase()),
			Operator: g.GetOperator(), Reason: g.GetReason(), Signature: g.GetSignature(),
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read lives of the centre: %w", err)
	}
	if len(all) == 0 {
		all = append(all, syncproto.Generation{})
	}
	l, _ := syncproto.Lineage{}.With(all...)
	u.lives.Store(&l)
	return nil
}

// lineage gives every life of the centre that is known here. It must not be changed.
func (u *Union) lineage() syncproto.Lineage { return *u.lives.Load() }

// holds reports whether the newest life of the centre has position p; while none is known,
// nothing says that it has not.
func holds(l syncproto.Lineage, p syncproto.Position) bool {
	return l.Newest().Number == 0 || l.Holds(p)
}

// lifeFacts are a lineage as it is kept. The life that stood for none is left out.
func lifeFacts(l syncproto.Lineage) ([]Fact, error) {
	var out []Fact
	for _, g := range l {
		if g.Number == 0 {
			continue
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(session.WireLife(g))
		if err != nil {
			return nil, fmt.Errorf("keep life of the centre: %w", err)
		}
		key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, g.Number), g.Random)
		out = append(out, Fact{Bucket: livesBucket, Key: key, Value: b})
	}
	return out, nil
}

// standing gives the newest own change at or below seq before which no verdict was lost with
// an earlier life of the centre.
func (u *Union) standing(seq uint64) (uint64, error) {
	l := u.lineage()
	if len(l) <= 1 {
		return seq, nil
	}
	to := seq
	err := u.j.Verdicts(1, seq, func(n uint64, v syncproto.Verdict) error {
		if !holds(l, v.Position) {
			to = n - 1
			return errEnough
		}
		return nil
	})
	return to, ignoreEnough(err)
}

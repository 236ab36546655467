package gate

import (
	"encoding/binary"
	"hash/fnv"

	"unionsync/internal/rpc/wire"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto/syncpb"
)

const minutesPerDay = 24 * 60

// fill adds to an answer what is not of the union's records.
func (g *Gate) fill(q *syncpb.Request, r *syncpb.Response) error {
	r.History = g.history
	r.Time = g.now()
	r.Slot = g.slot(q.GetUnion())
	if err := g.fillLives(q, r); err != nil {
		return err
	}
	addresses, err := g.addresses()
	if err != nil {
		return err
	}
	if wire.AddressesHash(addresses) != q.GetClient().GetAddresses() {
		r.Addresses = addresses
	}
	if wire.RecipientHash(g.bundles) != q.GetClient().GetRecipient() {
		r.Recipient = g.bundles
	}
	return g.fillKinds(q, r)
}

// now is the centre's time for people and for entries, never before what the log has.
func (g *Gate) now() int64 { return max(g.cfg.Now().Unix(), g.cfg.Ledger.Time()) }

// slot spreads the unions over the night by a hash of their codes: the same union always
// comes at the same minute, and none has to be told apart in a list.
func (g *Gate) slot(union string) *syncpb.Slot {
	w := g.cfg.Window
	length := (w.End - w.Start + minutesPerDay) % minutesPerDay
	if length == 0 {
		length = minutesPerDay
	}
	h := fnv.New32a()
	h.Write([]byte(union))
	sum := binary.BigEndian.Uint32(h.Sum(nil))
	minute := (w.Start + int(sum%uint32(length))) % minutesPerDay
	return &syncpb.Slot{Minute: uint32(minute), WindowStart: uint32(w.Start), WindowEnd: uint32(w.End)}
}

// addresses are the URLs of all nodes, in the order of their names.
func (g *Gate) addresses() ([]string, error) {
	nodes, err := g.cfg.Ledger.Nodes()
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, n.GetApiAddress())
	}
	return out, nil
}

func generationRef(g *entrypb.Generation) *syncpb.GenerationRef {
	return &syncpb.GenerationRef{Number: g.GetNumber(), Random: g.GetRandom()}
}

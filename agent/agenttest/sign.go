package agenttest

import (
	"crypto/ed25519"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// signLives signs the lives that a restore began.
func (c *Centre) signLives(r *syncpb.Response) {
	for _, g := range r.GetGenerations() {
		g.Signature = c.life(syncproto.Generation{
			Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase()),
			Operator: g.GetOperator(), Reason: g.GetReason(),
		}).Signature
	}
}

// signLog puts the node's signature in place of everybody's: this centre asks nobody for a
// certificate before it takes what they send.
func (c *Centre) signLog(union string, p *syncpb.Page) {
	last := map[uint64]syncproto.Place{}
	for _, m := range p.GetLog() {
		at := last[m.GetJournal()]
		if len(m.GetPrevious()) == len(at.Hash) {
			at = syncproto.Place{Seq: m.GetSeq() - 1, Hash: syncproto.Hash(m.GetPrevious())}
		}
		at.Journal = syncproto.JournalID(m.GetJournal())
		if len(m.GetChange()) > 0 {
			at = at.Next(m.GetChange())
		} else {
			at = syncproto.Place{Journal: at.Journal, Seq: m.GetSeq(), Hash: syncproto.Hash(m.GetHash())}
		}
		last[m.GetJournal()] = at
		if len(m.GetSignature()) > 0 {
			m.Signature = seal.Sign(c.Own.Key, syncproto.DomainSegment, syncproto.SegmentMessage(union, at))
			m.Signer = []byte(c.node())
		}
	}
	if len(p.GetLog()) > 0 {
		p.Certificates = [][]byte{c.Own.Cert.Raw}
	}
}

// signedByNode names the node in what comes back by its key, as the centre of a union knows
// signers.
func (c *Centre) signedByNode(q *syncpb.Request) {
	for _, s := range q.GetBatch() {
		if string(s.GetSigner()) == c.node() {
			s.Signer = c.Own.Key.Public().(ed25519.PublicKey)
		}
	}
}

func (c *Centre) node() string {
	id, err := tlsid.Parse(c.Own.Cert)
	if err != nil {
		return ""
	}
	return id.ID
}

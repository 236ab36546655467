package union

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// revokedBucket keeps the revocations that this PC heard of: device → number (2) and random
// bits (8) of the life of the centre that is known to have it, then the message. A centre
// that was restored may have forgotten one, so it is handed back in each new life.
const revokedBucket = "revoked"

// maxHandBack bounds how many revocations go with one request.
const maxHandBack = 200

// handBack adds to a request the revocations that the life which it names may lack.
func (x *exchange) handBack(q *syncpb.Request) error {
	x.handed = nil
	err := x.u.EachFact(revokedBucket, func(device, v []byte) error {
		if len(v) < lifeSize {
			return errFact
		}
		if bytes.Equal(v[:lifeSize], lifeBytes(q.GetGeneration())) || len(x.handed) >= maxHandBack {
			return nil
		}
		m := new(syncpb.Revocation)
		if err := proto.Unmarshal(v[lifeSize:], m); err != nil {
			return fmt.Errorf("%w: %w", errFact, err)
		}
		q.Returned = append(q.Returned, &syncpb.Returned{Revocation: m})
		x.handed = append(x.handed, revokedFact(device, q.GetGeneration(), v[lifeSize:]))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	return nil
}

const lifeSize = 2 + 8

func lifeBytes(g *syncpb.GenerationRef) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(min(g.GetNumber(), 0xffff)))
	return binary.BigEndian.AppendUint64(b, g.GetRandom())
}

func revokedFact(device []byte, life *syncpb.GenerationRef, message []byte) Fact {
	return Fact{Bucket: revokedBucket, Key: bytes.Clone(device), Value: append(lifeBytes(life), message...)}
}

// revocations checks the revocations of an answer and gives what is to be kept of them,
// together with those that were handed back and that the centre has now. Asked is the life
// that the request named. One that does not
// verify makes the whole answer one that is not used.
func (x *exchange) revocations(asked *syncpb.GenerationRef, answer *syncpb.Response) ([]Fact, error) {
	const op = "take revocation"
	life := answer.GetGeneration()
	if life == nil {
		life = asked
	}
	var out []Fact
	if bytes.Equal(lifeBytes(life), lifeBytes(asked)) {
		out = append(out, x.handed...)
	}
	pub, _ := x.p.CA.PublicKey.(ed25519.PublicKey)
	for _, m := range answer.GetRevocations() {
		rev, err := session.ReadRevocation(m)
		if err == nil {
			err = seal.Verify(pub, syncproto.DomainRevocation, rev.Message(), m.GetSignature())
		}
		if err != nil {
			return nil, syncproto.Fail(syncproto.CodeAnswer, op, err)
		}
		if bytes.Equal(rev.Device, x.p.Device) {
			x.revoked = true
			continue // it is for others to hand this back
		}
		if rev.Union != x.u.Code() {
			return nil, syncproto.Fail(syncproto.CodeAnswer, op, errors.New("it is of another union"))
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		out = append(out, revokedFact(rev.Device, life, b))
	}
	return out, nil
}

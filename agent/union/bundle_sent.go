package union

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/protofield"
	"unionsync/syncproto/session"
)

// The layout of what is kept of a request, in protobuf's, written by hand. Permanent.
const (
	seBundle, seLife, seRandom, seCursor, seKnown, seKnownHash, seWant, seRun = 1, 2, 3, 4, 5, 6, 7, 8

	ruOwn, ruFirst, ruLast, ruDot = 1, 2, 3, 4
)

// sentFact keeps what [session.Take] needs of a request. The changes are in the journal.
func sentFact(id bundle.ID, s *session.Sent) Fact {
	b := protofield.AppendBytes(nil, seBundle, id[:])
	b = protofield.AppendVarint(b, seLife, uint64(s.Life.Number))
	b = protofield.AppendFixed64(b, seRandom, s.Life.Random)
	b = protofield.AppendVarint(b, seCursor, uint64(s.Cursor))
	if s.Known.Seq > 0 {
		b = protofield.AppendVarint(b, seKnown, s.Known.Seq)
		b = protofield.AppendBytes(b, seKnownHash, s.Known.Hash[:])
	}
	for _, w := range s.Wants {
		b = protofield.AppendBytes(b, seWant, append(binary.BigEndian.AppendUint16(nil, uint16(w.Kind)), w.ID[:]...))
	}
	for i := range s.Runs {
		b = protofield.AppendAlways(b, seRun, encodeRun(&s.Runs[i]))
	}
	return Fact{Bucket: sentBucket, Key: s.Nonce, Value: b}
}

func encodeRun(r *session.Run) (b []byte) {
	if r.Own {
		b = protofield.AppendVarint(b, ruOwn, 1)
	}
	b = protofield.AppendVarint(b, ruFirst, r.First)
	b = protofield.AppendVarint(b, ruLast, r.Last)
	for _, d := range r.Dots {
		x := binary.BigEndian.AppendUint64(nil, uint64(d.Journal))
		x = binary.BigEndian.AppendUint64(x, d.Seq)
		b = protofield.AppendBytes(b, ruDot, binary.BigEndian.AppendUint32(x, d.Tag))
	}
	return b
}

// remembered gives what a request of this image of the journal carried; ok is false if it
// made none with this nonce. The id is zero where the request has been answered.
func (u *Union) remembered(nonce []byte) (s session.Sent, id bundle.ID, ok bool, err error) {
	if len(nonce) != nonceSize {
		return s, id, false, nil
	}
	v, err := u.Fact(sentBucket, nonce)
	if err != nil || v == nil {
		return s, id, false, err
	}
	s, id, err = readSent(nonce, v)
	s.Known.Journal = u.j.ID()
	return s, id, err == nil, err
}

func readSent(nonce, v []byte) (s session.Sent, id bundle.ID, err error) {
	s.Nonce = nonce
	if len(v) == 1 && v[0] == 0 {
		return s, id, nil
	}
	err = protofield.Each(v, func(num protowire.Number, f protofield.Value) (err error) {
		switch num {
		case seBundle:
			err = exactly(id[:], f.Bytes)
		case seLife:
			s.Life.Number, err = protofield.Narrow[uint16](f.Num)
		case seRandom:
			s.Life.Random = f.Num
		case seCursor:
			s.Cursor = syncproto.Position(f.Num)
		case seKnown:
			s.Known.Seq = f.Num
		case seKnownHash:
			err = exactly(s.Known.Hash[:], f.Bytes)
		case seWant:
			w := syncproto.RecordKey{}
			if len(f.Bytes) != 2+len(w.ID) {
				return errFact
			}
			w.Kind = syncproto.KindNumber(binary.BigEndian.Uint16(f.Bytes))
			copy(w.ID[:], f.Bytes[2:])
			s.Wants = append(s.Wants, w)
		case seRun:
			var r session.Run
			r, err = readRun(f.Bytes)
			s.Runs = append(s.Runs, r)
		}
		return err
	})
	if err == nil && id == (bundle.ID{}) {
		err = errFact
	}
	if err != nil {
		return s, id, fmt.Errorf("read request of a bundle: %w", err)
	}
	return s, id, nil
}

func readRun(b []byte) (r session.Run, err error) {
	err = protofield.Each(b, func(num protowire.Number, f protofield.Value) error {
		switch num {
		case ruOwn:
			r.Own = f.Num == 1
		case ruFirst:
			r.First = f.Num
		case ruLast:
			r.Last = f.Num
		case ruDot:
			var d syncproto.Dot
			if len(f.Bytes) != 20 {
				return errFact
			}
			d.Journal, d.Seq = syncproto.JournalID(binary.BigEndian.Uint64(f.Bytes)), binary.BigEndian.Uint64(f.Bytes[8:])
			d.Tag = binary.BigEndian.Uint32(f.Bytes[16:])
			r.Dots = append(r.Dots, d)
		}
		return nil
	})
	return r, err
}

func exactly(into, b []byte) error {
	if len(b) != len(into) {
		return errFact
	}
	copy(into, b)
	return nil
}

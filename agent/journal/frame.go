package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// Frame is one change where it stands. Previous and Place.Hash are known also of a frame
// whose bytes are damaged: the chain goes on behind it.
type Frame struct {
	Place    syncproto.Place
	Previous syncproto.Hash
	Bytes    []byte // the change as first written; nil when damaged
	Damaged  bool
}

// frameVersion is the first byte of a frame:
//
//	version (1) | own hash (32) | previous hash (32) | sealed change
//
// The change is sealed with journal ‖ seq ‖ own hash as associated data.
const frameVersion = 1

const frameHead = 1 + 2*sha256.Size

var aadProof = []byte("unionsync journal proof")

func frameAAD(p syncproto.Place) []byte {
	b := make([]byte, 0, 16+sha256.Size)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Journal))
	b = binary.BigEndian.AppendUint64(b, p.Seq)
	return append(b, p.Hash[:]...)
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func (j *Journal) encodeFrame(p syncproto.Place, previous syncproto.Hash, change []byte) ([]byte, error) {
	box, err := seal.Seal(j.key, j.rand, change, frameAAD(p))
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, frameHead+len(box))
	b = append(b, frameVersion)
	b = append(b, p.Hash[:]...)
	b = append(b, previous[:]...)
	return append(b, box...), nil
}

// decodeFrame reads the frame numbered seq and never fails: what cannot be read or does
// not fit its own hash is damaged.
func (j *Journal) decodeFrame(seq uint64, v []byte) Frame {
	f := Frame{Place: syncproto.Place{Journal: j.id, Seq: seq}, Damaged: true}
	if len(v) < frameHead || v[0] != frameVersion {
		return f
	}
	copy(f.Place.Hash[:], v[1:])
	copy(f.Previous[:], v[1+sha256.Size:])
	b, err := seal.Open(j.key, v[frameHead:], frameAAD(f.Place))
	if err != nil || syncproto.NextHash(f.Previous, b) != f.Place.Hash {
		return f
	}
	f.Bytes, f.Damaged = b, false
	return f
}

// encodeHead gives the newest place as the meta bucket keeps it: seq, hash, and four bytes
// of SHA-256 over both, because these decide where the chain goes on.
func encodeHead(p syncproto.Place) []byte {
	b := binary.BigEndian.AppendUint64(nil, p.Seq)
	b = append(b, p.Hash[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:4]...)
}

var errHead = errors.New("head entry is damaged")

func decodeHead(b []byte) (syncproto.Place, error) {
	var p syncproto.Place
	const n = 8 + sha256.Size
	if len(b) != n+4 {
		return p, fmt.Errorf("%w: %d bytes", errHead, len(b))
	}
	if sum := sha256.Sum256(b[:n]); !bytes.Equal(sum[:4], b[n:]) {
		return p, errHead
	}
	p.Seq = binary.BigEndian.Uint64(b)
	copy(p.Hash[:], b[8:])
	return p, nil
}

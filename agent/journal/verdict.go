package journal

import (
	"encoding/binary"
	"fmt"

	"unionsync/syncproto"
)

// verdictVersion is the first byte of a stored verdict:
//
//	version (1) | position (8) | kind (1) | reason (1) | record hash (8)
const verdictVersion = 1

const verdictSize = 1 + 8 + 1 + 1 + syncproto.RecordHashSize

func encodeVerdict(v syncproto.Verdict) []byte {
	b := make([]byte, 0, verdictSize)
	b = append(b, verdictVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(v.Position))
	b = append(b, byte(v.Kind), byte(v.Reason))
	return append(b, v.Hash[:]...)
}

func decodeVerdict(b []byte) (syncproto.Verdict, error) {
	var v syncproto.Verdict
	if len(b) != verdictSize || b[0] != verdictVersion {
		return v, fmt.Errorf("decode verdict: %d bytes", len(b))
	}
	v.Position = syncproto.Position(binary.BigEndian.Uint64(b[1:]))
	v.Kind, v.Reason = syncproto.VerdictKind(b[9]), syncproto.HeldReason(b[10])
	copy(v.Hash[:], b[11:])
	return v, nil
}

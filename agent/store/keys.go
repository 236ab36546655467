package store

import (
	"encoding/binary"

	"unionsync/syncproto"
)

// The first byte of a key says what it holds. Numbers are big endian, so that keys sort.
// These are all keys of the store.
const (
	keyState   = 'm' // m → State
	keyLayer   = 'c' // c kind(2) id(16) → record as the centre last gave it
	keyView    = 'v' // v kind(2) id(16) → record shown, only where own changes lie over the layer
	keyPending = 'p' // p kind(2) id(16) seq(8) → own change that is not in the layer: see pendingBytes
	keyOwn     = 'o' // o seq(8) → kind(2) id(16) of the pending change with this number
	keyToken   = 't' // t token(16) kind(2) id(16) → nothing: the view has this token
	keyWant    = 'w' // w kind(2) id(16) → nothing: ask the centre for this record
	keyConfirm = 'k' // k kind(2) id(16) → nothing: to be confirmed by the centre
	keyEarlier = 'e' // e seq(8) → positions(8 each) that earlier lives of the centre gave a pending change
)

const recordKeySize = 2 + 16

var stateKey = []byte{keyState}

// recordKey gives prefix kind id.
func recordKey(prefix byte, k syncproto.RecordKey) []byte {
	b := make([]byte, 0, 1+recordKeySize+8)
	b = append(b, prefix)
	b = binary.BigEndian.AppendUint16(b, uint16(k.Kind))
	return append(b, k.ID[:]...)
}

// parseRecordKey reads kind and id, without the prefix byte; ok is false for other lengths.
func parseRecordKey(b []byte) (k syncproto.RecordKey, ok bool) {
	if len(b) != recordKeySize {
		return k, false
	}
	k.Kind = syncproto.KindNumber(binary.BigEndian.Uint16(b))
	copy(k.ID[:], b[2:])
	return k, true
}

func kindPrefix(prefix byte, kind syncproto.KindNumber) []byte {
	return binary.BigEndian.AppendUint16([]byte{prefix}, uint16(kind))
}

func pendingKey(k syncproto.RecordKey, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(recordKey(keyPending, k), seq)
}

func earlierKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{keyEarlier}, seq) }

func ownKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{keyOwn}, seq) }

func tokenKey(token [tokenSize]byte, k syncproto.RecordKey) []byte {
	b := append([]byte{keyToken}, token[:]...)
	return append(b, recordKey(0, k)[1:]...)
}

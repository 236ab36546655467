package ledger

import (
	"encoding/binary"
	"fmt"

	"unionsync/syncproto"
)

// The key layout, whole: one byte of prefix, then fixed-width big-endian numbers; a union
// is its length in one byte and its code. Values are messages of entrypb unless said.
//
//	l position                       a logged change (see LogItem)
//	u union position                 the union's part of the log: an index into it; see unionLogValue
//	r union kind id                  a record (merge.Record bytes)
//	h union kind id position         history: an index into the log; empty value. Of layout 0 only
//	f union position                 feed: kind and id of the record whose newest change that is. Of layout 0 only
//	w journal seq tag                place: the position of a change
//	t union journal                  Tips
//	d union                          the union's digest, 32 bytes
//	q union journal kind id          HeldQueue
//	e journal seq tag                Decision about a held change, also about one that has not come
//	c hash                           CodeState of an enrolment code
//	v device                         Device
//	j device union journal           a journal that a device has signed for
//	x union journal                  the revoked device that signed for a journal: its id
//	y union position                 Revocation of one of the union's devices
//	s union device                   ContactState
//	n node                           Node
//	k name                           KindFile in force
//	i name version                   KindFile that was in force before
//	o                                up to where rules were worked out, a position
//	b index                          CheckState, by the raft index of the check
//	g number                         Generation: a life of this state
//	g number random                  Generation: a life that was learned from elsewhere
//	a                                the layout of this state, one byte; without it: 0
//	m                                Meta: what is applied, the head, the time
//	z                                Genesis
const (
	prefixLog     = 'l'
	prefixUnion   = 'u'
	prefixRecord  = 'r'
	prefixHistory = 'h'
	prefixFeed    = 'f'
	prefixPlace   = 'w'
	prefixTips    = 't'
	prefixDigest  = 'd'
	prefixHeld    = 'q'
	prefixEnded   = 'e'
	prefixCode    = 'c'
	prefixDevice  = 'v'
	prefixSigned  = 'j'

	prefixRevokedJournal = 'x'
	prefixRevocation     = 'y'

	prefixContact = 's'
	prefixNode    = 'n'
	prefixCheck   = 'b'
	prefixKind    = 'k'
	prefixGen     = 'g'
	keyLayoutByte = 'a'
	keyMetaByte   = 'm'
	keyGenesis    = 'z'
)

// Layouts of a state: the first entry begins the newest, and it stays. Layout 0 had keys of their
// own for history and feed; since layout 1 both follow from the union's part of the log, so
// that a change costs four keys and not six.
const (
	layoutIndexes  = 0
	layoutUnionLog = 1
)

const recordKeySize = 2 + 16 // kind and id

// unionLogValue is what stands at a position in the union's part of the log, from layout 1 on:
// whether the record's newest change stands there (1) or not (0), and kind and id of the record. It
// is empty for a change that names no record. So it is the record's history, and, where it is the
// newest, the feed.
func unionLogValue(k syncproto.RecordKey, newest bool) []byte {
	b := make([]byte, 1, 1+recordKeySize)
	if newest {
		b[0] = 1
	}
	return appendRecordKey(b, k)
}

// readUnionLog reads what unionLogValue gives.
func readUnionLog(b []byte) (k syncproto.RecordKey, newest bool, err error) {
	if len(b) == 0 {
		return k, false, nil
	}
	k, err = readRecordKey(b[1:])
	return k, b[0] == 1, err
}

func keyLog(p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixLog}, uint64(p))
}

// keyUnion starts a key that is sorted by union.
func keyUnion(prefix byte, union string) []byte {
	b := make([]byte, 0, 2+len(union)+recordKeySize+8)
	b = append(b, prefix, byte(len(union)))
	return append(b, union...)
}

func appendRecordKey(b []byte, k syncproto.RecordKey) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(k.Kind))
	return append(b, k.ID[:]...)
}

func keyRecord(union string, k syncproto.RecordKey) []byte {
	return appendRecordKey(keyUnion(prefixRecord, union), k)
}

func keyHistory(union string, k syncproto.RecordKey, p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64(appendRecordKey(keyUnion(prefixHistory, union), k), uint64(p))
}

func keyFeed(union string, p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64(keyUnion(prefixFeed, union), uint64(p))
}

func keyUnionLog(union string, p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64(keyUnion(prefixUnion, union), uint64(p))
}

func keyTips(union string, j syncproto.JournalID) []byte {
	return binary.BigEndian.AppendUint64(keyUnion(prefixTips, union), uint64(j))
}

func keyDigest(union string) []byte { return keyUnion(prefixDigest, union) }

func keyHeld(union string, j syncproto.JournalID, k syncproto.RecordKey) []byte {
	return appendRecordKey(binary.BigEndian.AppendUint64(keyUnion(prefixHeld, union), uint64(j)), k)
}

func keyContact(union string, device []byte) []byte {
	return append(keyUnion(prefixContact, union), device...)
}

func keyPlace(d syncproto.Dot) []byte { return keyDot(prefixPlace, d) }

func keyEnded(d syncproto.Dot) []byte { return keyDot(prefixEnded, d) }

func keyDot(prefix byte, d syncproto.Dot) []byte {
	b := make([]byte, 1, 1+8+8+4)
	b[0] = prefix
	b = binary.BigEndian.AppendUint64(b, uint64(d.Journal))
	b = binary.BigEndian.AppendUint64(b, d.Seq)
	return binary.BigEndian.AppendUint32(b, d.Tag)
}

func keyNamed(prefix byte, name []byte) []byte { return append([]byte{prefix}, name...) }

func keyGeneration(n uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{prefixGen}, n)
}

func keyLearned(n uint16, random uint64) []byte {
	return binary.BigEndian.AppendUint64(keyGeneration(n), random)
}

// unionOf reads the union of a key that is sorted by union, and what follows it.
func unionOf(key []byte) (union string, rest []byte, err error) {
	if len(key) < 2 || len(key) < 2+int(key[1]) {
		return "", nil, fmt.Errorf("read key: %d bytes are too few", len(key))
	}
	n := 2 + int(key[1])
	return string(key[2:n]), key[n:], nil
}

func readRecordKey(b []byte) (syncproto.RecordKey, error) {
	var k syncproto.RecordKey
	if len(b) != recordKeySize {
		return k, fmt.Errorf("read record key: %d bytes", len(b))
	}
	k.Kind = syncproto.KindNumber(binary.BigEndian.Uint16(b))
	copy(k.ID[:], b[2:])
	return k, nil
}

func encodePosition(p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(p))
}

func decodePosition(b []byte) (syncproto.Position, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("read position: %d bytes", len(b))
	}
	return syncproto.Position(binary.BigEndian.Uint64(b)), nil
}

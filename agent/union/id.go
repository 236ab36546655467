package union

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"unionsync/syncproto"
)

// idSource makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, 12 bits that
// count on inside one millisecond, 62 random bits. Ids made one after the other sort so.
type idSource struct {
	now  func() time.Time
	rand io.Reader

	mu   sync.Mutex
	last uint64 // milliseconds and counter of the id before
}

const counterBits = 12

func (s *idSource) next() (syncproto.RecordID, error) {
	var id syncproto.RecordID
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return id, fmt.Errorf("draw record id: %w", err)
	}
	start := uint64(binary.BigEndian.Uint16(id[6:])) & 0x3ff // leaves room to count
	s.mu.Lock()
	at := max(uint64(s.now().UnixMilli())<<counterBits|start, s.last+1)
	s.last = at
	s.mu.Unlock()
	binary.BigEndian.PutUint64(id[:8], at>>counterBits<<16|0x7000|at&0xfff)
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// NewID draws the id of a new record, for drafts that refer to each other.
func (u *Union) NewID() (syncproto.RecordID, error) { return u.ids.next() }

// NewGroup draws a number that ties the changes of one import, paste or bulk act.
func (u *Union) NewGroup() (uint64, error) {
	var b [8]byte
	for binary.BigEndian.Uint64(b[:]) == 0 {
		if _, err := io.ReadFull(u.o.Rand, b[:]); err != nil {
			return 0, fmt.Errorf("draw group: %w", err)
		}
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

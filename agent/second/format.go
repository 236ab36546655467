package second

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"unionsync/agent/journal"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

const (
	magic     = "unionsync second"
	version   = 1
	fileIDLen = 16
	itemHead  = 8 + 2*len(syncproto.Hash{})
	maxBox    = itemHead + syncproto.MaxChangeBytes + 256 // what sealing adds is far less
)

// head is the beginning of a file.
type head struct {
	journal syncproto.JournalID
	id      [fileIDLen]byte
	union   string
}

var (
	errHead    = errors.New("not a second place of a journal")
	errVersion = errors.New("written by a newer program")
	errItem    = errors.New("entry is damaged")
	errCut     = errors.New("the file is cut short")
)

func (h *head) encode() []byte {
	b := append([]byte(magic), version)
	b = binary.BigEndian.AppendUint64(b, uint64(h.journal))
	b = append(b, h.id[:]...)
	return append(append(b, byte(len(h.union))), h.union...)
}

// readHead reads the beginning of a file.
func readHead(r io.Reader) (h head, err error) {
	b := make([]byte, len(magic)+1+8+fileIDLen+1)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, errHead
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return h, errHead
	}
	if rest[0] != version {
		return h, errVersion
	}
	h.journal = syncproto.JournalID(binary.BigEndian.Uint64(rest[1:]))
	copy(h.id[:], rest[9:])
	code := make([]byte, rest[9+fileIDLen])
	if _, err := io.ReadFull(r, code); err != nil {
		return h, errHead
	}
	h.union = string(code)
	return h, nil
}

// coder seals and opens the items of one file.
type coder struct {
	key  *[seal.KeySize]byte
	rand io.Reader
	head head
}

func (c *coder) aad() []byte { return append([]byte("unionsync second frame"), c.head.encode()...) }

func (c *coder) encode(f journal.Frame) ([]byte, error) {
	plain := make([]byte, 0, itemHead+len(f.Bytes))
	plain = binary.BigEndian.AppendUint64(plain, f.Place.Seq)
	plain = append(plain, f.Place.Hash[:]...)
	plain = append(plain, f.Previous[:]...)
	plain = append(plain, f.Bytes...)
	box, err := seal.Seal(c.key, c.rand, plain, c.aad())
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	size := binary.BigEndian.AppendUint32(nil, uint32(len(box)))
	return append(append(append([]byte(nil), size...), box...), size...), nil
}

// decode opens a box. An entry whose change does not fit its own hash is refused.
func (c *coder) decode(box []byte) (f journal.Frame, err error) {
	plain, err := seal.Open(c.key, box, c.aad())
	if err != nil || len(plain) < itemHead {
		return f, errItem
	}
	f.Place = syncproto.Place{Journal: c.head.journal, Seq: binary.BigEndian.Uint64(plain)}
	copy(f.Place.Hash[:], plain[8:])
	copy(f.Previous[:], plain[8+len(f.Place.Hash):])
	if f.Bytes = plain[itemHead:]; len(f.Bytes) == 0 {
		f.Bytes, f.Damaged = nil, true
	} else if syncproto.NextHash(f.Previous, f.Bytes) != f.Place.Hash {
		return f, errItem
	}
	if f.Place.Seq == 0 {
		return f, errItem
	}
	return f, nil
}

// each calls do for the items of a file behind its head, in order. What does not open is
// passed over; a file that ends inside an item ends with errCut.
func (c *coder) each(r io.Reader, do func(journal.Frame) error) error {
	var size [4]byte
	for {
		if _, err := io.ReadFull(r, size[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return errCut
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > uint32(maxBox) {
			return errCut
		}
		b := make([]byte, n+4)
		if _, err := io.ReadFull(r, b); err != nil {
			return errCut
		}
		f, err := c.decode(b[:n])
		if err != nil {
			continue
		}
		if err := do(f); err != nil {
			return err
		}
	}
}

// last gives the newest item, found from the end; ok is false in a file without any.
func (c *coder) last(r io.ReaderAt, size int64) (f journal.Frame, ok bool, err error) {
	begin := int64(len(c.head.encode()))
	if size == begin {
		return f, false, nil
	}
	var tail [4]byte
	if size < begin+8 {
		return f, false, errCut
	}
	if _, err := r.ReadAt(tail[:], size-4); err != nil {
		return f, false, err
	}
	n := int64(binary.BigEndian.Uint32(tail[:]))
	if n > int64(maxBox) || size-8-n < begin {
		return f, false, errCut
	}
	box := make([]byte, n)
	if _, err := r.ReadAt(box, size-4-n); err != nil {
		return f, false, err
	}
	if f, err = c.decode(box); err != nil {
		return f, false, errCut
	}
	return f, true, nil
}

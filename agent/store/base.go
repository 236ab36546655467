package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/dgraph-io/badger/v4"

	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// The base is a version byte and a sealed stream of items, each
//
//	type (1) | length (uvarint) | body
//
// first the state, then records, wants and marks, last the end with the number of items
// before it. The stream itself cannot be cut, reordered or changed unnoticed.
const (
	baseVersion = 1

	itemState   = 1 // body: encoded State
	itemRecord  = 2 // body: kind (2) | id (16) | encoded record
	itemWant    = 3 // body: kind (2) | id (16)
	itemConfirm = 4 // body: kind (2) | id (16)
	itemEnd     = 9 // body: number of items before it (uvarint)

	basePurpose  = "agent base v1"
	maxItemBytes = 2*syncproto.MaxRecordBytes + recordKeySize
)

// WriteBase replaces the base by what the store holds now: the records as the centre last
// gave them and the state. Own pending changes are not in it; they are in the journal.
func (s *Store) WriteBase() error {
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	var fresh stamp
	if _, err := io.ReadFull(s.rand, fresh[:]); err != nil {
		return fmt.Errorf("write base: %w", err)
	}
	err := s.viewState(func(r *readTxn, st State) error {
		st.stamp = fresh
		return atomicfile.Stream(s.path(BaseName), 0o600, func(w io.Writer) error {
			return s.encodeBase(w, r, st)
		})
	})
	if err != nil && !errors.Is(err, atomicfile.ErrUnsettled) {
		return fmt.Errorf("write base: %w", err)
	}
	// A crash here leaves a base newer than the store, which then has no clean note.
	return s.change(func(_ *batch, st *State) error {
		st.stamp = fresh
		return nil
	})
}

func (s *Store) encodeBase(dst io.Writer, r *readTxn, st State) error {
	buf := bufio.NewWriterSize(dst, 64<<10)
	if err := buf.WriteByte(baseVersion); err != nil {
		return err
	}
	stream, err := seal.NewStreamWriter(buf, s.key, s.rand, basePurpose)
	if err != nil {
		return err
	}
	w := baseWriter{dst: stream}
	w.item(itemState, st.encode())
	w.prefix(r, keyLayer, itemRecord)
	w.prefix(r, keyWant, itemWant)
	w.prefix(r, keyConfirm, itemConfirm)
	w.item(itemEnd, binary.AppendUvarint(nil, w.items))
	if w.err != nil {
		return w.err
	}
	if err := stream.Close(); err != nil {
		return err
	}
	return buf.Flush()
}

// baseWriter writes items; its first error sticks.
type baseWriter struct {
	dst   io.Writer
	items uint64
	err   error
	head  []byte
}

func (w *baseWriter) item(kind byte, parts ...[]byte) {
	if w.err != nil {
		return
	}
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	w.head = binary.AppendUvarint(append(w.head[:0], kind), uint64(n))
	w.items++
	for _, p := range append([][]byte{w.head}, parts...) {
		if _, w.err = w.dst.Write(p); w.err != nil {
			return
		}
	}
}

// prefix writes one item for each key with the prefix: key without the prefix, then value.
func (w *baseWriter) prefix(r *readTxn, prefix, kind byte) {
	if w.err != nil {
		return
	}
	err := r.scan([]byte{prefix}, []byte{prefix}, true, func(key []byte, item *badger.Item) (bool, error) {
		return true, item.Value(func(v []byte) error {
			w.item(kind, key[1:], v)
			return w.err
		})
	})
	if w.err == nil {
		w.err = err
	}
}

// errNoBase says that there is no base file.
var errNoBase = errors.New("no base")

// readBase calls do for each item of the base up to the end, which it checks. It fails
// with errNoBase; any other error is damage, or a program that is newer.
func readBase(path string, key *[seal.KeySize]byte, do func(kind byte, body []byte) error) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoBase
	}
	if err != nil {
		return fmt.Errorf("read base: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	var version [1]byte
	if _, err := io.ReadFull(f, version[:]); err != nil {
		return fmt.Errorf("read base: %w", err)
	}
	if version[0] != baseVersion {
		return fmt.Errorf("read base: version %d", version[0])
	}
	stream, err := seal.NewStreamReader(f, key, basePurpose)
	if err != nil {
		return fmt.Errorf("read base: %w", err)
	}
	if err := readItems(bufio.NewReader(stream), do); err != nil {
		return fmt.Errorf("read base: %w", err)
	}
	return nil
}

var errItems = errors.New("items are malformed")

// readItems reads a decrypted base. The body is valid inside do only.
func readItems(r *bufio.Reader, do func(kind byte, body []byte) error) error {
	var body []byte
	for items := uint64(0); ; items++ {
		kind, err := r.ReadByte()
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		if n > maxItemBytes {
			return fmt.Errorf("%w: item of %d bytes", errItems, n)
		}
		if uint64(cap(body)) < n {
			body = make([]byte, n)
		}
		body = body[:n]
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		if kind == itemEnd {
			return checkEnd(r, body, items)
		}
		if (kind == itemState) != (items == 0) {
			return fmt.Errorf("%w: item %d is of type %d", errItems, items, kind)
		}
		if err := do(kind, body); err != nil {
			return err
		}
	}
}

func checkEnd(r *bufio.Reader, body []byte, items uint64) error {
	n, k := binary.Uvarint(body)
	if k != len(body) || n != items || items == 0 {
		return fmt.Errorf("%w: end after %d items", errItems, items)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something behind the end: %w", errItems, err)
	}
	return nil
}

// checkBase reads the whole base once: a damaged one must show before anything is made
// from it. It gives its state.
func (s *Store) checkBase() (st State, err error) {
	var digest syncproto.Hash
	err = readBase(s.path(BaseName), s.key, func(kind byte, body []byte) error {
		switch kind {
		case itemState:
			st, err = decodeState(body)
			return err
		case itemRecord:
			key, rec, err := decodeItem(body)
			digest = merge.Xor(digest, merge.Hash(key, rec))
			return err
		case itemWant, itemConfirm:
			if _, ok := parseRecordKey(body); !ok {
				return errItems
			}
		}
		return nil
	})
	if err == nil && digest != st.Digest {
		err = errors.New("read base: digest of the records is not the stored one")
	}
	return st, err
}

func decodeItem(body []byte) (syncproto.RecordKey, *merge.Record, error) {
	if len(body) < recordKeySize {
		return syncproto.RecordKey{}, nil, errItems
	}
	key, _ := parseRecordKey(body[:recordKeySize])
	rec, err := merge.Decode(body[recordKeySize:])
	return key, rec, err
}

// baseStamp reads only the beginning of the base: which one it is.
func (s *Store) baseStamp() (got stamp, err error) {
	stop := errors.New("enough")
	err = readBase(s.path(BaseName), s.key, func(_ byte, body []byte) error {
		st, err := decodeState(body)
		if err != nil {
			return err
		}
		got = st.stamp
		return stop
	})
	if errors.Is(err, stop) {
		err = nil
	}
	return got, err
}

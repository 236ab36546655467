package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"unionsync/syncproto"
)

// Segment says what one piece of the streamed log holds: the entries of a raft log in
// (From, To]. Its fields are permanent.
type Segment struct {
	LogID string `json:"log_id"`
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`

	// The chain's hashes at From and at To. They follow from the entries alone (see chain),
	// so the pieces of two nodes that led one after the other fit together wherever each was
	// cut.
	Previous string `json:"previous"`
	Hash     string `json:"hash"`

	Position syncproto.Position `json:"position"` // all up to here is in the log up to To
	Time     int64              `json:"time"`     // of the centre there, Unix seconds
	Entries  int                `json:"entries"`
	Size     int64              `json:"size"`   // of what is sealed
	SHA256   string             `json:"sha256"` // over it
}

// tip names the end of a streamed log: when the last pieces are gone, this tells.
type tip struct {
	LogID    string             `json:"log_id"`
	To       uint64             `json:"to"`
	Hash     string             `json:"hash"`
	Position syncproto.Position `json:"position"`
	Time     int64              `json:"time"`
}

// chain is the running hash over a log's entries. It begins from the log's id and an index,
// and takes in each entry's index and bytes.
type chain [sha256.Size]byte

func beginChain(logID string, index uint64) chain {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("unionsync log chain v1 "+logID+" "), index))
}

func (c chain) with(index uint64, entry []byte) chain {
	h := sha256.New()
	h.Write(c[:])
	h.Write(binary.BigEndian.AppendUint64(nil, index))
	h.Write(entry)
	return chain(h.Sum(nil))
}

func (c chain) String() string { return hex.EncodeToString(c[:]) }

func parseChain(s string) (c chain, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(c) {
		return c, errors.New("no hash of a log")
	}
	return chain(b), nil
}

// entry is one entry of a raft log, as the ledger applies it.
type entry struct {
	index uint64
	data  []byte
}

// maxEntry is the most that an entry read from a segment may have.
const maxEntry = syncproto.MaxEntryBytes + 1<<10

// encodeEntries puts entries one after the other: index and length as varints, then bytes.
func encodeEntries(all []entry) []byte {
	var b []byte
	for _, e := range all {
		b = binary.AppendUvarint(b, e.index)
		b = binary.AppendUvarint(b, uint64(len(e.data)))
		b = append(b, e.data...)
	}
	return b
}

var errEntries = errors.New("the entries are not of a form known here")

func decodeEntries(b []byte) (all []entry, err error) {
	last := uint64(0)
	for len(b) > 0 {
		index, n := binary.Uvarint(b)
		if n <= 0 || index <= last {
			return nil, errEntries
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > maxEntry || uint64(len(b)-n-m) < size {
			return nil, errEntries
		}
		b = b[n+m:]
		all = append(all, entry{index, b[:size:size]})
		b, last = b[size:], index
	}
	return all, nil
}

// A segment's object is its note, with its length before it, and what is sealed:
//
//	length of the note (4, big endian) | note | entries, packed and sealed
func joinSegment(note, box []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(note)+len(box)), uint32(len(note)))
	return append(append(b, note...), box...)
}

func splitSegment(b []byte) (note, box []byte, err error) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return nil, nil, errNote
	}
	n := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:n], b[n:], nil
}

func segmentName(logID string, from, to uint64) string {
	return fmt.Sprintf("%s%s/%020d-%020d.seg", logDir, logID, from, to)
}

func tipName(logID string) string { return logDir + logID + "/tip" }

// span is a segment by its name.
type span struct {
	name     string
	logID    string
	from, to uint64
}

func spanOf(name string) (s span, ok bool) {
	logID, file, ok := strings.Cut(strings.TrimPrefix(name, logDir), "/")
	if !ok {
		return s, false
	}
	if _, err := fmt.Sscanf(file, "%d-%d.seg", &s.from, &s.to); err != nil {
		return s, false
	}
	s.name, s.logID = name, logID
	return s, segmentName(logID, s.from, s.to) == name && s.from < s.to
}

// spans gives the segments of a log that are kept, in the order of their beginnings; of all
// logs for "".
func (r *Reader) spans(ctx context.Context, logID string) ([]span, error) {
	prefix := logDir
	if logID != "" {
		prefix += logID + "/"
	}
	objects, err := r.target.List(ctx, prefix)
	if err != nil {
		return nil, unusable("list log", r.target.String(), err)
	}
	var out []span
	for _, o := range objects {
		if s, ok := spanOf(o.Name); ok {
			out = append(out, s)
		}
	}
	return out, nil
}

func badLog(at uint64, what string, err error) error {
	return syncproto.Fail(syncproto.CodeLogAltered, "read log", err, "from", fmt.Sprint(at), "what", what)
}

// header reads a segment, checks who wrote it, and gives what is sealed in it.
func (r *Reader) header(ctx context.Context, s span) (*Segment, []byte, error) {
	b, err := r.target.Get(ctx, s.name)
	if errors.Is(err, ErrNoObject) {
		return nil, nil, badLog(s.from, "missing", err)
	}
	if err != nil {
		return nil, nil, unusable("read log", r.target.String(), err)
	}
	note, box, err := splitSegment(b)
	if err != nil {
		return nil, nil, badLog(s.from, "segment", err)
	}
	g := new(Segment)
	if err := openNote(r.keys.CA, noteSegment, note, g); err != nil {
		return nil, nil, badLog(s.from, "segment", err)
	}
	if sum := sumOf(box); g.LogID != s.logID || g.From != s.from || g.To != s.to ||
		g.Size != int64(len(box)) || g.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, nil, badLog(s.from, "segment", errPart)
	}
	return g, box, nil
}

// segment reads a segment whole and checks that its entries are those of its hashes.
func (r *Reader) segment(ctx context.Context, s span) (*Segment, []entry, error) {
	g, box, err := r.header(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	plain, err := r.pack.unpack(box)
	if err != nil {
		return nil, nil, badLog(s.from, "segment", err)
	}
	all, err := decodeEntries(plain)
	if err != nil {
		return nil, nil, badLog(s.from, "segment", err)
	}
	c, err := parseChain(g.Previous)
	if err != nil {
		return nil, nil, badLog(s.from, "segment", err)
	}
	for _, e := range all {
		if e.index <= g.From || e.index > g.To {
			return nil, nil, badLog(s.from, "segment", fmt.Errorf("entry %d", e.index))
		}
		c = c.with(e.index, e.data)
	}
	if c.String() != g.Hash || len(all) != g.Entries {
		return nil, nil, badLog(s.from, "chain", errPart)
	}
	return g, all, nil
}

// tip gives the end of a streamed log as its writer last noted it, nil if there is none.
func (r *Reader) tip(ctx context.Context, logID string) (*tip, error) {
	note, err := r.target.Get(ctx, tipName(logID))
	if errors.Is(err, ErrNoObject) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable("read log", r.target.String(), err)
	}
	t := new(tip)
	if err := openNote(r.keys.CA, noteTip, note, t); err != nil {
		return nil, badLog(0, "tip", err)
	}
	if t.LogID != logID {
		return nil, badLog(0, "tip", errNote)
	}
	return t, nil
}

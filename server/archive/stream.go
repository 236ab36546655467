package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// Log is what the archive needs of the replicated log.
type Log interface {
	// Leading gives the term in which this node leads and has applied all that was committed
	// before; false if it does not lead.
	Leading() (term uint64, ok bool)
	// Entries calls do for each entry in (after, to] that the ledger applies, ascending. data
	// may be kept. It fails with [ErrGone] when the log does not go back to after any more,
	// and with do's error. Entries up to an index that is applied are committed.
	Entries(after, to uint64, do func(index uint64, data []byte) error) error
	// Behind gives about how many bytes of log stand behind an index.
	Behind(index uint64) int64
	// Propose commits an entry.
	Propose(ctx context.Context, entry []byte) error
}

// ErrGone says that the log has been cut off in front: a whole backup must come before it
// can be streamed again.
var ErrGone = errors.New("the log does not go back that far any more")

// maxSegment is about how many bytes of entries go into one segment.
const maxSegment = 4 << 20

var errFull = errors.New("the segment is full")

// stream is where the streaming of this node's log stands. Owned by the keeper's Run.
type stream struct {
	w      *Writer
	log    Log
	ledger *ledger.Ledger

	logID    string // "": nothing is known yet, see resume
	index    uint64
	hash     chain
	position syncproto.Position
	time     int64
}

// resume finds where the log on the target ends, whoever wrote it. Without one it begins at
// the newest backup of this log; without that it fails with [ErrGone].
func (s *stream) resume(ctx context.Context) error {
	logID := hex.EncodeToString(s.ledger.Whole().LogID)
	t, err := s.w.tip(ctx, logID)
	if err != nil {
		return err
	}
	if t != nil {
		h, err := parseChain(t.Hash)
		if err != nil {
			return badLog(t.To, "tip", err)
		}
		s.logID, s.index, s.hash, s.position, s.time = logID, t.To, h, t.Position, t.Time
		return nil
	}
	backups, err := s.w.List(ctx)
	if err != nil {
		return err
	}
	for _, b := range backups {
		if m := b.Manifest; m != nil && m.LogID == logID {
			s.begin(m)
			return nil
		}
	}
	return ErrGone
}

// begin begins a chain behind a backup.
func (s *stream) begin(m *Manifest) {
	s.logID, s.index, s.hash = m.LogID, m.Index, beginChain(m.LogID, m.Index)
	s.position, s.time = m.Position, m.Time
}

// catchUp streams all that is applied. It fails with [ErrGone], or with
// [syncproto.CodeLogAltered] for an end that cannot be trusted, when a backup is needed first.
func (s *stream) catchUp(ctx context.Context) error {
	end := s.ledger.Whole()
	if s.logID != hex.EncodeToString(end.LogID) {
		if err := s.resume(ctx); err != nil {
			return err
		}
	}
	for s.index < end.Index {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.next(ctx, end); err != nil {
			return err
		}
	}
	return nil
}

// next keeps one segment: the entries behind what is streamed, up to end at most. Crash
// behind the segment: the tip is behind it, and the next one overlaps it, which a reader
// bears. The tip is the commit point of what this node says is streamed.
func (s *stream) next(ctx context.Context, end ledger.Moment) error {
	g := Segment{LogID: s.logID, From: s.index, To: end.Index, Previous: s.hash.String(), Position: end.Head, Time: end.Time}
	all, hash, err := s.collect(end.Index)
	if errors.Is(err, errFull) {
		g.To, g.Position, g.Time = all[len(all)-1].index, s.position, s.time
	} else if err != nil {
		return err
	}
	box, err := s.w.pack.pack(encodeEntries(all))
	if err != nil {
		return fmt.Errorf("stream log: %w", err)
	}
	sum := sumOf(box)
	g.Hash, g.Entries, g.Size, g.SHA256 = hash.String(), len(all), int64(len(box)), hex.EncodeToString(sum[:])
	note, err := signNote(s.w.own, noteSegment, g)
	if err != nil {
		return err
	}
	if err := keep(ctx, s.w.target, segmentName(g.LogID, g.From, g.To), joinSegment(note, box)); err != nil {
		return err
	}
	note, err = signNote(s.w.own, noteTip, tip{LogID: g.LogID, To: g.To, Hash: g.Hash, Position: g.Position, Time: g.Time})
	if err != nil {
		return err
	}
	if err := keep(ctx, s.w.target, tipName(g.LogID), note); err != nil {
		return err
	}
	s.index, s.hash, s.position, s.time = g.To, hash, g.Position, g.Time
	return nil
}

// collect gives the entries behind what is streamed, up to an index or until they are many
// ([errFull]), and the chain's hash behind them.
func (s *stream) collect(to uint64) (all []entry, hash chain, err error) {
	hash, size := s.hash, 0
	err = s.log.Entries(s.index, to, func(index uint64, data []byte) error {
		all, hash, size = append(all, entry{index, data}), hash.with(index, data), size+len(data)
		if size >= s.w.segmentBytes && index < to {
			return errFull
		}
		return nil
	})
	return all, hash, err
}

// LogEnd is how far a streamed log was followed.
type LogEnd struct {
	Segments int                `json:"segments"`
	Entries  int                `json:"entries"`
	Index    uint64             `json:"index"`
	Position syncproto.Position `json:"position"` // all up to here was in it; 0: no segment was read
	Time     int64              `json:"time"`     // of the centre there
	Gap      bool               `json:"gap"`      // a later part begins behind another backup
}

// follow calls do for each entry of a log behind an index, as far as it is kept and not
// beyond limit (0: none). A hole that no backup stands for, and an end before the one that
// the writer noted, fail with [syncproto.CodeLogAltered].
func (r *Reader) follow(ctx context.Context, logID string, after, limit uint64, do func(index uint64, data []byte) error) (end LogEnd, err error) {
	end.Index = after
	all, err := r.spans(ctx, logID)
	if err != nil {
		return end, err
	}
	var hash *chain // not known before the first segment
	for limit == 0 || end.Index < limit {
		next, found := covering(all, end.Index, hash == nil)
		if !found {
			break
		}
		g, entries, err := r.segment(ctx, next)
		if err != nil {
			return end, err
		}
		if hash, err = continues(g, entries, end.Index, hash); err != nil {
			return end, err
		}
		for _, e := range entries {
			if e.index <= end.Index || limit != 0 && e.index > limit {
				continue
			}
			if err := do(e.index, e.data); err != nil {
				return end, fmt.Errorf("replay entry %d: %w", e.index, err)
			}
			end.Entries++
		}
		end.Segments, end.Index, end.Position, end.Time = end.Segments+1, g.To, g.Position, g.Time
	}
	if limit != 0 {
		return end, nil
	}
	return r.ended(ctx, logID, all, end)
}

// covering gives the segment that goes on at an index and reaches furthest. At first it is
// one that begins there, if there is one: a chain that was begun anew behind this backup.
func covering(all []span, at uint64, first bool) (best span, found bool) {
	better := func(s span) bool {
		if first && (s.from == at) != (best.from == at) {
			return s.from == at
		}
		return s.to > best.to
	}
	for _, s := range all {
		if s.from <= at && s.to > at && (!found || better(s)) {
			best, found = s, true
		}
	}
	return best, found
}

// continues checks that a segment is of the same log as what was read up to an index, whose
// hash is known or not, and gives the hash at its end.
func continues(g *Segment, entries []entry, at uint64, hash *chain) (*chain, error) {
	c, err := parseChain(g.Previous)
	if err != nil {
		return nil, badLog(g.From, "chain", err)
	}
	for _, e := range entries {
		if e.index > at {
			break
		}
		c = c.with(e.index, e.data)
	}
	if hash != nil && !bytes.Equal(hash[:], c[:]) {
		return nil, badLog(g.From, "chain", errors.New("it does not go on from the segment before it"))
	}
	c, err = parseChain(g.Hash)
	return &c, err
}

// ended says whether a log may end where it was followed to.
func (r *Reader) ended(ctx context.Context, logID string, all []span, end LogEnd) (LogEnd, error) {
	if i := slices.IndexFunc(all, func(s span) bool { return s.from > end.Index }); i >= 0 {
		g, _, err := r.header(ctx, all[i])
		if err != nil {
			return end, err
		}
		if g.Previous != beginChain(logID, g.From).String() {
			return end, badLog(end.Index, "missing", errors.New("a segment is not there"))
		}
		end.Gap = true
		return end, nil
	}
	t, err := r.tip(ctx, logID)
	if err != nil {
		return end, err
	}
	if t != nil && t.To > end.Index {
		return end, badLog(end.Index, "missing", fmt.Errorf("the log was streamed up to entry %d", t.To))
	}
	return end, nil
}

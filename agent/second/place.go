package second

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"unionsync/agent/journal"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// ErrAbsent says that the folder is not there now: a stick that is not plugged in.
var ErrAbsent = errors.New("the second place is not there")

// ErrAhead says that the second place has entries that follow the journal's newest: they
// must be taken back before anything is copied.
var ErrAhead = errors.New("the second place is ahead of the journal")

// Place is the second place of one union's journal. Its methods must not run at the same
// time.
type Place struct {
	Dir     string // the folder; it is never made: a stick that is missing must not become a folder
	Union   string
	Journal syncproto.JournalID
	Key     *[seal.KeySize]byte
	Rand    io.Reader
}

// Source is what a copy reads of the journal. [journal.Journal] satisfies it.
type Source interface {
	Head() syncproto.Place
	Frame(seq uint64) (journal.Frame, error)
	Range(from, to uint64, do func(journal.Frame) error) error
}

var _ Source = (*journal.Journal)(nil)

const suffix = ".second"

func (p *Place) name() string {
	return filepath.Join(p.Dir, p.Union+"-"+p.Journal.String()+suffix)
}

// writeBytes is how much is written between two fsyncs at most.
const writeBytes = 256 << 10

// Copy appends what the journal has beyond the file and gives the newest place that is safely
// there; report is called after each fsync. Also beside an error the place is right.
func (p *Place) Copy(j Source, report func(syncproto.Place)) (at syncproto.Place, err error) {
	if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
		return at, ErrAbsent
	}
	f, c, at, err := p.open(j)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	report(at)
	var buf []byte
	end := at
	flush := func() error {
		if _, err := f.Write(buf); err != nil {
			return fmt.Errorf("copy to second place: %w", err)
		}
		if err := f.Sync(); err != nil {
			return fmt.Errorf("copy to second place: %w", err)
		}
		buf, at = buf[:0], end
		report(at)
		return nil
	}
	err = j.Range(at.Seq+1, j.Head().Seq, func(frame journal.Frame) error {
		b, err := c.encode(frame)
		if err != nil {
			return err
		}
		buf, end = append(buf, b...), frame.Place
		if len(buf) >= writeBytes {
			return flush()
		}
		return nil
	})
	if err == nil && len(buf) > 0 {
		err = flush()
	}
	return at, err
}

// open opens the file for appending where it ends as the journal says, and a new one where
// there is none or the one there must be set aside.
func (p *Place) open(j Source) (*os.File, *coder, syncproto.Place, error) {
	none := syncproto.Place{Journal: p.Journal}
	f, err := os.OpenFile(p.name(), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return p.create()
	}
	if err != nil {
		return nil, nil, none, fmt.Errorf("open second place: %w", err)
	}
	c, at, err := p.resume(f, j)
	if err == nil {
		return f, c, at, nil
	}
	if closed := f.Close(); closed != nil || errors.Is(err, ErrAhead) || errors.Is(err, errVersion) {
		return nil, nil, none, errors.Join(err, closed)
	}
	if err := p.setAside(); err != nil {
		return nil, nil, none, err
	}
	return p.create()
}

// resume finds where the file ends.
func (p *Place) resume(f *os.File, j Source) (*coder, syncproto.Place, error) {
	at := syncproto.Place{Journal: p.Journal}
	h, err := readHead(f)
	if err != nil {
		return nil, at, err
	}
	if h.journal != p.Journal || h.union != p.Union {
		return nil, at, errHead
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, at, err
	}
	c := &coder{key: p.Key, rand: p.Rand, head: h}
	last, ok, err := c.last(f, size)
	if err != nil || !ok {
		return c, at, err
	}
	if head := j.Head(); last.Place.Seq > head.Seq {
		return c, at, ErrAhead
	}
	mine, err := j.Frame(last.Place.Seq)
	if err != nil {
		return c, at, err
	}
	if mine.Place != last.Place {
		return c, at, errors.New("it holds another branch")
	}
	return c, last.Place, nil
}

// Fits looks at the end of the file: nil if it can be copied to as it is, also where there is
// none yet; [ErrAbsent] or [ErrAhead]; any other error if it would be set aside.
func (p *Place) Fits(j Source) error {
	if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
		return ErrAbsent
	}
	f, err := os.Open(p.name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at second place: %w", err)
	}
	_, _, err = p.resume(f, j)
	return errors.Join(err, f.Close())
}

func (p *Place) create() (*os.File, *coder, syncproto.Place, error) {
	at := syncproto.Place{Journal: p.Journal}
	c := &coder{key: p.Key, rand: p.Rand, head: head{journal: p.Journal, union: p.Union}}
	if _, err := io.ReadFull(p.Rand, c.head.id[:]); err != nil {
		return nil, nil, at, fmt.Errorf("make second place: %w", err)
	}
	f, err := os.OpenFile(p.name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, at, fmt.Errorf("make second place: %w", err)
	}
	if _, err := f.Write(c.head.encode()); err != nil {
		return nil, nil, at, errors.Join(fmt.Errorf("make second place: %w", err), f.Close())
	}
	return f, c, at, nil
}

// setAside makes the file a part. It is kept: nobody knows what it holds alone.
func (p *Place) setAside() error {
	for n := 1; ; n++ {
		part := p.name() + "." + strconv.Itoa(n)
		if _, err := os.Lstat(part); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(p.name(), part); err != nil {
				return fmt.Errorf("set second place aside: %w", err)
			}
			return nil
		}
	}
}

// Read gives every entry of the journal that can be read in the second place, parts
// included, by number; of each number those with different hashes.
func (p *Place) Read() (map[uint64][]journal.Frame, error) {
	out := map[uint64][]journal.Frame{}
	names, err := filepath.Glob(escape(p.name()) + "*")
	if err != nil {
		return nil, fmt.Errorf("read second place: %w", err)
	}
	for _, name := range names {
		err := p.readFile(name, func(f journal.Frame) {
			same := func(x journal.Frame) bool { return x.Place == f.Place }
			if !slices.ContainsFunc(out[f.Place.Seq], same) {
				out[f.Place.Seq] = append(out[f.Place.Seq], f)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// escape keeps a name from being read as a pattern.
func escape(name string) string {
	return strings.NewReplacer("*", "?", "[", "?", `\`, string(filepath.Separator)).Replace(name)
}

// readFile reads what can be read of one file.
func (p *Place) readFile(name string, do func(journal.Frame)) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read second place: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	h, err := readHead(f)
	if err != nil || h.journal != p.Journal || h.union != p.Union {
		return nil // not ours, or nothing in it can be read
	}
	c := &coder{key: p.Key, head: h}
	err = c.each(f, func(frame journal.Frame) error {
		do(frame)
		return nil
	})
	if err != nil && !errors.Is(err, errCut) {
		return fmt.Errorf("read second place: %w", err)
	}
	return nil
}

// Missing gives what the journal lacks: the entries that follow its head, in order, and
// those of another branch, by number.
func (p *Place) Missing(j Source) (follow, branch []journal.Frame, err error) {
	all, err := p.Read()
	if err != nil || len(all) == 0 {
		return nil, nil, err
	}
	return Lacking(j, all)
}

// Lacking sorts entries, by number, into those that follow the journal's head, in order, and
// those of another branch. What the journal has is neither.
func Lacking(j Source, all map[uint64][]journal.Frame) (follow, branch []journal.Frame, err error) {
	follow = longest(all, j.Head())
	taken := map[syncproto.Place]bool{}
	for _, f := range follow {
		taken[f.Place] = true
	}
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		for _, f := range all[seq] {
			if taken[f.Place] {
				continue
			}
			if seq <= j.Head().Seq {
				mine, err := j.Frame(seq)
				if err != nil {
					return nil, nil, err
				}
				if mine.Place == f.Place {
					continue
				}
			}
			branch = append(branch, f)
		}
	}
	return follow, branch, nil
}

// longest gives the longest chain of entries that follows a place.
func longest(all map[uint64][]journal.Frame, at syncproto.Place) []journal.Frame {
	// From the newest number down: how long each chain is from there on.
	length := map[syncproto.Place]int{}
	next := map[syncproto.Place]journal.Frame{}
	for _, seq := range slices.Backward(slices.Sorted(maps.Keys(all))) {
		if seq <= at.Seq {
			break
		}
		for _, f := range all[seq] {
			before := syncproto.Place{Journal: f.Place.Journal, Seq: seq - 1, Hash: f.Previous}
			if n := length[f.Place] + 1; n > length[before] {
				length[before], next[before] = n, f
			}
		}
	}
	var out []journal.Frame
	for f, ok := next[at]; ok; f, ok = next[f.Place] {
		out = append(out, f)
	}
	return out
}

// Journals gives the journals of a union that a folder holds entries of which open with the
// key, the one with most entries first.
func Journals(dir, union string, key *[seal.KeySize]byte) ([]syncproto.JournalID, error) {
	names, err := filepath.Glob(filepath.Join(escape(dir), escape(union)+"-*"+suffix+"*"))
	if err != nil {
		return nil, fmt.Errorf("look through second place: %w", err)
	}
	count := map[syncproto.JournalID]int{}
	for _, name := range names {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), union+"-"), suffix)
		n, err := strconv.ParseUint(id, 16, 64)
		if err != nil || count[syncproto.JournalID(n)] > 0 {
			continue
		}
		p := Place{Dir: dir, Union: union, Journal: syncproto.JournalID(n), Key: key}
		all, err := p.Read()
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			count[p.Journal] = len(all)
		}
	}
	var out []syncproto.JournalID
	for id := range count {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b syncproto.JournalID) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a.String(), b.String())
	})
	return out, nil
}

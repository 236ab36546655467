package store

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// TestRandomLife: random saves, pages, bases, clean and unclean stops and lost files
// against the naive model: what is shown always equals layer + pending, and no own change
// is ever missing.
func TestRandomLife(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "life")
		must(t, err)
		m := &life{t: t, dir: dir, j: newJournal(), layer: map[syncproto.RecordKey]*merge.Record{}}
		m.s, _ = open(t, dir, m.j)
		defer func() { _ = m.s.Close() }()
		actions := []func(*rapid.T){m.save, m.save, m.page, m.page, m.base, m.closeAndOpen, m.kill, m.lose}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			rapid.SampledFrom(actions).Draw(r, "action")(r)
			m.check(r)
		}
	})
}

type life struct {
	t    *testing.T
	dir  string
	j    *fakeJournal
	s    *Store
	next byte

	layer   map[syncproto.RecordKey]*merge.Record // what the store's layer should be
	settled uint64
	based   map[syncproto.RecordKey]*merge.Record // what the base holds
	basedTo uint64
	hasBase bool
}

func (m *life) save(r *rapid.T) {
	var owns []Own
	for range rapid.IntRange(1, 3).Draw(r, "group") {
		m.next++
		id := rapid.ByteRange(1, 4).Draw(r, "id")
		owns = append(owns, m.j.append(m.s, id, fmt.Sprint("n", m.next%3), fmt.Sprint(m.next)))
	}
	must(m.t, m.s.Add(owns))
}

func (m *life) page(r *rapid.T) {
	n := rapid.IntRange(0, len(m.j.owns)-m.j.settled).Draw(r, "answered")
	u := m.j.answer(n, func(uint64) bool { return rapid.IntRange(0, 5).Draw(r, "hold") == 0 })
	if rapid.Bool().Draw(r, "foreign") {
		u.Puts = append(u.Puts, m.j.foreign(rapid.ByteRange(1, 5).Draw(r, "of"), fmt.Sprint("f", m.next)))
	}
	// After a lost base everything comes again, as from cursor 0.
	for key, rec := range m.j.centre {
		if m.layer[key] == nil {
			u.Puts = append(u.Puts, Put{key, rec})
		}
	}
	must(m.t, m.s.Settle(u))
	for _, p := range u.Puts {
		m.layer[p.Key] = m.j.centre[p.Key]
	}
	m.settled = u.Meta.Settled.Seq
}

func (m *life) base(*rapid.T) {
	must(m.t, m.s.WriteBase())
	m.based, m.basedTo, m.hasBase = maps.Clone(m.layer), m.settled, true
}

func (m *life) closeAndOpen(*rapid.T) {
	must(m.t, m.s.Close())
	var met Opened
	if m.s, met = open(m.t, m.dir, m.j); met.Rebuilt {
		m.t.Errorf("made again after a clean close: %s", met.Reason)
	}
}

// kill copies the folder as it is and goes on in the copy, perhaps with a change that the
// journal has and the store never saw.
func (m *life) kill(r *rapid.T) {
	dir, err := os.MkdirTemp(m.t.TempDir(), "killed")
	must(m.t, err)
	must(m.t, os.CopyFS(dir, os.DirFS(m.dir)))
	if rapid.Bool().Draw(r, "between append and store") {
		m.next++
		m.j.append(m.s, 1, "killed", fmt.Sprint(m.next))
	}
	must(m.t, m.s.Close())
	m.dir = dir
	m.reopenFromBase()
}

// lose closes cleanly and damages any one file.
func (m *life) lose(r *rapid.T) {
	must(m.t, m.s.Close())
	files, err := filepath.Glob(filepath.Join(m.dir, DirName, "*"))
	must(m.t, err)
	file := rapid.SampledFrom(files).Draw(r, "file")
	damage := damages[rapid.IntRange(0, 4).Draw(r, "damage")]
	before, _ := os.ReadFile(file)
	must(m.t, damage.do(file))
	if after, err := os.ReadFile(file); err == nil && string(after) == string(before) {
		m.s, _ = open(m.t, m.dir, m.j)
		return // an empty file cannot be damaged much
	}
	m.reopenFromBase()
}

func (m *life) reopenFromBase() {
	var met Opened
	if m.s, met = open(m.t, m.dir, m.j); !met.Rebuilt {
		m.t.Error("a store that may be damaged was opened")
	}
	m.layer, m.settled = map[syncproto.RecordKey]*merge.Record{}, 0
	if m.hasBase {
		m.layer, m.settled = maps.Clone(m.based), m.basedTo
	}
}

func (m *life) check(r *rapid.T) {
	if d := cmp.Diff(m.j.want(m.layer, m.settled), shown(m.t, m.s)); d != "" {
		r.Fatalf("shown is not layer + pending: %s", d)
	}
	if c, err := m.s.Check(); c.Digest != c.Stored || c.Wrong > 0 || err != nil {
		r.Fatalf("check: %+v %v", c, err)
	}
	for _, o := range m.j.owns {
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		must(m.t, err)
		if rec, err := m.s.View(c.Key()); !o.out() && (rec == nil || err != nil) {
			r.Fatalf("the record of change %d is missing: %v", o.Place.Seq, err)
		}
	}
}

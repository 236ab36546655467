package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
)

// power is a PC's power: whether it will be cut, and what the disk held in that moment.
// What the program does after that is undone.
type power struct {
	armed bool
	left  int // steps until it is cut
	dead  bool
	tear  []byte // the journal before the commit that is to be torn
	image *image
	base  []byte // the base before the act that is cut
}

// image is what a disk holds of one union.
type image struct {
	journal []byte
	base    []byte
	torn    bool // a temporary file of the base lies about
}

// risky does something that a power cut may hit.
func (s *seat) risky(do func() error) error {
	if !s.pc.dice.chance(s.pc.w.habits.crash) {
		return do()
	}
	s.power = power{armed: true, left: s.pc.dice.IntN(12), base: s.read(store.BaseName)}
	err := do()
	if err != nil && !s.power.dead {
		s.power = power{}
		return err
	}
	if !s.power.dead {
		s.die(s.read(journal.FileName)) // at rest
	}
	return s.revive()
}

// fault is asked at each step of a write.
func (s *seat) fault(step union.Step) error {
	p := &s.power
	switch {
	case p.dead:
		return errDead
	case !p.armed:
		return nil
	case p.tear != nil && step == union.StepJournalDone:
		s.die(s.tornJournal(p.tear, s.read(journal.FileName)))
		return errDead
	}
	if p.left--; p.left > 0 {
		return nil
	}
	if step == union.StepJournal && s.pc.dice.chance(0.6) {
		p.tear = s.read(journal.FileName)
		return nil
	}
	s.die(s.read(journal.FileName))
	return errDead
}

// die keeps what the disk holds.
func (s *seat) die(j []byte) {
	s.power.dead = true
	s.power.image = &image{journal: j, base: s.read(store.BaseName)}
	if s.pc.dice.chance(0.3) && !bytes.Equal(s.power.base, s.power.image.base) {
		// Before the folder was synced the rename of the base may be lost.
		s.power.image.base, s.power.image.torn = s.power.base, true
	}
	s.pc.w.trace.line("%s power cut", s)
	s.pc.w.fault("power cut")
}

// revive starts the PC again with what its disk held.
func (s *seat) revive() error {
	im := s.power.image
	_ = s.u.Close() // the program has died long ago; this gives its memory back
	s.power = power{}
	if err := s.write(im); err != nil {
		return err
	}
	if s.pc.dice.chance(s.pc.w.habits.damage) {
		if err := s.harm(); err != nil {
			return err
		}
	}
	return s.open()
}

// write puts an image into the folder. The store's folder stays as it lies: without the
// note of a clean close nobody opens it.
func (s *seat) write(im *image) error {
	if err := os.RemoveAll(s.path(store.CleanName)); err != nil {
		return err
	}
	if err := os.WriteFile(s.path(journal.FileName), im.journal, 0o600); err != nil {
		return err
	}
	if im.torn {
		name := s.path(bytesPattern())
		if err := os.WriteFile(name, []byte("half a base"), 0o600); err != nil {
			return err
		}
	}
	if im.base == nil {
		return os.RemoveAll(s.path(store.BaseName))
	}
	return os.WriteFile(s.path(store.BaseName), im.base, 0o600)
}

// bytesPattern is a name as a file has that is being replaced.
func bytesPattern() string {
	return string(bytes.ReplaceAll([]byte(atomicfile.TempPattern), []byte("*"), []byte("1")))
}

func (s *seat) path(name string) string { return filepath.Join(s.dir, name) }

// read gives a file, nil if there is none.
func (s *seat) read(name string) []byte {
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		return nil
	}
	return b
}

// tornJournal mixes two images of the journal's file as a power cut in its commit leaves it:
// bbolt syncs its pages, then writes and syncs one of the two meta pages at the front.
func (s *seat) tornJournal(before, after []byte) []byte {
	d, page, synced := s.pc.dice, os.Getpagesize(), s.pc.dice.chance(0.5)
	out := bytes.Clone(after)
	for at := 0; at+page <= len(out); at += page {
		old := make([]byte, page)
		if at < len(before) {
			copy(old, before[at:])
		}
		if bytes.Equal(old, out[at:at+page]) {
			continue
		}
		meta := at < 2*page
		switch which := d.IntN(3); {
		case meta && !synced, !meta && !synced && which == 0, meta && which == 0:
			copy(out[at:], old)
		case meta == synced && which == 1: // torn inside a sector
			copy(out[at+d.IntN(512):], old[:page-512])
		}
	}
	return out
}

// harm damages one entry of the journal's file, as a bad sector does.
func (s *seat) harm() error {
	if s.head.Seq == 0 {
		return nil
	}
	seq := uint64(s.pc.dice.between(1, int(s.head.Seq)))
	db, err := bbolt.Open(s.path(journal.FileName), 0o600, nil)
	if err != nil {
		return fmt.Errorf("harm journal: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, key := tx.Bucket([]byte("frames")), seqKey(seq)
		v := bytes.Clone(b.Get(key))
		if len(v) < 100 {
			return fmt.Errorf("harm journal: entry %d has %d bytes", seq, len(v))
		}
		v[65+s.pc.dice.IntN(len(v)-65)] ^= 0x40
		return b.Put(key, v)
	})
	if e := db.Close(); err == nil {
		err = e
	}
	s.damaged[seq] = true
	s.pc.w.oracle.harm(s.own[seq-1], s)
	s.pc.w.trace.line("%s harmed %d", s, seq)
	s.pc.w.fault("frame damaged")
	return err
}

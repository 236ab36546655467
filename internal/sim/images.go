package sim

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/syncproto"
)

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// pcImage is a copy of a whole PC, as a backup program or a virtual machine makes it.
type pcImage struct{ seats []seatImage }

type seatImage struct {
	image
	own     []syncproto.Dot
	head    syncproto.Place
	holds   map[syncproto.Dot]bool
	damaged map[uint64]bool
}

const (
	maxImages = 3
	maxClones = 2
)

// imageDay takes an image of the PC, puts it back to one, or makes another PC of one.
func (p *pc) imageDay() error {
	switch {
	case len(p.images) == 0 || p.dice.chance(0.4):
		p.takeImage()
		return nil
	case p.dice.chance(0.7) || p.clones >= maxClones || len(p.w.pcs) >= maxPCs:
		return p.putBack(one(p.dice, p.images))
	}
	return p.clone(one(p.dice, p.images))
}

func (p *pc) takeImage() {
	im := &pcImage{}
	for _, s := range p.seats {
		im.seats = append(im.seats, seatImage{
			image: image{journal: s.read(journal.FileName), base: s.read(store.BaseName)},
			own:   slices.Clone(s.own), head: s.head, holds: maps.Clone(s.holds), damaged: maps.Clone(s.damaged),
		})
	}
	p.images = append(p.images, im)
	if len(p.images) > maxImages {
		p.images = p.images[1:]
	}
	p.w.trace.line("%s image", p.name)
	p.w.note("image taken")
}

// putBack makes the PC what it was when the image was taken.
func (p *pc) putBack(im *pcImage) error {
	p.w.trace.line("%s put back to an image", p.name)
	p.w.fault("PC put back")
	for i, s := range p.seats {
		if err := s.u.Close(); err != nil {
			return p.w.violate("%s: close: %v", s, err)
		}
		if err := s.become(im.seats[i]); err != nil {
			return err
		}
	}
	return nil
}

// become opens an image in place of what the seat is.
func (s *seat) become(im seatImage) error {
	s.own, s.head, s.holds, s.damaged = slices.Clone(im.own), im.head, maps.Clone(im.holds), maps.Clone(im.damaged)
	if err := s.write(&im.image); err != nil {
		return err
	}
	return s.open()
}

// clone makes another PC with the same identity, which goes on by itself.
func (p *pc) clone(im *pcImage) error {
	p.clones++
	name := fmt.Sprintf("%s-%d", p.name, p.clones)
	c := &pc{w: p.w, name: name, id: p.id, key: p.key, keyID: p.keyID, dice: roll(p.w.o.Seed, "pc "+name), bytes: cloneSource(p.w.o.Seed, name), clones: maxClones, cert: p.cert, kinds: p.kinds, revoked: p.revoked}
	p.w.pcs = append(p.w.pcs, c)
	p.w.trace.line("%s cloned as %s", p.name, name)
	p.w.fault("PC cloned")
	for i, was := range p.seats {
		s := &seat{pc: c, union: was.union, dir: filepath.Join(p.w.dir, name, was.union)}
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return err
		}
		c.seats = append(c.seats, s)
		if err := s.become(im.seats[i]); err != nil {
			return err
		}
	}
	return nil
}

func cloneSource(seed uint64, name string) *rand.ChaCha8 { return source(seed, name) }

// copyStore reads the store's folder as it is now, with the note of its last clean close.
func (s *seat) copyStore() map[string][]byte {
	out := map[string][]byte{}
	entries, err := os.ReadDir(s.path(store.DirName))
	if err != nil {
		return out
	}
	for _, e := range entries {
		out[filepath.Join(store.DirName, e.Name())] = s.read(filepath.Join(store.DirName, e.Name()))
	}
	return out
}

// putBack replaces the store's files by older ones; the note of the clean close stays.
func (s *seat) putBack(files map[string][]byte) error {
	if err := os.RemoveAll(s.path(store.DirName)); err != nil {
		return err
	}
	if err := os.Mkdir(s.path(store.DirName), 0o700); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(s.path(name), files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

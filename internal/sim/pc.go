package sim

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"unionsync/agent/union"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// pc is one device: its key, its clock, and a seat for each union that it holds.
type pc struct {
	w       *world
	name    string
	id      []byte
	key     ed25519.PrivateKey
	keyID   string
	dice    dice
	bytes   *rand.ChaCha8 // what the system's randomness gives this PC
	seats   []*seat
	ahead   time.Duration // of the centre's clock
	images  []*pcImage
	clones  int
	cert    []byte
	kinds   *kind.Set // of its program: newer ones from the next start on
	revoked bool
	born    uint16 // the life of the centre that enrolled it
}

// newPC enrols a PC for some unions and makes their folders.
func (w *world) newPC(name string, unions []string) error {
	p := &pc{w: w, name: name, id: make([]byte, 16), dice: roll(w.o.Seed, "pc "+name), bytes: source(w.o.Seed, name), kinds: w.kinds}
	seed := make([]byte, ed25519.SeedSize)
	for _, b := range [][]byte{p.id, seed} {
		_, _ = p.bytes.Read(b) // ChaCha8 never fails
	}
	p.key = ed25519.NewKeyFromSeed(seed)
	p.keyID = tlsid.KeyIDOf(p.public()).String()
	p.born = w.centre.head().Generation()
	w.pcs = append(w.pcs, p)
	slices.Sort(unions)
	cert, err := w.centre.node.City.SignDevice(p.public(), hex.EncodeToString(p.id), w.now, unions...)
	if err != nil {
		return err
	}
	p.cert = cert.Raw
	for _, code := range unions {
		if err := w.centre.enrol(p, code); err != nil {
			return err
		}
		s := &seat{pc: p, union: code, dir: filepath.Join(w.dir, name, code), holds: map[syncproto.Dot]bool{}, damaged: map[uint64]bool{}}
		p.seats = append(p.seats, s)
		if err := s.create(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pc) public() ed25519.PublicKey { return p.key.Public().(ed25519.PublicKey) }

// now is the PC's own clock.
func (p *pc) now() time.Time { return p.w.now.Add(p.ahead) }

// party is who this PC is in an exchange.
func (p *pc) party() union.Party {
	return union.Party{
		CA:     p.w.centre.node.City.Certificate(),
		Device: p.id,
		Sign:   func(msg []byte) []byte { return seal.Sign(p.key, syncproto.DomainSegment, msg) },
		Client: &syncpb.Client{Version: "sim", System: "sim"},
	}
}

// day is a day and an evening at this PC.
func (p *pc) day() error {
	h := p.w.habits
	if p.dice.chance(h.ruin) && len(p.w.pcs) > 1 {
		return p.ruin()
	}
	if p.dice.chance(h.clock) {
		p.moveClock()
	}
	p.upgrade()
	if p.dice.chance(h.image) {
		if err := p.imageDay(); err != nil {
			return err
		}
	}
	for _, s := range p.seats {
		if p.dice.chance(h.off) {
			continue
		}
		if err := s.day(); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// moveClock sets the PC's clock to some other time: right, hours or years off, before the
// centre was made, or after everybody's life.
func (p *pc) moveClock() {
	hour, year := time.Hour, 365*24*time.Hour
	p.ahead = one(p.dice, []time.Duration{
		0, 0, 0, time.Duration(p.dice.between(-5, 5)) * hour, time.Duration(p.dice.between(-20, 20)) * year, -p.w.now.Sub(time.Unix(0, 0)), 60 * year,
	})
	p.w.trace.line("%s clock %s ahead", p.name, p.ahead)
	p.w.fault("clock moved")
}

// ruin is the end of a PC and its disk: what it alone had is gone.
func (p *pc) ruin() error {
	w := p.w
	w.trace.line("%s ruined", p.name)
	w.fault("PC ruined")
	w.pcs = slices.DeleteFunc(w.pcs, func(x *pc) bool { return x == p })
	w.late = slices.DeleteFunc(w.late, func(x *letter) bool { return x.pc == p && x.answer })
	w.sticks = slices.DeleteFunc(w.sticks, func(x *stick) bool { return x.pc == p && x.answer })
	for _, s := range p.seats {
		if err := s.u.Close(); err != nil {
			return w.violate("%s: close: %v", s, err)
		}
		s.u = nil
	}
	return os.RemoveAll(filepath.Join(w.dir, p.name))
}

package sim

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/syncpb"
)

// stick is a bundle on its way: requests to the centre, or its answers back to a device.
type stick struct {
	pc     *pc
	union  string
	file   []byte
	answer bool
}

// maxSticks bounds the bundles under way.
const maxSticks = 16

// writeBundle makes a bundle of what the centre is not known to have.
func (s *seat) writeBundle() error {
	w, p := s.pc.w, s.pc
	var id bundle.ID
	_, _ = p.bytes.Read(id[:]) // ChaCha8 never fails
	asked, requests, err := s.u.AskBundle(id, p.party())
	switch code := syncproto.CodeOf(err); {
	case s.power.dead:
		return nil
	case err != nil && (code == syncproto.CodeDiskFull && s.full || code == syncproto.CodeDeviceRevoked && p.revoked):
		return nil
	case err != nil:
		return w.violate("I8 %s: ask bundle: %v", s, err)
	}
	if p.dice.chance(0.1) { // the stick was full
		return s.deadOr(s.u.ForgetBundle(id), "forget bundle")
	}
	file, err := s.makeBundle(id, requests)
	if err != nil {
		return err
	}
	if err := s.u.BundleWritten(asked); err != nil {
		return s.deadOr(err, "bundle written")
	}
	w.trace.line("%s bundle of %d requests, last own %d", s, asked.Requests, asked.Last.Seq)
	w.note("bundle written")
	if len(w.sticks) < maxSticks {
		w.sticks = append(w.sticks, &stick{pc: p, union: s.union, file: file})
	}
	return nil
}

// deadOr makes an error a violation unless the power was cut or the disk is full.
func (s *seat) deadOr(err error, what string) error {
	if err == nil || s.power.dead || s.full && syncproto.CodeOf(err) == syncproto.CodeDiskFull {
		return nil
	}
	return s.pc.w.violate("I8 %s: %s: %v", s, what, err)
}

func (s *seat) makeBundle(id bundle.ID, requests []*syncpb.Request) ([]byte, error) {
	p, c := s.pc, s.pc.w.centre
	reply, err := seal.Recipient(p.bundleKey())
	if err != nil {
		return nil, err
	}
	city, err := seal.Recipient(c.node.City.BundleKey())
	if err != nil {
		return nil, err
	}
	g := requests[0].GetGeneration()
	b := &bundle.Bundle{
		Kind: bundle.KindRequest, ID: id, City: bundlefile.CityOf(c.node.City.Certificate()), Union: s.union, Device: bundle.Device(p.id),
		Generation: syncproto.Generation{Number: uint16(g.GetNumber()), Random: g.GetRandom()},
		MadeAt:     p.now().Unix(), ReplyTo: reply, Certificate: p.cert,
	}
	for _, q := range requests {
		m, err := proto.MarshalOptions{Deterministic: true}.Marshal(q)
		if err != nil {
			return nil, err
		}
		b.Messages = append(b.Messages, m)
	}
	return bundlefile.Make(b, city, func(msg []byte) []byte { return seal.Sign(p.key, syncproto.DomainBundle, msg) })
}

func (p *pc) bundleKey() *[32]byte { return seal.Derive(p.key.Seed(), "sim bundles") }

// carry takes some stick where it is for: in any order, late, twice, or harmed.
func (w *world) carry() error {
	if len(w.sticks) == 0 || !w.dice.chance(w.habits.carry) {
		return nil
	}
	i := w.dice.IntN(len(w.sticks))
	x := w.sticks[i]
	if w.dice.chance(0.2) {
		return w.harmed(x)
	}
	if w.dice.chance(0.8) {
		w.sticks = append(w.sticks[:i], w.sticks[i+1:]...)
	} else {
		w.fault("bundle comes again")
	}
	if x.answer {
		return w.bringHome(x)
	}
	return w.workIn(x)
}

// workIn imports a bundle at the centre; the answer goes onto a stick.
func (w *world) workIn(x *stick) error {
	out, report, err := w.centre.gate.WorkIn(context.Background(), x.file)
	w.trace.line("bundle of %s/%s worked in: %d changes, %d", x.pc.name, x.union, report.Changes, syncproto.CodeOf(err))
	if errors.Is(err, errOver) {
		return err
	}
	if err != nil {
		return w.violate("I8 a bundle of %s/%s: %v", x.pc.name, x.union, err)
	}
	w.note("bundle worked in")
	if out != nil && len(w.sticks) < maxSticks {
		w.sticks = append(w.sticks, &stick{pc: x.pc, union: x.union, file: out, answer: true})
	}
	return nil
}

// bringHome imports an answer at some PC of the device's identity: the one that asked, an
// older or another image of it.
func (w *world) bringHome(x *stick) error {
	var at []*seat
	for _, s := range w.seats() {
		if string(s.pc.id) == string(x.pc.id) && s.union == x.union {
			at = append(at, s)
		}
	}
	if len(at) == 0 {
		return nil // that PC is no more
	}
	return one(w.dice, at).takeBundle(x.file)
}

func (s *seat) takeBundle(file []byte) error {
	w := s.pc.w
	o := bundlefile.Opener{CA: w.centre.node.City.Certificate(), Key: s.pc.bundleKey(), Kind: bundle.KindAnswer, Device: bundle.Device(s.pc.id)}
	b, _, err := o.Open(file)
	if err != nil {
		return w.violate("%s: an answer bundle does not open: %v", s, err)
	}
	var answers []*syncpb.Response
	for _, m := range b.Messages {
		r := new(syncpb.Response)
		if err := proto.Unmarshal(m, r); err != nil {
			return w.violate("%s: an answer bundle cannot be read: %v", s, err)
		}
		answers = append(answers, r)
	}
	return s.risky(func() error {
		r, err := s.u.TakeBundle(context.Background(), answers, s.pc.party())
		if s.power.dead {
			return nil
		}
		w.trace.line("%s bundle taken: %d answers, sent %d received %d, %d", s, len(answers), r.Sent, r.Received, syncproto.CodeOf(err))
		s.held = s.held || r.Held > 0
		if err := s.alarming(r); err != nil {
			return err
		}
		switch code := syncproto.CodeOf(err); {
		case err == nil:
			w.note("bundle taken")
		case code == syncproto.CodeBundleUnasked: // another image's, or forgotten
			w.note("bundle of another image")
		case code == syncproto.CodeDeviceRevoked && s.pc.revoked:
		default:
			return w.violate("I8 %s: take bundle: %v", s, err)
		}
		return nil
	})
}

// harmed brings a stick whose file was changed, cut, or is not this city's: it must be
// refused by name, and nothing may be changed.
func (w *world) harmed(x *stick) error {
	w.fault("bundle harmed")
	file := append([]byte(nil), x.file...)
	if w.dice.chance(0.5) {
		file = file[:w.dice.IntN(len(file))]
	} else {
		file[w.dice.IntN(len(file))] ^= 1 << w.dice.IntN(8)
	}
	head := w.centre.head()
	_, _, err := w.centre.gate.WorkIn(context.Background(), file)
	if code := syncproto.CodeOf(err); err == nil || code < syncproto.CodeBundleForm || code > syncproto.CodeBundleNone {
		return w.violate("a harmed bundle is not refused by name: %v", err)
	}
	o := bundlefile.Opener{CA: w.centre.node.City.Certificate(), Key: x.pc.bundleKey(), Kind: bundle.KindAnswer, Device: bundle.Device(x.pc.id)}
	if _, _, err := o.Open(file); err == nil {
		return w.violate("a harmed answer bundle opens")
	}
	if w.centre.head() != head {
		return w.violate("a harmed bundle changed the centre")
	}
	return nil
}

// newcomer enrols another PC in some union, long after the centre began.
func (w *world) newcomer() error {
	if len(w.pcs) >= maxPCs && w.city == nil || !w.dice.chance(w.habits.newcomer) {
		return nil
	}
	w.newcomers++
	w.note("newcomer")
	err := w.newPC(fmt.Sprintf("new%d", w.newcomers), []string{one(w.dice, w.codes)})
	return err
}

// maxPCs bounds a world.
const maxPCs = 12

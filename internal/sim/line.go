package sim

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// line carries one exchange's rounds and fails as lines do.
type line struct {
	w      *world
	s      *seat
	rounds int
	faults int // rounds that did not come through by intent
	stale  int // answers to other requests that were given
	last   *taken
}

// taken is a round whose answer the agent got; whether it took it shows at the next one.
type taken struct {
	q *syncpb.Request
	r *syncpb.Response
}

// letter is a message that was delayed.
type letter struct {
	pc     *pc // who sent it, or whom it is for
	union  string
	bytes  []byte
	answer bool
	night  int // when it comes
}

// maxLate bounds the letters under way.
const maxLate = 24

// fate is what becomes of a round.
type fate int

const (
	through fate = iota
	requestCut
	requestLost
	answerCut
	answerLost
	doubled
	requestLate // lost now, and comes to the centre another night
	answerLate
	staleAnswer // what comes is the answer to another request
	numFates
)

var fateNames = [numFates]string{"", "request cut", "request lost", "answer cut", "answer lost", "request doubled", "request late", "answer late", "stale answer"}

func (l *line) draw() fate {
	d := l.s.pc.dice
	switch {
	case l.w.peace:
		return through
	case d.chance(l.w.habits.stale) && l.staleLetter() != nil:
		return staleAnswer
	case d.chance(l.w.habits.lineFault):
		return fate(d.between(int(requestCut), int(answerLate)))
	}
	return through
}

// Exchange implements union.Transport.
func (l *line) Exchange(_ context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	if l.s.power.dead {
		return nil, syncproto.Fail(syncproto.CodeUnreachable, "sim", errDead)
	}
	if l.rounds++; l.rounds > maxRounds {
		return nil, l.w.violate("I8 %s: an exchange of %d rounds", l.s, l.rounds)
	}
	if err := l.follow(q); err != nil {
		return nil, err
	}
	f := l.draw()
	if f != through {
		l.w.fault(fateNames[f])
		l.w.trace.line("%s round: %s", l.s, fateNames[f])
	}
	b, err := l.carry(q, f == requestCut)
	if err != nil {
		return nil, err
	}
	switch f {
	case requestLost:
		return nil, l.cut()
	case requestLate:
		l.later(b, false)
		return nil, l.cut()
	case staleAnswer:
		return l.old()
	}
	if err := l.midway(); err != nil {
		return nil, err
	}
	return l.answered(q, b, f)
}

// maxRounds is far above what an exchange of these worlds needs.
const maxRounds = 3000

// answered lets the centre answer and brings the answer home.
func (l *line) answered(q *syncpb.Request, b []byte, f fate) (*syncpb.Response, error) {
	r, err := l.w.deliver(l.s.pc, b)
	if f == doubled && err == nil {
		r, err = l.w.deliver(l.s.pc, b)
	}
	if err != nil {
		return nil, err
	}
	rb, err := l.carry(r, f == answerCut)
	switch {
	case err != nil:
		return nil, err
	case f == answerLate:
		l.later(rb, true)
		return nil, l.cut()
	case f == answerLost:
		return nil, l.cut()
	}
	if l.s.pc.dice.chance(l.w.habits.stale) {
		l.later(rb, true) // it comes now and once more
	}
	home := new(syncpb.Response)
	if err := proto.Unmarshal(rb, home); err != nil {
		return nil, l.w.violate("%s: an answer cannot be read: %v", l.s, err)
	}
	l.last = &taken{q: proto.CloneOf(q), r: proto.CloneOf(home)}
	l.tell(q, home)
	return home, l.w.oracle.answer(l.w, l.s, q, home)
}

// deliver gives a request to the centre.
func (w *world) deliver(p *pc, b []byte) (*syncpb.Response, error) {
	q := new(syncpb.Request)
	if err := proto.Unmarshal(b, q); err != nil {
		return nil, w.violate("%s: a request cannot be read: %v", p.name, err)
	}
	r, err := w.centre.answer(p, q)
	if w.city == nil || err != nil {
		return r, err
	}
	if err := w.centre.gate.Flush(context.Background()); err != nil { // its note counts before the next one comes
		return nil, err
	}
	w.city.tell(w, p, q.GetUnion(), syncproto.Position(q.GetProved().GetCursor()), q.GetProved().GetDigest())
	return r, nil
}

func (l *line) cut() error {
	l.faults++
	return syncproto.Fail(syncproto.CodeCut, "sim", errors.New("the line broke"))
}

// carry encodes a message. One that is cut, or longer than the line bears, does not arrive:
// what is left of it must never be taken for whole.
func (l *line) carry(m proto.Message, cut bool) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	most := l.w.habits.lineBytes
	if most > 0 && !l.w.peace && len(b) > most {
		l.w.fault("longer than the line bears")
		return nil, l.cut()
	}
	if !cut {
		return b, nil
	}
	packed := pack(b)
	n := 1 + l.s.pc.dice.IntN(len(packed)-1)
	if _, err := unpack(packed[:n]); err == nil {
		return nil, l.w.violate("%s: %d of %d bytes were taken for a whole message", l.s, n, len(packed))
	}
	return nil, l.cut()
}

// later puts a message among those under way.
func (l *line) later(b []byte, answer bool) {
	if len(l.w.late) >= maxLate {
		return
	}
	days := one(l.s.pc.dice, []int{0, 1, 2, 7, 30, 120})
	l.w.late = append(l.w.late, &letter{pc: l.s.pc, union: l.s.union, bytes: b, answer: answer, night: l.w.night + days})
}

// staleLetter finds an answer under way for this seat or for another image of its PC.
func (l *line) staleLetter() *letter {
	for _, x := range l.w.late {
		if x.answer && string(x.pc.id) == string(l.s.pc.id) && x.union == l.s.union {
			return x
		}
	}
	return nil
}

// old gives an answer to another request. The agent must not take it.
func (l *line) old() (*syncpb.Response, error) {
	x := l.staleLetter()
	if l.s.pc.dice.chance(0.5) {
		l.w.drop(x)
	}
	l.stale++
	r := new(syncpb.Response)
	if err := proto.Unmarshal(x.bytes, r); err != nil {
		return nil, l.w.violate("%s: a late answer cannot be read: %v", l.s, err)
	}
	l.last = nil
	return r, nil
}

func (w *world) drop(x *letter) {
	for i := range w.late {
		if w.late[i] == x {
			w.late = append(w.late[:i], w.late[i+1:]...)
			return
		}
	}
}

// lateLetters delivers the requests whose night has come; their answers are lost, or late
// too. Answers wait until somebody asks.
func (w *world) lateLetters() error {
	for _, x := range append([]*letter(nil), w.late...) {
		if x.night > w.night {
			continue
		}
		if x.answer {
			if w.night > x.night+60 {
				w.drop(x)
			}
			continue
		}
		w.drop(x)
		w.trace.line("late request of %s/%s", x.pc.name, x.union)
		r, err := w.deliver(x.pc, x.bytes)
		if errors.Is(err, errOver) {
			return err
		}
		if err != nil || w.dice.chance(0.5) || len(w.late) >= maxLate {
			continue
		}
		b, err := proto.Marshal(r)
		if err != nil {
			return err
		}
		w.late = append(w.late, &letter{pc: x.pc, union: x.union, bytes: b, answer: true, night: w.night + w.dice.between(0, 60)})
	}
	return nil
}

// midway is what happens while a request is under way: saving goes on, and so do others.
func (l *line) midway() error {
	d := l.s.pc.dice
	if l.w.peace || l.w.meanwhile > 0 || !d.chance(l.w.habits.midway) {
		return nil
	}
	l.w.note("midway")
	if d.chance(0.5) {
		if err := l.s.act(); err != nil || l.s.power.dead {
			return errors.Join(err, deadErr(l.s))
		}
		return nil
	}
	return l.w.atTheCentre()
}

func deadErr(s *seat) error {
	if s.power.dead {
		return syncproto.Fail(syncproto.CodeUnreachable, "sim", errDead)
	}
	return nil
}

// tell writes a round into the trace.
func (l *line) tell(q *syncpb.Request, r *syncpb.Response) {
	l.w.trace.line("  %s round %d: life %d cursor %s head %d receipt %d batch %s want %d returned %d -> life %d of %d tips %d verdicts %d refused %v receipt %d page %d log %d next %s more %v wanted %d",
		l.s, l.rounds, q.GetGeneration().GetNumber(), syncproto.Position(q.GetCursor()), q.GetHead().GetSeq(), q.GetReceipt().GetSeq(), batchOf(q), len(q.GetWant()), len(q.GetReturned()),
		r.GetGeneration().GetNumber(), len(r.GetGenerations()), len(r.GetTips()), len(r.GetVerdicts()), r.GetRefused(), r.GetReceipt().GetPlace().GetSeq(),
		len(r.GetPage().GetRecords()), len(r.GetPage().GetLog()), syncproto.Position(r.GetPage().GetNext()), r.GetPage().GetMore(), len(r.GetWanted()))
}

// batchOf names the segments of a request.
func batchOf(q *syncpb.Request) string {
	out := ""
	for _, s := range q.GetBatch() {
		out += fmt.Sprintf("[%08x %d+%d]", uint32(s.GetJournal()), s.GetFirst(), len(s.GetChanges()))
	}
	return out
}

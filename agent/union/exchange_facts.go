package union

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// What the exchange keeps in the journal's file, all numbers big endian.
const (
	exchangeBucket = "exchange"
	noticeBucket   = "notice" // code (2) → since when (8), Unix seconds
)

var (
	factNonce     = []byte("nonce")     // of the newest request
	factBudget    = []byte("budget")    // bytes (4); none: the most
	factAlarms    = []byte("alarms")    // how many there have been (4)
	factWatermark = []byte("watermark") // every backup still offered has the log up to here (8)
	factClock     = []byte("clock")     // seconds that this PC was ahead of the centre (8)
)

var errFact = errors.New("a fact of the exchange is malformed")

// ownState is what a session knows that is neither in the store nor among own changes.
type ownState struct {
	history    []byte
	budget     int
	kept       int // the budget on disk
	alarms     uint32
	keptAlarms uint32
	watermark  syncproto.Position
	keptMark   syncproto.Position
	round      session.Round
	tip        syncproto.Place
	fromZero   bool
	forked     bool
	notices    map[syncproto.Code]int64 // of this sync: since when
	before     map[syncproto.Code]int64 // as the sync before left them
}

func (u *Union) loadOwn(ca *x509.Certificate) (ownState, error) {
	o := ownState{history: historyOf(ca), notices: map[syncproto.Code]int64{}}
	o.round.Refill, o.round.Waits = true, true
	err := u.EachFact(exchangeBucket, func(k, v []byte) error {
		switch {
		case string(k) == string(factWatermark) && len(v) == 8:
			o.watermark = syncproto.Position(binary.BigEndian.Uint64(v))
		case string(k) == string(factBudget) && len(v) == 4:
			o.budget = int(binary.BigEndian.Uint32(v))
		case string(k) == string(factAlarms) && len(v) == 4:
			o.alarms = binary.BigEndian.Uint32(v)
		}
		return nil
	})
	if err != nil {
		return o, fmt.Errorf("read facts of the exchange: %w", err)
	}
	if o.budget < syncproto.MinBudgetBytes || o.budget > syncproto.MaxBatchBytes {
		o.budget = syncproto.MaxBatchBytes
	}
	o.kept, o.keptAlarms, o.keptMark = o.budget, o.alarms, o.watermark
	o.before, err = u.notices()
	return o, err
}

// fill completes the session's state.
func (o *ownState) fill(s *session.State) {
	s.History, s.Watermark, s.Round = o.history, o.watermark, o.round
	s.Budget, s.Alarms = o.budget, o.alarms
	s.Tip, s.FromZero, s.Forked = o.tip, o.fromZero, o.forked
}

// learn takes over what a round found out.
func (o *ownState) learn(s session.State) {
	o.tip, o.fromZero, o.forked, o.alarms = s.Tip, s.FromZero, s.Forked, s.Alarms
	o.watermark, o.round = s.Watermark, s.Round
}

// notice remembers what a person should know until a sync finds it gone. A digest alarm
// that ended with equal digests is over; it stays in the number of alarms.
func (o *ownState) notice(up *session.Update, now time.Time) {
	for _, c := range slices.Concat(up.Notices, up.Refused) {
		if _, ok := o.notices[c]; !ok {
			o.notices[c] = now.Unix()
		}
	}
	if up.Equal {
		delete(o.notices, syncproto.CodeDigest)
	}
}

func (o *ownState) budgetFact() Fact {
	o.kept = o.budget
	return Fact{Bucket: exchangeBucket, Key: factBudget, Value: binary.BigEndian.AppendUint32(nil, uint32(o.budget))}
}

// facts are what is to be written with a round; notices are judged when the sync is over. An
// answer that was carried tells nothing of this PC's clock.
func (o *ownState) facts(r *syncpb.Response, now time.Time, last, carried bool) []Fact {
	var out []Fact
	if o.budget != o.kept {
		out = append(out, o.budgetFact())
	}
	if o.alarms != o.keptAlarms {
		o.keptAlarms = o.alarms
		out = append(out, alarmsFact(o.alarms))
	}
	if o.watermark != o.keptMark {
		o.keptMark = o.watermark
		out = append(out, Fact{Bucket: exchangeBucket, Key: factWatermark, Value: binary.BigEndian.AppendUint64(nil, uint64(o.watermark))})
	}
	if !last {
		return out
	}
	if r.GetTime() != 0 && !carried {
		out = append(out, Fact{Bucket: exchangeBucket, Key: factClock, Value: binary.BigEndian.AppendUint64(nil, uint64(now.Unix()-r.GetTime()))})
	}
	return append(out, o.noticeFacts()...)
}

// noticeFacts replace the notices on disk by those of this sync. One that was there before
// keeps its day.
func (o *ownState) noticeFacts() []Fact {
	var out []Fact
	for c := range o.before {
		if _, ok := o.notices[c]; !ok {
			out = append(out, Fact{Bucket: noticeBucket, Key: noticeKey(c)})
		}
	}
	for c, since := range o.notices {
		if _, ok := o.before[c]; !ok {
			out = append(out, noticeFact(c, since))
		}
	}
	return out
}

func noticeKey(c syncproto.Code) []byte { return binary.BigEndian.AppendUint16(nil, uint16(c)) }

func noticeFact(c syncproto.Code, since int64) Fact {
	return Fact{Bucket: noticeBucket, Key: noticeKey(c), Value: binary.BigEndian.AppendUint64(nil, uint64(since))}
}

func alarmsFact(n uint32) Fact {
	return Fact{Bucket: exchangeBucket, Key: factAlarms, Value: binary.BigEndian.AppendUint32(nil, n)}
}

// alarm keeps that an answer did not verify; what it said is not used.
func (x *exchange) alarm(cause error) error {
	code := syncproto.CodeOf(cause)
	switch code {
	case syncproto.CodeOtherCentre, syncproto.CodeReceipt, syncproto.CodeAnswer, syncproto.CodeGeneration:
	default:
		return nil
	}
	x.own.alarms++
	x.own.keptAlarms = x.own.alarms
	facts := []Fact{alarmsFact(x.own.alarms)}
	if _, ok := x.own.before[code]; !ok {
		facts = append(facts, noticeFact(code, x.u.o.Now().Unix()))
	}
	x.r.Notices = append(x.r.Notices, code)
	return x.u.PutFacts(facts...)
}

// Notice is something about the exchange that a person should know.
type Notice struct {
	Code  syncproto.Code
	Since time.Time
}

// Notices tells what the newest sync left open, in the order of codes. A fork of which
// people closed the case is not told any more: its branches stand for ever.
func (u *Union) Notices() ([]Notice, error) {
	all, err := u.notices()
	if err != nil {
		return nil, err
	}
	if _, ok := all[syncproto.CodeForked]; ok {
		settled, err := u.forkSettled()
		if err != nil {
			return nil, err
		}
		if settled {
			delete(all, syncproto.CodeForked)
		}
	}
	out := make([]Notice, 0, len(all))
	for c, since := range all {
		out = append(out, Notice{Code: c, Since: time.Unix(since, 0)})
	}
	slices.SortFunc(out, func(a, b Notice) int { return int(a.Code) - int(b.Code) })
	return out, nil
}

func (u *Union) notices() (map[syncproto.Code]int64, error) {
	out := map[syncproto.Code]int64{}
	err := u.EachFact(noticeBucket, func(k, v []byte) error {
		if len(k) != 2 || len(v) != 8 {
			return errFact
		}
		out[syncproto.Code(binary.BigEndian.Uint16(k))] = int64(binary.BigEndian.Uint64(v))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return out, nil
}

// ClockAhead is how far this PC's clock was ahead of the centre's when the newest answer
// came; 0 if none came yet.
func (u *Union) ClockAhead() (time.Duration, error) {
	b, err := u.Fact(exchangeBucket, factClock)
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return time.Duration(int64(binary.BigEndian.Uint64(b))) * time.Second, nil
}

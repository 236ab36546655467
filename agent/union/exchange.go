package union

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Transport carries one round trip to the centre. An error of [syncproto.CodeCut] or
// [syncproto.CodeUnreachable] says nothing of what became of the request: the next one
// tells. Transports that count what they carry have a method Bytes too, see [Meter].
type Transport interface {
	Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error)
}

// Meter is a [Transport] that counts bytes: those sent and received so far.
type Meter interface{ Bytes() (sent, received int64) }

// Party is who this PC is in an exchange, and whom it trusts.
type Party struct {
	CA       *x509.Certificate       // of the city: signs whoever signs receipts
	Sign     func(msg []byte) []byte // by the device's key, for [syncproto.DomainSegment]
	Client   *syncpb.Client          // version, system and hashes; the rest is filled in
	Progress func(Result)            // called after each round; may be nil
}

// maxCuts is how many rounds in a row may be cut before a sync gives up; each halves the
// budget, so that a line that bears little is found out soon.
const maxCuts = 3

// maxRounds is far above what any sync needs; progress is asked for in every round.
const maxRounds = 100_000

// Exchange syncs with the centre until nothing is left to do. It may be cut anywhere, also
// by the end of ctx: what was settled stays, the rest comes next time. Saving goes on
// meanwhile; what is saved during a sync goes with it or with the next. The result tells
// what was done, also beside an error.
func (u *Union) Exchange(ctx context.Context, t Transport, p Party) (Result, error) {
	u.exchanging.Lock()
	defer u.exchanging.Unlock()
	x := &exchange{u: u, t: t, p: p, began: u.o.Now(), who: signers{u: u, ca: p.CA, met: map[string]signer{}}}
	err := x.run(ctx)
	err = errors.Join(err, x.end())
	x.measure()
	u.o.Log.Info("sync", "union", u.Code(), "rounds", x.r.Rounds, "sent", x.r.Sent, "received", x.r.Received,
		"held", x.r.Held, "complete", x.r.Complete, "equal", x.r.Equal, "elapsed", x.r.Elapsed)
	return x.r, err
}

// exchange is one sync.
type exchange struct {
	u     *Union
	t     Transport
	p     Party
	r     Result
	own   ownState
	who   signers
	began time.Time
	cuts  int  // in a row
	dirty bool // the layer differs from the base

	carried bool   // the answers come by stick, after who knows how long
	extra   []Fact // written with the next round
}

func (x *exchange) run(ctx context.Context) error {
	err := x.u.refuse()
	if err != nil {
		return err
	}
	if x.own, err = x.u.loadOwn(x.p.CA); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for range maxRounds {
		again, err := x.round(ctx)
		if err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		x.measure()
		if x.p.Progress != nil {
			x.p.Progress(x.r)
		}
		if !again {
			return nil
		}
	}
	return fmt.Errorf("sync: no end after %d rounds", maxRounds)
}

// round makes one request and works its answer in.
func (x *exchange) round(ctx context.Context) (again bool, err error) {
	s, err := x.state()
	if err != nil {
		return false, err
	}
	env, err := x.env(s)
	if err != nil {
		return false, err
	}
	q, sent, err := session.Ask(&s, x.u.OwnChanges(), env)
	if err != nil {
		return false, err
	}
	// The nonce is on disk before the request leaves: only this image of the journal takes
	// the answer.
	if err := x.u.PutFacts(Fact{Bucket: exchangeBucket, Key: factNonce, Value: env.Nonce}); err != nil {
		return false, err
	}
	answer, err := x.t.Exchange(ctx, q)
	if err != nil {
		return x.cut(ctx, err)
	}
	return x.take(s, sent, answer, env)
}

// cut makes the budget smaller after a round that did not come to its end, and tells
// whether to try again.
func (x *exchange) cut(ctx context.Context, err error) (again bool, _ error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if syncproto.CodeOf(err) != syncproto.CodeCut {
		return false, err
	}
	x.own.budget = max(x.own.budget/2, syncproto.MinBudgetBytes)
	if x.cuts++; x.cuts < maxCuts {
		return true, nil
	}
	return false, errors.Join(err, x.u.PutFacts(x.own.budgetFact()))
}

// take works an answer in. One that does not verify changes nothing but is remembered as
// an alarm.
func (x *exchange) take(s session.State, sent session.Sent, answer *syncpb.Response, env session.Env) (bool, error) {
	records, err := x.u.CentreRecords()
	if err != nil {
		return false, err
	}
	up, err := session.Take(s, sent, answer, x.u.OwnChanges(), records, env)
	if err != nil {
		return false, errors.Join(err, x.alarm(err))
	}
	x.cuts = 0
	x.own.learn(up.State)
	x.own.budget = min(x.own.budget*2, syncproto.MaxBatchBytes)
	known, err := x.u.known(up.Verdicts)
	if err != nil {
		return false, err
	}
	done, err := x.settle(s, up, answer)
	if err != nil {
		return false, err
	}
	x.r.add(up, answer, known, done)
	// What was saved while this round was under way goes with another.
	return up.Again || done && x.u.Head().Seq > s.Head.Seq, nil
}

// settle stores what came of a round: facts first, then layer and state, in the order that
// [Union.Settle] promises.
func (x *exchange) settle(s session.State, up *session.Update, answer *syncpb.Response) (done bool, err error) {
	st := up.State
	done = !up.Again && st.Answered >= st.Head.Seq && len(st.Wants)+len(st.Confirms) == 0 && st.Whole == st.Cursor && !st.Refetch && !st.Refill
	update, err := x.u.FromSession(s, up, answer.GetTime())
	if err != nil {
		return false, err
	}
	if update.Receipt, err = receiptBytes(up.Receipt); err != nil {
		return false, err
	}
	update.ReceiptSeq = up.Receipt.GetPlace().GetSeq()
	x.own.notice(up, x.u.o.Now())
	if update.Facts, err = x.who.facts(up.Signers); err != nil {
		return false, err
	}
	update.Facts = slices.Concat(update.Facts, x.own.facts(answer, x.u.o.Now(), !up.Again, x.carried), x.extra)
	x.extra = nil
	if done {
		update.Facts = append(update.Facts, LastExchange(x.u.o.Now().Unix()))
	}
	if err := x.u.Settle(update); err != nil {
		return false, err
	}
	x.dirty = x.dirty || len(up.Puts) > 0 || len(up.Drops) > 0 || st.Cursor != s.Cursor || st.Settled != s.Settled ||
		len(st.Confirms) != len(s.Confirms) || up.Generations != nil
	return done, nil
}

// end writes the base if the layer changed, and drops what was set aside if nothing can be
// in it alone. It runs after a cut too: the rounds before it count.
func (x *exchange) end() error {
	if x.dirty {
		if err := x.u.WriteBase(); err != nil {
			return fmt.Errorf("end sync: %w", err)
		}
	}
	if !x.r.Equal {
		return nil
	}
	records, err := x.u.CentreRecords()
	if err != nil {
		return fmt.Errorf("end sync: %w", err)
	}
	keys, err := records.Keys()
	if err != nil {
		return fmt.Errorf("end sync: %w", err)
	}
	x.r.Records = len(keys)
	if err := x.u.DropAsides(); err != nil {
		return fmt.Errorf("end sync: %w", err)
	}
	return nil
}

// state is what the session begins a round with.
func (x *exchange) state() (session.State, error) {
	s, err := x.u.SessionState()
	if err != nil {
		return s, err
	}
	x.own.fill(&s)
	return s, nil
}

func (x *exchange) env(s session.State) (session.Env, error) {
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(x.u.o.Rand, nonce); err != nil {
		return session.Env{}, fmt.Errorf("draw nonce: %w", err)
	}
	c := x.p.Client
	client := &syncpb.Client{
		Version: c.GetVersion(), System: c.GetSystem(), Addresses: c.GetAddresses(), Kinds: c.GetKinds(), Recipient: c.GetRecipient(),
		Time: x.u.o.Now().Unix(), Waiting: uint32(min(s.Head.Seq-s.Receipt.Seq, 1<<31)), Alarms: s.Alarms,
	}
	return session.Env{
		Nonce: nonce, Sign: x.p.Sign, Client: client, Class: x.u.Classes,
		Verify:     func(_ string, r *syncpb.Receipt, msg []byte) error { return verifyReceipt(x.p.CA, r, msg) },
		VerifyLife: func(g syncproto.Generation) error { return verifyLife(x.p.CA, g) },
		VerifyRun:  x.who.verify,
	}, nil
}

const nonceSize = 8

// measure fills in what can be told at any time.
func (x *exchange) measure() {
	x.r.Elapsed = x.u.o.Now().Sub(x.began)
	if m, ok := x.t.(Meter); ok {
		x.r.BytesSent, x.r.BytesReceived = m.Bytes()
	}
}

// historyOf names the centre's history by its CA.
func historyOf(ca *x509.Certificate) []byte {
	fp := tlsid.FingerprintOf(ca)
	return fp[:syncproto.HistorySize]
}

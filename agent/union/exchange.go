package union

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"unionsync/agent/journal"
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
	Device   []byte                  // id of this PC
	Sign     func(msg []byte) []byte // by the device's key, for [syncproto.DomainSegment]
	Client   *syncpb.Client          // version, system and hashes; the rest is filled in
	Kinds    KindKeeper              // keeps the centre's kind files; may be nil
	Progress func(Result)            // called before the first round and after each; may be nil
}

// KindKeeper keeps the kind files that the centre publishes. They take effect when a union
// is opened next.
type KindKeeper interface {
	// Say gives what the next request says: the hash of what is in force at the centre as far
	// Say gives what the next request says, which names this life of the centre: the hash of
	// what is in force at the centre as far as it is known here, number and version of each
	// kind here and their contents if the centre is to compare them, and signed files that the
	// centre lacks.
	Say(life *syncpb.GenerationRef) (hash uint32, have, contents []uint32, back []*syncpb.KindFile)
	// Hear takes what an answer says of kinds in force and the files that it brings. again
	// tells that another request has something to say or to fetch.
	Hear(inForce []uint32, files []*syncpb.KindFile) (again bool, err error)
}

// maxCuts is how many rounds in a row may be cut before a sync gives up: as many as halve the
// budget from the most to the least, so that one sync finds out what a line bears.
const maxCuts = 8

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
	err = errors.Join(err, x.end(), x.left(ctx))
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

	revoked bool   // the city has revoked this PC
	handed  []Fact // revocations that the newest request hands back, as they are kept then
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
	if err := x.signBranch(); err != nil {
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
		if !again && x.revoked {
			return syncproto.Fail(syncproto.CodeDeviceRevoked, "sync", nil)
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
	x.r.Left = int(s.Head.Seq - min(s.Answered, s.Head.Seq))
	if x.r.Rounds == 0 && x.p.Progress != nil {
		x.p.Progress(x.r)
	}
	env, err := x.env(s)
	if err != nil {
		return false, err
	}
	q, sent, err := session.Ask(&s, x.u.OwnChanges(), env)
	if err != nil {
		return false, err
	}
	if err := x.handBack(q); err != nil {
		return false, err
	}
	if x.p.Kinds != nil {
		x.sayKinds(q)
	}
	// The nonce is on disk before the request leaves: only this image of the journal takes
	// the answer. So is what cuts have told: however this sync ends, the next one knows.
	facts := []Fact{{Bucket: exchangeBucket, Key: factNonce, Value: env.Nonce}}
	if x.own.budget != x.own.kept {
		facts = append(facts, x.own.budgetFact())
	}
	if err := x.u.PutFacts(facts...); err != nil {
		return false, err
	}
	before := x.sent()
	answer, err := x.t.Exchange(ctx, q)
	if err != nil {
		return x.cut(ctx, err, before < 0 || x.sent() != before)
	}
	return x.take(s, sent, answer, env)
}

// signBranch signs the changes of another branch of this PC's journal, which came from its
// second place or out of a store that was set aside: each where its chain ends.
func (x *exchange) signBranch() error {
	all, err := x.u.j.Unplaced()
	if err != nil {
		return err
	}
	followed := map[syncproto.Hash]bool{}
	for _, k := range all {
		followed[k.Previous] = true
	}
	var ends []session.Kept
	for _, k := range all {
		if k.Place.Journal == x.u.j.ID() && len(k.Signature) == 0 && !followed[k.Place.Hash] {
			k.Signature = x.p.Sign(syncproto.SegmentMessage(x.u.Code(), k.Place))
			ends = append(ends, k)
		}
	}
	if len(ends) == 0 {
		return nil
	}
	return x.u.j.Update(func(tx *journal.Tx) error {
		for _, k := range ends {
			if err := tx.Keep(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// cut makes the budget smaller after a round that did not come to its end, whichever way it
// was cut, and tells whether to try again. A line that was cut before anything left says
// nothing of how much it bears.
func (x *exchange) cut(ctx context.Context, err error, left bool) (again bool, _ error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if syncproto.CodeOf(err) != syncproto.CodeCut {
		return false, err
	}
	if left {
		x.own.budget = max(x.own.budget/2, syncproto.MinBudgetBytes)
	}
	if x.cuts++; x.cuts < maxCuts {
		return true, nil
	}
	return false, err
}

// sent is how many bytes have left so far; -1: not known.
func (x *exchange) sent() int64 {
	if m, ok := x.t.(Meter); ok {
		sent, _ := m.Bytes()
		return sent
	}
	return -1
}

// sayKinds adds to a request what it says of kind files.
func (x *exchange) sayKinds(q *syncpb.Request) {
	hash, have, contents, back := x.p.Kinds.Say(q.GetGeneration())
	q.Client.Kinds, q.Client.HaveKinds, q.Client.HaveContents = hash, have, contents
	for _, f := range back {
		q.Returned = append(q.Returned, &syncpb.Returned{Kind: f})
	}
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
	revoked, err := x.revocations(&syncpb.GenerationRef{Number: uint32(sent.Life.Number), Random: sent.Life.Random}, answer)
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
	done, err := x.settle(s, up, answer, revoked)
	if err != nil {
		return false, err
	}
	x.r.add(up, answer, known, done)
	if x.p.Kinds != nil {
		again, err := x.p.Kinds.Hear(answer.GetKindsInForce(), answer.GetKinds())
		if err != nil {
			return false, err
		}
		up.Again = up.Again || again
	}
	// What was saved while this round was under way goes with another.
	return up.Again || done && x.u.Head().Seq > s.Head.Seq, nil
}

// settle stores what came of a round: facts first, then layer and state, in the order that
// [Union.Settle] promises.
func (x *exchange) settle(s session.State, up *session.Update, answer *syncpb.Response, facts []Fact) (done bool, err error) {
	st := up.State
	left := len(st.Wants) + len(st.Confirms)
	done = !x.revoked && !up.Again && st.Answered >= st.Head.Seq && left == 0 && st.Whole == st.Cursor && !st.Refetch && !st.Waits
	update, err := x.u.FromSession(s, up, answer.GetTime())
	if err != nil {
		return false, err
	}
	if update.Receipt, err = receiptBytes(up.Receipt); err != nil {
		return false, err
	}
	update.ReceiptSeq = up.Receipt.GetPlace().GetSeq()
	if len(up.Differing) > 0 {
		x.u.noteDiffering(up.Differing)
		up.Notices = append(up.Notices, syncproto.CodeDiffering)
	}
	x.own.notice(up, x.u.o.Now())
	if update.Facts, err = x.who.facts(up.Signers); err != nil {
		return false, err
	}
	update.Facts = slices.Concat(update.Facts, x.own.facts(answer, x.u.o.Now(), !up.Again, x.carried), facts, x.extra)
	x.extra = nil
	if done {
		update.Facts = append(update.Facts, LastExchange(x.u.o.Now().Unix()))
	}
	news, err := x.u.noteNews(up)
	if err != nil {
		return false, err
	}
	update.Facts = append(update.Facts, news...)
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

// left counts what a sync leaves to the person.
func (x *exchange) left(ctx context.Context) error {
	if x.r.Rounds == 0 || ctx.Err() != nil {
		return nil //nolint:nilerr // nobody waits for it any more
	}
	cases, err := x.u.Cases(ctx)
	if err != nil {
		return fmt.Errorf("end sync: %w", err)
	}
	news, err := x.u.News(ctx)
	if err != nil {
		return fmt.Errorf("end sync: %w", err)
	}
	x.r.Cases, x.r.News = len(Confirmed(cases)), len(news)
	if slices.Contains(x.r.Notices, syncproto.CodeForked) {
		x.r.ForkSettled, err = x.u.forkSettled()
	}
	return err
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

package union

import (
	"context"
	"errors"
	"fmt"

	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// maxBundleRequests bounds a bundle to some 24 MiB: what is beyond goes into one that is made
// when the answer has come.
const maxBundleRequests = 96

// AskBundle makes the requests of one bundle: everything that the centre is not known to
// have, as far as it fits, and asks for the feed. What it takes to use the answers is in the
// journal before it returns: only this image of the journal takes them, each once. A bundle
// that was not written after all is to be forgotten with [Union.ForgetBundle].
func (u *Union) AskBundle(id bundle.ID, p Party) (Asked, []*syncpb.Request, error) {
	u.exchanging.Lock()
	defer u.exchanging.Unlock()
	x := u.carriedExchange(p)
	err := u.refuse()
	if err != nil {
		return Asked{}, nil, err
	}
	if x.own, err = u.loadOwn(p.CA); err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	x.own.budget = syncproto.MaxBatchBytes
	if err := x.signBranch(); err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	s, err := x.state()
	if err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	s.Return = len(s.Lineage) > 1 // nobody can be asked first whether the centre knows them all
	requests, sents, err := session.AskAll(&s, u.OwnChanges(), maxBundleRequests, func() (session.Env, error) { return x.env(s) })
	if err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	if err := x.complete(requests); err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	a, facts, err := u.askedOf(id, sents)
	if err != nil {
		return Asked{}, nil, fmt.Errorf("ask bundle: %w", err)
	}
	a.More = len(requests) == maxBundleRequests && a.Last.Seq < s.Head.Seq
	return a, requests, u.PutFacts(append(facts, a.fact())...)
}

// complete adds what is not the session's: what the city signed and may lack goes with the
// first request. Of the feed each would bring the same, so only the first asks for much.
func (x *exchange) complete(requests []*syncpb.Request) error {
	if err := x.handBack(requests[0]); err != nil {
		return err
	}
	for i, q := range requests {
		if x.p.Kinds != nil {
			x.sayKinds(q)
		}
		if i > 0 {
			q.Budget, q.Returned = syncproto.MinBudgetBytes, nil
		}
	}
	return nil
}

// askedOf tells what the requests of a bundle carry, and keeps what Take needs of them.
func (u *Union) askedOf(id bundle.ID, sents []session.Sent) (a Asked, facts []Fact, err error) {
	a = Asked{ID: id, MadeAt: u.o.Now().Unix(), Requests: len(sents)}
	first, last := uint64(0), uint64(0)
	for i := range sents {
		facts = append(facts, sentFact(id, &sents[i]))
		for _, r := range sents[i].Runs {
			if r.Own && first == 0 {
				first = r.First
			}
			if r.Own {
				first, last = min(first, r.First), max(last, r.Last)
			}
		}
	}
	a.First = first
	if last > 0 {
		a.Last, _, err = u.place(last)
	}
	return a, facts, err
}

// carriedExchange is an exchange whose answers come by stick.
func (u *Union) carriedExchange(p Party) *exchange {
	return &exchange{u: u, p: p, began: u.o.Now(), carried: true, who: signers{u: u, ca: p.CA, met: map[string]signer{}}}
}

// TakeBundle works the answers of one bundle in, in the order in which they stand there. An
// answer whose request was answered before is passed over: the same bundle may come again, or
// after a network sync. An answer to what this image of the journal never asked refuses the
// bundle with [syncproto.CodeBundleUnasked], and nothing is changed.
func (u *Union) TakeBundle(ctx context.Context, answers []*syncpb.Response, p Party) (Result, error) {
	u.exchanging.Lock()
	defer u.exchanging.Unlock()
	t := &taking{x: u.carriedExchange(p)}
	err := t.all(ctx, answers)
	err = errors.Join(err, t.x.end(), t.x.left(ctx))
	t.x.measure()
	u.o.Log.Info("bundle taken", "union", u.Code(), "answers", len(answers), "rounds", t.x.r.Rounds, "sent", t.x.r.Sent,
		"received", t.x.r.Received, "held", t.x.r.Held, "complete", t.x.r.Complete, "equal", t.x.r.Equal)
	return t.x.r, err
}

// taking is an answer bundle that is being worked in.
type taking struct {
	x     *exchange
	taken map[string]session.Sent // by nonce: answered by this bundle
}

func (t *taking) all(ctx context.Context, answers []*syncpb.Response) error {
	x := t.x
	t.taken = map[string]session.Sent{}
	if err := x.u.refuse(); err != nil {
		return err
	}
	for _, r := range answers {
		if _, _, ok, err := x.u.remembered(r.GetNonce()); err != nil || !ok {
			if err == nil {
				err = syncproto.Fail(syncproto.CodeBundleUnasked, "take bundle", nil)
			}
			return err
		}
	}
	var err error
	if x.own, err = x.u.loadOwn(x.p.CA); err != nil {
		return fmt.Errorf("take bundle: %w", err)
	}
	x.own.budget, x.own.kept = syncproto.MaxBatchBytes, syncproto.MaxBatchBytes // says nothing of the line
	for i, r := range answers {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.one(r); err != nil {
			return fmt.Errorf("take bundle: answer %d: %w", i, err)
		}
		if x.p.Progress != nil {
			x.p.Progress(x.r)
		}
	}
	if x.revoked {
		return syncproto.Fail(syncproto.CodeDeviceRevoked, "take bundle", nil)
	}
	return nil
}

// one takes an answer, or leaves it: if its request has been answered, and it is no further
// page of an answer that was just taken.
func (t *taking) one(r *syncpb.Response) error {
	x := t.x
	sent, id, _, err := x.u.remembered(r.GetNonce())
	if err != nil {
		return err
	}
	s, err := x.state()
	if err != nil {
		return err
	}
	before, further := t.taken[string(r.GetNonce())]
	switch {
	case further && syncproto.Position(r.GetPage().GetStart()) == s.Cursor:
		sent = session.Sent{Nonce: r.GetNonce(), Life: before.Life, Cursor: s.Cursor, Known: before.Known}
	case id == bundle.ID{}: // answered before
		return nil
	default:
		t.taken[string(r.GetNonce())] = sent
	}
	if x.extra, err = x.u.answeredFacts(id, r.GetNonce()); err != nil {
		return err
	}
	env, err := x.env(s)
	if err != nil {
		return err
	}
	_, err = x.take(s, sent, r, env)
	return err
}

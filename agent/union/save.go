package union

import (
	"context"
	"fmt"

	"unionsync/agent/store"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// MaxGroup is how many changes one save may have: as many as a batch, which the centre
// never splits.
const MaxGroup = syncproto.MaxBatchChanges

// Save saves one draft. It returns without error once the change is in the journal, also
// if the store failed after that: then it is made again from the journal. A draft that
// rules refuse gives a [*Refused]; one without any difference gives
// [syncproto.CodeNothingChanged].
func (u *Union) Save(ctx context.Context, d Draft) (Saved, error) {
	saved, err := u.SaveGroup(ctx, []Draft{d})
	if err != nil {
		return Saved{}, err
	}
	return saved[0], nil
}

// SaveGroup saves drafts together: all are in the journal with one fsync, or none is. A
// later draft may refer to the record of an earlier one. It takes at most [MaxGroup].
func (u *Union) SaveGroup(ctx context.Context, drafts []Draft) ([]Saved, error) {
	u.write.Lock()
	defer u.write.Unlock()
	if err := u.refuse(); err != nil {
		return nil, err
	}
	g, err := u.build(ctx, drafts)
	if err != nil {
		return nil, err
	}
	return u.commit(g)
}

// Try does all of [Union.SaveGroup] except saving.
func (u *Union) Try(ctx context.Context, drafts []Draft) ([]Saved, error) {
	u.write.Lock()
	defer u.write.Unlock()
	g, err := u.build(ctx, drafts)
	if err != nil {
		return nil, err
	}
	return g.saved(), nil
}

// build turns drafts into changes. It writes nothing.
func (u *Union) build(ctx context.Context, drafts []Draft) (*group, error) {
	if len(drafts) == 0 {
		return nil, syncproto.Fail(syncproto.CodeNothingChanged, "save", nil)
	}
	if len(drafts) > MaxGroup {
		return nil, syncproto.Fail(syncproto.CodeGroupTooLarge, "save", nil, "max", itoa(MaxGroup))
	}
	s, err := u.store()
	if err != nil {
		return nil, err
	}
	if !s.State().Fetched {
		return nil, syncproto.Fail(syncproto.CodeFirstFetch, "save", nil)
	}
	g := &group{u: u, s: s, head: u.j.Head(), views: map[syncproto.RecordKey]*merge.Record{}}
	for _, d := range drafts {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("save: %w", err)
		}
		if err := g.add(d); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// commit appends to the journal and then lays the changes over the store's records.
func (u *Union) commit(g *group) ([]Saved, error) {
	changes := make([][]byte, len(g.built))
	for i := range g.built {
		changes[i] = g.built[i].bytes
	}
	places, err := u.j.Append(changes)
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	u.second.follow()
	// The commit point: the changes are saved. A crash from here on makes the store again
	// from base and journal; so does a failure of the store.
	owns := make([]store.Own, len(places))
	for i, p := range places {
		owns[i] = store.Own{Place: p, Bytes: changes[i]}
	}
	if err := g.s.Add(owns); err != nil {
		u.o.Log.Error("saved, but the store failed; it will be made again", "first", places[0].Seq, "error", err)
		u.layAgain(g.s, owns)
	}
	u.second.wait(saveWait)
	return g.saved(), nil
}

// layAgain is for saved changes that the store of their save did not take. One that was made
// again meanwhile may be without them: then they are laid over it, or it is made again too.
func (u *Union) layAgain(failed *store.Store, owns []store.Own) {
	u.storeMu.RLock()
	defer u.storeMu.RUnlock()
	if u.s == nil || u.s == failed || u.s.State().Head.Seq >= owns[len(owns)-1].Place.Seq {
		return
	}
	if err := u.s.Add(owns); err != nil {
		u.o.Log.Error("the store made again fails too", "first", owns[0].Place.Seq, "error", err)
	}
}

func (g *group) saved() []Saved {
	out := make([]Saved, len(g.built))
	for i := range g.built {
		out[i] = g.built[i].saved
	}
	return out
}

// DropHeld ends the hold on a record's own changes that the centre sent back: they stay in
// history and touch nothing. Whoever drops them may then save anew.
func (u *Union) DropHeld(ctx context.Context, kindName string, id syncproto.RecordID, actor, note string) (Saved, error) {
	k, err := u.o.Kinds.Find(kindName)
	if err != nil {
		return Saved{}, err
	}
	u.write.Lock()
	defer u.write.Unlock()
	held, err := u.held(ctx, syncproto.RecordKey{Kind: k.Number, ID: id})
	if err != nil {
		return Saved{}, err
	}
	if len(held) == 0 {
		return Saved{}, syncproto.Fail(syncproto.CodeNothingChanged, "drop held changes", nil)
	}
	s, err := u.store()
	if err != nil {
		return Saved{}, err
	}
	if actor == "" {
		actor = u.o.Actor
	}
	c := &syncproto.Change{Union: u.Code(), Kind: k.Number, ID: id, KindVersion: k.Version, Actor: actor,
		Time: u.o.Now().Unix(), Verb: syncproto.VerbDrop, Note: note}
	for _, p := range held {
		c.Resolves = append(c.Resolves, syncproto.FieldDot{Dot: p.Dot()})
	}
	if err := c.Check(); err != nil {
		return Saved{}, syncproto.Fail(syncproto.CodeInvalid, "drop held changes", err, "what", "change")
	}
	g := &group{u: u, s: s, head: u.j.Head()}
	b := c.Encode(g.head.Journal)
	g.built = []built{{bytes: b, change: c, saved: Saved{Kind: k.Name, ID: id, Place: g.head.Next(b)}}}
	saved, err := u.commit(g)
	if err != nil {
		return Saved{}, err
	}
	return saved[0], nil
}

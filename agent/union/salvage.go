package union

import (
	"cmp"
	"context"
	"slices"
	"time"

	"unionsync/agent/journal"
	"unionsync/agent/second"
	"unionsync/agent/store"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// salvageWait bounds how long reading a store that was set aside may take.
const salvageWait = time.Minute

// salvage takes what a store that was set aside just now holds alone: own changes that the
// journal lacks because its file was put back or lost its end. It runs before anything is
// saved. What cannot be read stays where it is: the folder is kept until an exchange has ended
// with equal digests.
func (u *Union) salvage() error {
	if u.o.Salvage == nil || !u.met.Rebuilt {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), salvageWait)
	defer cancel()
	got, err := u.o.Salvage(ctx, u.dir, seal.Derive(u.o.Key[:], "unionsync agent store"))
	if err != nil {
		u.o.Log.Warn("a store set aside cannot be read", "error", err)
		return nil
	}
	if got.Journal != u.j.ID() {
		return nil
	}
	follow, branch, err := second.Lacking(u.j, u.chained(got))
	if err != nil {
		return err
	}
	if err := u.takeBack(lacking{follow: follow, branch: branch}); err != nil || len(follow) == 0 {
		return err
	}
	owns := make([]store.Own, len(follow))
	for i, f := range follow {
		owns[i] = store.Own{Place: f.Place, Bytes: f.Bytes}
	}
	return u.s.Add(owns)
}

// chained finds the place before each change that was salvaged: the change before it, the
// settled place, or the journal's own. One that follows none of them cannot be placed.
func (u *Union) chained(got store.Salvaged) map[uint64][]journal.Frame {
	slices.SortFunc(got.Pending, func(a, b store.Own) int { return cmp.Compare(a.Place.Seq, b.Place.Seq) })
	last := syncproto.Place{Journal: u.j.ID()}
	out := map[uint64][]journal.Frame{}
	for _, o := range got.Pending {
		candidates := []syncproto.Place{last, got.Settled, {Journal: u.j.ID()}}
		if p, ok, err := u.place(o.Place.Seq - 1); err == nil && ok {
			candidates = append(candidates, p)
		}
		i := slices.IndexFunc(candidates, func(p syncproto.Place) bool { return p.Next(o.Bytes) == o.Place })
		if i < 0 {
			u.o.Log.Warn("a change in a store set aside follows nothing that is known", "seq", o.Place.Seq)
			continue
		}
		out[o.Place.Seq] = append(out[o.Place.Seq], journal.Frame{Place: o.Place, Previous: candidates[i].Hash, Bytes: o.Bytes})
		last = o.Place
	}
	return out
}

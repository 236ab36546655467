package session_test

import (
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// check looks at everything once nothing moves: nothing lost, nothing twice, both ends
// equal, queues empty, no value hidden.
func (h *anyHistory) check() {
	at := h.centre.Positions()
	seen := map[syncproto.Position]bool{}
	for d, p := range at {
		if seen[p] {
			h.bad("position %s was given twice, also to %s", p, d)
		}
		seen[p] = true
	}
	for i, a := range h.agents {
		for d := range h.known[i] {
			if at[d] == 0 {
				h.bad("D%d knew %s, and the centre lacks it", i, d)
			}
		}
		h.checkDrained(i)
		h.checkEqual(i)
		if a.Lost > 0 {
			h.bad("D%d: %d records turned out otherwise", i, a.Lost)
		}
		h.shown(i)
	}
	for _, id := range []int{1, 2, 3} {
		h.checkRecord(syncproto.RecordKey{Kind: 2, ID: record(id)}, at)
	}
}

func (h *anyHistory) checkDrained(i int) {
	a := h.agents[i]
	stale, _ := a.Stale(a.State.Lineage)
	if s := a.State; s.Receipt.Seq != s.Head.Seq || s.Answered != s.Head.Seq || s.Settled != s.Head.Seq ||
		len(s.Wants) > 0 || len(s.Confirms) > 0 || len(stale) > 0 || !s.Proved.Done {
		h.bad("D%d is not drained: head %d receipt %d answered %d settled %d wants %d confirms %d stale %d proved %v",
			i, s.Head.Seq, s.Receipt.Seq, s.Answered, s.Settled, len(s.Wants), len(s.Confirms), len(stale), s.Proved.Done)
	}
	for _, k := range a.AllKept() {
		if k.Verdict.Position <= h.centre.Archived {
			h.bad("D%d keeps %s, which every backup has", i, k.Place.Dot())
		}
	}
}

// checkEqual compares records byte by byte, and that what is shown is what the centre has.
func (h *anyHistory) checkEqual(i int) {
	a := h.agents[i]
	keys := map[syncproto.RecordKey]bool{}
	for k := range h.centre.Records() {
		keys[k] = true
	}
	for k := range a.Layer() {
		keys[k] = true
	}
	for k := range keys {
		want := merge.Hash(k, h.centre.Records()[k])
		if got := merge.Hash(k, a.Layer()[k]); got != want {
			h.bad("D%d: r%d differs: %v, at the centre %v", i, k.ID[15], a.Layer()[k], h.centre.Records()[k])
		}
		if got := merge.Hash(k, a.View(k)); got != want {
			h.bad("D%d: r%d is shown otherwise than the centre has it", i, k.ID[15])
		}
	}
}

// checkRecord works out from the changes alone which values must stand: those of edits that
// no other edit of the field names.
func (h *anyHistory) checkRecord(key syncproto.RecordKey, at map[syncproto.Dot]syncproto.Position) {
	out := h.centre.AllHeld()
	for d := range h.centre.AllDropped() {
		out[d] = true
	}
	type edit struct {
		dot   syncproto.Dot
		value string
	}
	live, named, gone := map[syncproto.FieldNumber][]edit{}, map[syncproto.FieldDot]bool{}, map[syncproto.FieldNumber]map[string]bool{}
	for d, c := range h.changes {
		if at[d] == 0 || out[d] || c.Key() != key {
			continue
		}
		for _, e := range c.Edits {
			if e.IsSet() {
				continue
			}
			live[e.Field] = append(live[e.Field], edit{d, string(e.Value)})
			for _, o := range e.Overwrote {
				named[syncproto.FieldDot{Field: e.Field, Dot: o}] = true
			}
			for _, r := range c.Resolves {
				if r.Field == e.Field {
					named[r] = true
				}
			}
		}
	}
	r := h.centre.Records()[key]
	for f, edits := range live {
		gone[f] = map[string]bool{}
		for _, e := range edits {
			if named[syncproto.FieldDot{Field: f, Dot: e.dot}] {
				gone[f][e.value] = true
			}
		}
		stands := map[syncproto.Dot]bool{}
		if s := r.Field(f); s != nil {
			for _, e := range s.Entries {
				for _, d := range e.Dots {
					stands[d] = true
					if named[syncproto.FieldDot{Field: f, Dot: d}] {
						h.bad("r%d field %d: %s stands although it was superseded", key.ID[15], f, d)
					}
				}
			}
		}
		for _, e := range edits {
			if !named[syncproto.FieldDot{Field: f, Dot: e.dot}] && !stands[e.dot] {
				h.bad("r%d field %d: %s = %q is hidden: %v", key.ID[15], f, e.dot, e.value, stands)
			}
		}
	}
	h.checkSet(key, at, out)
}

// checkSet does the same for elements: one is present while an addition stands that no
// removal has seen.
func (h *anyHistory) checkSet(key syncproto.RecordKey, at map[syncproto.Dot]syncproto.Position, out map[syncproto.Dot]bool) {
	type addition struct {
		element string
		dot     syncproto.Dot
	}
	added, removed := map[addition]bool{}, map[addition]bool{}
	for d, c := range h.changes {
		if at[d] == 0 || out[d] || c.Key() != key {
			continue
		}
		e := c.Edit(fieldTags)
		if e == nil {
			continue
		}
		for _, x := range e.Add {
			added[addition{string(x), d}] = true
		}
		for _, x := range e.Remove {
			for _, y := range x.Dots {
				removed[addition{string(x.Element), y}] = true
			}
		}
	}
	var want, got []string
	for a := range added {
		if !removed[a] && !slices.Contains(want, a.element) {
			want = append(want, a.element)
		}
	}
	for _, x := range h.centre.Records()[key].Set(fieldTags) {
		got = append(got, string(x))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		h.bad("r%d: elements %q, want %q", key.ID[15], got, want)
	}
}

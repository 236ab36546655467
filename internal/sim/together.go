package sim

import (
	"context"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto/session"
)

// On a busy night several PCs' changes come in one entry of the log. Here one PC's changes
// wait on their way into it while other PCs exchange; what these bring goes with them.

// maxTogether bounds the PCs whose changes come in one entry.
const maxTogether = 4

// waiting is what one PC has on its way into the log.
type waiting struct {
	item     *entrypb.Item
	outcomes []session.Outcome
	err      error
	done     bool
}

// Commit implements gate.Log: the leader's holds of this world are decided here.
func (c *centre) Commit(ctx context.Context, item *entrypb.Item) ([]session.Outcome, error) {
	for _, s := range item.GetSegments() {
		c.hold(s)
	}
	mine := &waiting{item: item}
	c.waiting = append(c.waiting, mine)
	if err := c.w.others(); err != nil {
		return nil, err
	}
	if !mine.done {
		c.enter(ctx)
	}
	return mine.outcomes, mine.err
}

// enter puts all that waits into the log, in one entry.
func (c *centre) enter(ctx context.Context) {
	all := c.waiting
	c.waiting = nil
	if len(all) > 1 {
		c.w.note("several in one entry")
	}
	outcomes, err := c.proposeAll(ctx, all)
	for i, x := range all {
		x.err, x.done = err, true
		if err == nil {
			x.outcomes = outcomes[i]
		}
	}
}

func (c *centre) proposeAll(ctx context.Context, all []*waiting) ([][]session.Outcome, error) {
	batch := &entrypb.Batch{Time: c.w.now.Unix()}
	for _, x := range all {
		batch.Items = append(batch.Items, x.item)
	}
	b, err := ledger.Entry(batch)
	if err != nil {
		return nil, err
	}
	res, err := c.Propose(ctx, b)
	if err != nil {
		return nil, err
	}
	return res.([][]session.Outcome), nil
}

// others lets another PC exchange, if it comes about, while changes wait.
func (w *world) others() error {
	if w.peace || len(w.centre.waiting) >= maxTogether || !w.togetherDice.chance(w.habits.together) {
		return nil
	}
	under := map[string]bool{} // devices under way; two images of one PC have one id
	for _, x := range w.centre.waiting {
		under[string(x.item.GetDevice())] = true
	}
	var free []*seat
	for _, s := range w.seats() {
		if s.u != nil && !under[string(s.pc.id)] && !w.exchanging[string(s.pc.id)] {
			free = append(free, s)
		}
	}
	if len(free) == 0 {
		return nil
	}
	s := one(w.togetherDice, free)
	w.trace.line("%s exchanges meanwhile", s)
	w.meanwhile++ // the centre is in the midst of another's request: nothing puts it back now
	defer func() { w.meanwhile-- }()
	return s.risky(s.exchange)
}

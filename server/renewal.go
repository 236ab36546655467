package server

import (
	"context"
	"os"
	"time"
)

// renewalPause is how often it is looked whether the node's certificate is to be renewed, or
// was replaced by hand.
const renewalPause = time.Minute

// runRenewal keeps the node's certificate young while it runs: it has the city's CA, sealed
// with the cluster key, and certifies its own key anew once half of the time is over. What an
// operator puts into node.key and node.crt counts from the next look on, or at once when asked.
// Connections that are open stay; the others learn of it by the list of nodes, where
// certificates that came before are kept.
func (n *Node) runRenewal(ctx context.Context) error {
	tick := time.NewTicker(renewalPause)
	defer tick.Stop()
	for {
		if err := n.renew(); err != nil {
			n.opt.Log.Warn("certificate not renewed", "error", err)
		}
		if err := n.listAnew(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.Debug("certificate not listed yet", "error", err)
		}
		wait := tick.C
		if n.joined.Load() && !n.isMember() {
			wait = time.After(joinPause)
		}
		select {
		case <-wait:
		case <-n.reload():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *Node) reload() <-chan os.Signal { return n.opt.Reload } // nil: never

// renew takes what the files hold, and renews it if that is due.
func (n *Node) renew() error {
	changed, err := n.trust.Reload(n.opt.Dir)
	if err != nil {
		return err
	}
	if now := n.opt.World.Now(); n.trust.RenewalDue(now) {
		if err := n.trust.Renew(n.opt.Dir, now); err != nil {
			return err
		}
		changed = true
	}
	if changed {
		n.client.CloseIdleConnections() // the next call shows the new one
		n.opt.Log.Info("certificate renewed", "until", n.trust.Live().Cert.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// listAnew tells the centre of a certificate that is not in the list of its nodes; before this
// node has become a member that is done anyway.
func (n *Node) listAnew(ctx context.Context) error {
	if !n.joined.Load() || n.isMember() {
		return nil
	}
	if _, leads := n.cluster.Leading(); leads {
		return n.gate.ListSelf(ctx, n.cluster.Address(), n.url)
	}
	return n.askForVote(ctx)
}

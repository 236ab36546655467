package ledger

import "unionsync/syncproto"

// opposed notes that c decided about d otherwise than somebody did before it.
func (a *applier) opposed(c *arrival, d syncproto.Dot) { _, _ = c, d }

package ledger

import (
	"iter"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Log gives every logged change of the union behind a position, ascending.
func (v *View) Log(syncproto.Position) iter.Seq2[*session.Logged, error] {
	return func(func(*session.Logged, error) bool) {}
}

// Watermark is up to where every backup that is still offered has the log.
func (v *View) Watermark() syncproto.Position { return 0 }

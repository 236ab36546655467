package session

import (
	"unionsync/syncproto"
)

// Kept is a signed change of somebody else as the agent keeps it: what a centre that was
// restored may lack. A run is a chain of them in one journal that ends with a signature.
type Kept struct {
	syncproto.Placed
	Previous  syncproto.Hash    // of the place before it
	Erased    bool              // its bytes are gone on legal request; lost, if there are none else
	Verdict   syncproto.Verdict // as the log gave it, without the record's hash
	Signature []byte            // on the last change of a run
	Signer    []byte            // device or node
}

// Keeper is what a session reads of the changes that the agent keeps of others.
type Keeper interface {
	// Stale gives those whose position the lineage does not hold, in the order of their
	// positions and then of their numbers.
	Stale(l syncproto.Lineage) ([]Kept, error)
	// Kept finds one; ok is false if it is not kept.
	Kept(d syncproto.Dot) (k Kept, ok bool, err error)
	// Archived gives the dots of those at or below p that the lineage holds.
	Archived(p syncproto.Position, l syncproto.Lineage) ([]syncproto.Dot, error)
	// Certificate gives the certificate of a signer, nil if it is not known.
	Certificate(signer []byte) ([]byte, error)
}

// Ended is what somebody decided about an own change that was held.
type Ended struct {
	Seq  uint64
	Verb syncproto.Verb
	By   syncproto.Dot // the change that decided
}

// Logged is one change as the centre's log gives it to a page.
type Logged struct {
	syncproto.Placed
	Previous  syncproto.Hash
	Erased    bool
	Verdict   syncproto.Verdict
	Signature []byte // empty but on the last change of a segment
	Signer    []byte
}

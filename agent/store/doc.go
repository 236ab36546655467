// Package store owns what one PC shows of one union: the records as the centre last gave
// them, its own changes that these do not hold yet, and the view made of both. It is kept
// in Badger, which alone is not durable, and can be made again at any time from the base
// (a small fsynced file of the centre's records, also owned here) and from the journal.
//
// The package promises that a damaged Badger folder is never opened: only one that was
// closed cleanly and whose every file is what it was then. Anything else is set aside and
// made again. DESIGN.md gives the layout and what a crash at each step means. It imports
// syncproto, internal/seal and internal/atomicfile; the journal reaches it as a [Source],
// kinds as functions.
package store

// Package ledger is the centre's state: the log of accepted changes, the records they
// came to, feeds, digests, devices and codes, in one Badger store. Apply takes committed
// log entries in order and is deterministic: it knows no clock, no randomness, no map
// order, no raft and no HTTP; times and ids come inside the entries. DESIGN.md beside
// this file tells the path of an entry and what a crash at each step means.
package ledger

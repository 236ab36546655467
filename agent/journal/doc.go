// Package journal owns the log of one PC's own changes to one union: the truth, from which
// everything else on the PC can be made again. It is one bbolt file, fsynced at every
// append, hash-chained and sealed with the PC's data key; frames are never removed or
// rewritten. Beside the frames stand the facts that must be as durable as they are:
// verdicts, receipts and whatever the exchange keeps in buckets of its own.
//
// A change is saved when [Journal.Append] has returned without error. DESIGN.md gives the
// layout and what a crash at each step means. The package imports syncproto and
// internal/seal and no other part of agent; it knows neither kinds nor records.
package journal

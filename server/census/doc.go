// Package census counts members: for any day, each person once, as far as the centre knew at
// any position that it has followed. It owns the rows (one for each stretch of a person's
// membership, held as columns), the rules by which events become stretches and overlapping
// stretches become one, and the answer to a question. DESIGN.md says what the rules are.
//
// The rows follow from the set of records and never from the order in which they came. The
// package reads no clock and no environment; what "now" is, how long a union stays fresh and
// when each union was last heard of come with the question. It reads records through
// [Source] and never imports the ledger, raft, Badger or anything of the agent.
package census

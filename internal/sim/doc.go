// Package sim plays the whole system in one thread: the real agents (journal, store and
// exchange), the real gate and two replicas of the real ledger, with clerks and staff who
// edit the same records, lines that cut, lose, double and delay, clocks that are wrong,
// PCs that lose power in the middle of a write, are put back to old copies or cloned, and a
// centre that is restored. Everything is drawn from one seed: equal seeds give equal traces,
// whose hash is told.
//
// After some nights everything is left in peace until nothing moves any more. Then the
// invariants of docs/design.md are checked against a naive model that is written here a
// second time, without merge, census and session. DESIGN.md beside this file tells what is
// played and what is checked.
//
// It imports both sides; nothing imports it but its own program.
package sim

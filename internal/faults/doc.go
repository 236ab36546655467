// Command faults is the fault test, not part of the product: a centre of three real processes,
// each in a network namespace with a disk of its own, and agents that exchange with it all the
// time, while a nemesis with a seed does to the nodes what machines do: partitions of every
// shape, kills, pauses, power cuts, full, slow and hanging disks, clocks that jump. It prints
//
//	faults n                    faults that were injected and healed
//	faults_receipts n           receipts that agents were given
//	faults_receipts_broken n    of these, not honoured by a node in the end
//	faults_violations n         of what the centre promises about places and reads
//	faults_unequal n            nodes whose state differs in the end
//	faults_worst_gap s          from a healed fault to the next accepted exchange, the longest
//
// on standard output, a line for each fault on standard error, and ends with a status other
// than 0 if anything was broken. The aim for the gap is ten seconds; it is measured, not judged.
//
//	go run ./internal/faults                          one hour
//	DURATION=90s SEED=7 go run ./internal/faults      the short form
//	go run ./internal/faults -only kill-leader,power-all
//
// # What is checked
//
// The history has an operation for each place of each journal: begun when a request with that
// change left first, ended when the first answer with a receipt that covers it came. A journal
// is then a register that each place moves on by one. Reads are the tips that answers name, of
// the agent's own journal and of others'. Checked with porcupine, to the letter of the design:
//
//   - An answer to a request that brought something new was given behind the leader's own
//     commit: its tip is linearizable.
//   - Any other answer may come from a leader that was replaced and does not know yet. It is
//     promised only that it is not behind the receipt that the request names: its tip was the
//     true one at some moment since that receipt came. Readers name the newest receipt of the
//     journal that anybody has, so that a centre that forgot is found at once.
//
// In the end all faults are healed, every agent delivers what it has and proves that it and
// the centre have the same records, and the nodes are killed. Then their stores are opened
// one by one: each receipt's place must stand in the log, with its hash, at its position; the
// journals must stand there without a gap, each place once; the states must be equal to the
// last byte.
//
// # How faults are made
//
// Packets between the namespaces go through this program (see hub), which drops, delays and
// loses them, each direction by itself: neither iptables nor netem is needed. A disk is a file
// with ext4 in it. It is slow or hangs by freezing the file system (FIFREEZE), for a moment
// again and again, or for seconds; full by a file that takes all that is free; and a power cut
// is SIGKILL and EXT4_IOC_SHUTDOWN, which drops what was never fsynced, before it is mounted
// again. Clocks cannot be set for one process (time namespaces leave the wall clock alone): the
// nodes are built with the tag faultclock, which adds an offset from a file to the clock that
// the program's rooms are given. raft, TLS and timers have the system's.
//
// It needs Linux, root, /dev/net/tun and loop devices; without these it says so and ends well
// with nothing tested if it was told to (-skip). It may import both sides; nothing imports it.
package main

// Command citynight lets a whole city sync with a centre of three nodes on this machine and
// prints one line "name value unit" for each figure of docs/benchmarks.md on standard output:
// 12,040 unions, each with a PC of its own. Progress goes to standard error. UNIONS= makes the
// city smaller, ONLY=night leaves out the stampede, SERVER= names a union-server that is built
// already, PROFILE= a folder for processor profiles of the leader.
//
// The centre is the product: three processes of the real union-server with its settings (but a
// heartbeat of 3 s, as its documentation says for busy machines). The PCs live in this process,
// since 12,040 processes would be a measurement of the machine. Each has its own Ed25519 key and
// certificate, and syncs as the agent does: a new line by agent/link (TCP, a whole TLS handshake with
// client certificate, HTTP), requests made and answers worked in by syncproto/session, which is
// what decides in the agent, a nonce and a signature for each request, every receipt's signature
// verified, digests compared. In place of journal, store and base on a disk there is memory, so what an
// agent flushes and reads there is left out; certificates of the three nodes are read once for
// all PCs. A third of the PCs calls each node first, as they do who typed its address.
//
// Before anything is measured every PC has enrolled, by its certificate, and delivered five
// members with their joining events. Then
//
//	night     5 members are edited at each PC; all PCs sync, 64 at a time
//	idle      all sync again with nothing to do
//	stampede  5 edits at each PC, and all 12,040 begin in the same moment
//
// night_p99 is the 99th percentile of a PC's whole sync, from dialling to the last answer worked
// in. night_cpu is the processor time of the leader's process during the night, divided by the
// unions. A PC whose sync in the night or the idle night fails, or does not end with equal
// digests and everything delivered, ends the program: nothing is counted that did not work.
//
// In the stampede a PC that was refused or cut off comes again when agent/schedule says so, by
// the code that agent.Asked reads from the answer, in real time and with its jitter; nothing is
// shortened. stampede_errors counts the PCs on which a person would see a failure: one whose sync
// ended at least once with anything but the centre's wish to come again (then `status` tells
// of a failure), and one that is not done after half an hour. The sync itself takes up to eight
// cut lines as agent/union does.
//
// It puts both sides together; nothing imports it. Its folder (DIR=, else a temporary one) is
// removed at the end.
package main

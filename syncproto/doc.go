// Package syncproto is the language that an agent and the centre share: changes, places,
// dots, positions, verdicts, receipts, limits and error codes. It does no I/O, reads no
// clock and no randomness, and imports nothing of agent or server.
//
// A change is saved once the agent's journal has it on disk (fsynced), committed once a
// raft quorum has it, and delivered once the agent holds the centre's signed receipt for
// its own place. A lost reply costs a resend, never a change.
package syncproto

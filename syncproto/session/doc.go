// Package session is both ends of an exchange as pure step functions. It does no I/O,
// reads no clock and no randomness: equal inputs give equal outputs, so whole syncs are
// tested as transcripts. The driver owns sockets, files, keys, timers and retries.
//
//	agent                                   centre
//	state --Ask--> Request  ------------->  Read: check form, unpack segments
//	                                        (driver: verify signatures, commit by raft)
//	update <--Take-- Response <-----------  Answer: verdicts, page, digest
//	  |
//	  '-- Again: more to send, to fetch or to want --> Ask
//
// It imports syncproto, its messages and merge; never agent, server, a store or a network.
package session

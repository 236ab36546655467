// Package gate is the centre's door for machines: Exchange and enrolment for agents, the
// admin calls for operators and for the other nodes, over HTTPS with TLS 1.3. It owns who
// may call what, the bounds on size, rate and number, the checks that a request must pass
// before it reaches the log, forwarding to the leader, and the signing of receipts.
//
// It promises: a request that is refused changes nothing; a call that is cut may be made
// again; a receipt is signed only for what a majority of nodes has on disk; no text of an
// inner error leaves the node, only codes. DESIGN.md tells the path of a request.
//
// It never imports raft, Badger, the console or anything of the agent.
package gate

// Package health tells how a node is: checks by name (whether it lives, whether it may be
// sent Exchange, whether it may be asked for counts, what an operator should look at),
// metrics for Prometheus, the newest lines of the log, and the words to the system's service
// manager. It owns the listener for all of these, apart from that of agents.
//
// It promises: nothing that it tells holds a member's data, nor the name of a union, device
// or person; the number of time series is bounded by the program and not by the city's size;
// a check or a scrape that hangs ends after a few seconds and says so.
//
// It knows the rooms of the centre only by the functions that are handed to it, and never
// imports them, raft, Badger or anything of the agent.
package health

// Package server wires the rooms of the centre into one running node: it owns the node's
// folder and configuration, the order in which the rooms start and stop, how a centre is
// founded and how a node joins, and the operator's calls to a running node. What the rooms
// do is theirs. It never imports the command line nor anything of the agent.
//
// A node's folder holds:
//
//	cluster.key, city.sealed, node.key, node.crt   identity, see server/trust
//	server.yaml                                    configuration, see [Config]
//	nodes.txt                                      addresses of the centre, written while serving
//	ledger/                                        the state
//	raft/                                          log and snapshots
//	archive/                                       scratch space of drills, and what the last one said
package server

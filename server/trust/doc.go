// Package trust owns the keys of the centre: the city's CA and what it signs, the city's
// secrets and how they are sealed, the cluster key that opens them, a node's own identity
// on disk, and the proof with which a new node joins. How two ends check each other over
// TLS is internal/rpc/tlsid; the primitives are internal/seal.
//
// What is where:
//
//	cluster.key   one line of text: the CA's fingerprint and 32 random bytes. Copied by the
//	              operator to each node and to a safe; without it nothing below opens
//	city.sealed   the CA's certificate, and the city's secrets sealed with the cluster key.
//	              The same bytes are in the replicated state and are given to a new node
//	node.key      the node's own private key; it never leaves the machine
//	node.crt      the CA's certificate over it
//
// The package never reads a clock or draws randomness on its own (both are passed in), and
// never imports raft, Badger or net/http. No key is ever in an error or a log.
package trust

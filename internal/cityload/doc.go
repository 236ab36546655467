// Command cityload loads a whole city into a centre of three nodes on this machine and prints
// one line "name value unit" for each figure of docs/benchmarks.md on standard output:
// 1,335,900 invented members with their joining events, 2,671,800 records, in 12,040 unions.
// Progress goes to standard error. UNIONS= makes the city smaller, with as many members a union.
//
// What is measured is the product: three processes of the real union-server with its settings
// (but a heartbeat of 3 s, as its documentation says for busy machines), and every record comes
// through the door. Each union's changes are built, chained and signed by the agent's own code
// (syncproto/session) ahead of time, packed, and kept in a file; then they are sent as the
// Exchange requests of enrolled devices over TLS, one union after the other on each device's
// connection, to the node that leads. So the measured path holds the handshakes, unpacking and
// reading of requests, the check of every signature and every value, the log of three nodes
// with its flushes, the merges on all three, the answers with verdict, page and signed receipt, the
// census that follows, and the rules' second look. Every verdict of every answer must be "applied", and
// one receipt in 64 is verified.
//
// It is not an agent's night: a device stands for 64 unions (the most that one may have), so
// there are 189 handshakes and not 12,040, and what an agent does with an answer is left out.
// cmd night is about that. The clients and the three nodes share the machine's processors.
//
// city_plain is the same changes through hashicorp/raft into Badger on three processes of this
// program, with the settings that the nodes have for both: one key for each record with the
// change's bytes, no signatures, no merge, no log of changes, no encryption on the way or in the
// log, and no clients: its leader reads the same file.
//
// It puts both sides together; nothing imports it. Its folder (DIR=, else a temporary one) is
// removed at the end.
package main

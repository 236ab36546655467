// Command demo shows the whole of unionsync to a stranger, with real processes on loopback:
// it builds both programs, starts a centre of three nodes, loads a small city, enrols three
// PCs, imports three rosters, takes the centre away and brings it back, kills its leader, and
// prints the city's counts. With DEMO=once it then ends, otherwise it stays up.
//
// Every number that it prints is compared with a recount of the input files, and the first
// one that differs ends it. The recount reads those files with code of its own; nothing here
// imports agent or server.
package main

// Package restorecity holds a test: a city of agents at work, a centre that is lost and restored
// from last week's backup, with and without what was streamed since, while they go on. Nothing
// that an agent or the streamed log had is lost, nobody is asked about anything that was decided,
// and counts say that they are being re-confirmed until they are.
//
// Agents are the real ones, each with a data folder, a certificate and connections of its own,
// in one process; the centre is a real node on loopback. `go test` plays ten PCs, `make
// restore-city` 200 and more (PCS=). It has no code but its test, and nothing imports it.
package restorecity

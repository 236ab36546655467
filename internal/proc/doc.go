// Package proc runs the project's two programs as real processes, for the demo and for the
// end-to-end tests: it builds them, starts the nodes of a centre on loopback, runs an
// agent's commands, kills what it started by its process id, and keeps what each process
// wrote. It talks to the programs through their command lines only and so imports nothing of
// agent or server, nor of syncproto.
package proc

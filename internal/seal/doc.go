// Package seal holds the few cryptographic primitives that agent and centre share: sealing
// of small blobs, sealing of long streams in frames, signatures with domain separation, and
// key derivation; and it is the one home of age, for what staff must be able to open when the
// machine that sealed it is gone. It decides nothing about who may hold which key, does no
// I/O of its own, draws no randomness (the caller passes it in; age draws its own) and
// imports nothing else of this project.
//
// Every output starts with a byte that names its layout and algorithm, so that a later
// release can add another one and still read this one.
package seal

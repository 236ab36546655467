// Package bundle is an exchange as a file, for a union without a network: the very same
// messages, signed, sealed and carried on a stick. It owns the layout of both parts:
//
//	head     text, what a carrier may see: kind, id, city, addressee, size, checksum
//	payload  sealed with age for its addressee: who made it, the messages, a signature
//
// It seals and opens nothing itself (age draws randomness), reads no files and knows no
// certificates: internal/bundlefile does. Equal content gives equal bytes. A bundle never
// expires. It imports syncproto and protofield only.
package bundle

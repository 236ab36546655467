// Package enrolcode owns the one-time code with which a device joins its union: its form,
// its check against typing mistakes, and the hash under which the centre keeps it. Agent and
// centre both use it. It knows nothing of expiry or of who may enrol, does no I/O, and draws
// no randomness of its own.
//
// A code is 125 bits in 25 characters of Crockford's base 32, in five groups:
//
//	80 bits   the beginning of the CA's SHA-256 fingerprint: the device checks with it that
//	          it talks to the right centre, before it sends anything
//	40 bits   the secret
//	 5 bits   a checksum that notices every single wrong character and every swap of two
//
// as in 7KX2M-9QW3E-…. It is made to be read over the telephone and typed once.
package enrolcode

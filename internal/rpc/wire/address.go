package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// AddressesHash is how an agent says which addresses of the centre it knows: the first four
// bytes of SHA-256 over them in byte order, a line feed behind each. None give 0.
func AddressesHash(addresses []string) uint32 {
	if len(addresses) == 0 {
		return 0
	}
	h := sha256.New()
	for _, a := range slices.Sorted(slices.Values(addresses)) {
		h.Write([]byte(a + "\n"))
	}
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// RecipientHash is how an agent says which age recipient for bundles it knows: the first four
// bytes of the SHA-256 over it; 0 for none.
func RecipientHash(recipient string) uint32 {
	if recipient == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(recipient))
	return binary.BigEndian.Uint32(sum[:])
}

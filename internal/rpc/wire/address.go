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

package seal

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 writes data as age writes its keys (BIP 173).
func bech32(human string, data []byte) string {
	symbols := make([]byte, 0, len(data)*8/5+7)
	var acc, bits uint
	for _, b := range data {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			symbols = append(symbols, byte(acc>>bits&31))
		}
	}
	if bits > 0 {
		symbols = append(symbols, byte(acc<<(5-bits)&31))
	}
	sum := bech32Sum(human, symbols)
	for i := range 6 {
		symbols = append(symbols, byte(sum>>(5*(5-i))&31))
	}
	out := []byte(human + "1")
	for _, s := range symbols {
		out = append(out, bech32Alphabet[s])
	}
	return string(out)
}

func bech32Sum(human string, symbols []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range []uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(human) {
		step(human[i] >> 5)
	}
	step(0)
	for i := range len(human) {
		step(human[i] & 31)
	}
	for _, s := range symbols {
		step(s)
	}
	for range 6 {
		step(0)
	}
	return sum ^ 1
}

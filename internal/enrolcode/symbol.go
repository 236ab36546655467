package enrolcode

import (
	"strings"
	"unicode"
)

// symbols gives the 25 five-bit symbols: fingerprint and secret, high bit first, then the
// checksum. 15 bytes are exactly 24 symbols.
func (c Code) symbols() []byte {
	out := make([]byte, 0, Length)
	var acc, bits uint
	for _, b := range append(c.CA[:len(c.CA):len(c.CA)], c.Secret[:]...) {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			out = append(out, byte(acc>>bits&31))
		}
	}
	return append(out, checksum(out))
}

// fromSymbols is the inverse of symbols; the checksum is not looked at.
func fromSymbols(symbols []byte) Code {
	raw := make([]byte, 0, CABytes+SecretBytes)
	var acc, bits uint
	for _, s := range symbols[:Length-1] {
		acc, bits = acc<<5|uint(s), bits+5
		if bits >= 8 {
			bits -= 8
			raw = append(raw, byte(acc>>bits))
		}
	}
	return Code{CA: [CABytes]byte(raw[:CABytes]), Secret: [SecretBytes]byte(raw[CABytes:])}
}

// checksum gives the symbol that makes the weighted sum over all 25 symbols zero in the
// field of 32 elements (x^5 + x^2 + 1). The weight of place i is the i-th power of x, and x
// has order 31: all weights differ and none is zero, so one wrong symbol and the swap of
// any two different ones always show; other mistakes slip through once in 32.
func checksum(symbols []byte) byte {
	// Horner's rule from the end: sum of symbols[i]·x^i, then divided by x^len.
	var sum byte
	for i := len(symbols) - 1; i >= 0; i-- {
		sum = timesX(sum) ^ symbols[i]
	}
	for range (31 - len(symbols)%31) % 31 {
		sum = timesX(sum) // x^31 = 1: multiplying by x^(31-n) divides by x^n
	}
	return sum
}

func timesX(v byte) byte {
	v <<= 1
	if v&32 != 0 {
		v ^= 0b100101
	}
	return v
}

// symbolOf gives the value of a typed character, -1 for one that no code has.
func symbolOf(r rune) int {
	if r >= '！' && r <= '～' {
		r -= '！' - '!' // full-width forms
	}
	switch r = unicode.ToUpper(r); r {
	case 'O':
		r = '0'
	case 'I', 'L':
		r = '1'
	}
	if r > unicode.MaxASCII {
		return -1
	}
	return strings.IndexByte(alphabet, byte(r))
}

func isSeparator(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || r == '_' || r == '.' || r == '\u200b' || r == '\ufeff' || r == '－'
}

package clikit

import "strings"

// MaskNumber hides the middle of a document number, as in 330102********1234: the first six
// and the last four characters stay. A short one keeps its last two at most.
func MaskNumber(s string) string {
	if len([]rune(s)) >= 15 {
		return mask(s, 6, 4)
	}
	return mask(s, 0, 2)
}

// MaskPhone hides the middle of a telephone number, as in 138****0000.
func MaskPhone(s string) string { return mask(s, 3, 4) }

// mask keeps head and tail characters; if that would leave fewer than four hidden, it keeps
// less.
func mask(s string, head, tail int) string {
	r := []rune(s)
	for len(r)-head-tail < 4 && (head > 0 || tail > 0) {
		if head >= tail {
			head--
		} else {
			tail--
		}
	}
	hidden := max(len(r)-head-tail, 0)
	return string(r[:head]) + strings.Repeat("*", hidden) + string(r[len(r)-tail:])
}

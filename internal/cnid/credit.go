package cnid

import (
	"errors"
	"strings"
)

// What may be wrong with a credit code. No error holds the code.
var (
	ErrCreditLength = errors.New("not 18 characters")
	ErrCreditChar   = errors.New("a character that the standard does not use")
	ErrCreditCheck  = errors.New("the check character is wrong")
)

// creditChars are the 31 characters of GB 32100-2015: no I, O, S, V and Z.
const creditChars = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditWeights are 3^i mod 31.
var creditWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// CheckCredit reports what is wrong with a unified social credit code in upper case. The
// check digit inside it (GB 11714, position 17) is advisory only and is not looked at.
func CheckCredit(code string) error {
	if len(code) != 18 {
		return ErrCreditLength
	}
	sum := 0
	for i := range 18 {
		v := strings.IndexByte(creditChars, code[i])
		if v < 0 {
			return ErrCreditChar
		}
		if i < 17 {
			sum += v * creditWeights[i]
		}
	}
	if code[17] != creditChars[(31-sum%31)%31] {
		return ErrCreditCheck
	}
	return nil
}

package cnid

import "errors"

// What may be wrong with a citizen's number. No error holds the number.
var (
	ErrLength   = errors.New("not 18 characters")
	ErrChar     = errors.New("a character that is no digit")
	ErrProvince = errors.New("the first two digits are no province")
	ErrBirth    = errors.New("the birth date does not exist")
	ErrCheck    = errors.New("the check digit is wrong")
)

// Lengths of a citizen's number today, and before 1999.
const (
	citizenLen    = 18
	oldCitizenLen = 15
)

// Sexes as GB/T 2261.1 codes them.
const (
	Male   = "1"
	Female = "2"
)

// citizenWeights and citizenChecks are the two tables of GB 11643-1999 (ISO 7064 MOD 11-2).
var citizenWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

const citizenChecks = "10X98765432"

// provinces are the first two digits in use. 81 to 83 stand on residence permits of people
// from Hong Kong, Macao and Taiwan. County codes are not checked: counties get abolished.
var provinces = map[string]bool{
	"11": true, "12": true, "13": true, "14": true, "15": true,
	"21": true, "22": true, "23": true,
	"31": true, "32": true, "33": true, "34": true, "35": true, "36": true, "37": true,
	"41": true, "42": true, "43": true, "44": true, "45": true, "46": true,
	"50": true, "51": true, "52": true, "53": true, "54": true,
	"61": true, "62": true, "63": true, "64": true, "65": true,
	"71": true, "81": true, "82": true, "83": true,
}

// CheckCitizen reports what is wrong with an 18-character number in upper case.
func CheckCitizen(id string) error {
	if len(id) != citizenLen {
		return ErrLength
	}
	if !digits(id[:17]) || !(digits(id[17:]) || id[17] == 'X') {
		return ErrChar
	}
	if !provinces[id[:2]] {
		return ErrProvince
	}
	if !dateExists(id[6:14]) {
		return ErrBirth
	}
	if citizenCheck(id[:17]) != id[17] {
		return ErrCheck
	}
	return nil
}

// BirthOf gives the birth date in a number that passed [CheckCitizen], as 2006-01-02.
func BirthOf(id string) string { return id[6:10] + "-" + id[10:12] + "-" + id[12:14] }

// SexOf gives the sex in a number that passed [CheckCitizen]: an odd 17th digit is a man's.
func SexOf(id string) string {
	if (id[16]-'0')%2 == 1 {
		return Male
	}
	return Female
}

// FromOld makes the 18 characters of a 15-digit number from before 1999: 19 goes before
// the year and the check digit behind. It reports false for what is no such number.
func FromOld(old string) (string, bool) {
	if len(old) != oldCitizenLen || !digits(old) {
		return "", false
	}
	id := old[:6] + "19" + old[6:]
	id += string(citizenCheck(id))
	return id, CheckCitizen(id) == nil
}

// citizenCheck computes the 18th character of 17 digits.
func citizenCheck(d string) byte {
	sum := 0
	for i, w := range citizenWeights {
		sum += int(d[i]-'0') * w
	}
	return citizenChecks[sum%11]
}

// digits reports whether s has only ASCII digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// dateExists reports whether yyyymmdd is a day of the calendar in 1800 or later.
func dateExists(d string) bool {
	n := func(s string) (v int) {
		for i := range len(s) {
			v = v*10 + int(s[i]-'0')
		}
		return v
	}
	year, month, day := n(d[:4]), n(d[4:6]), n(d[6:8])
	if year < 1800 || month < 1 || month > 12 || day < 1 {
		return false
	}
	last := [12]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		last = 29
	}
	return day <= last
}

package kind

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Heading brings a column's heading into the form in which headings are compared: width,
// case, blanks, line breaks, a star and what stands in brackets behind do not matter, so
// that "证件号码（必填）*" is 证件号码.
func Heading(s string) string {
	s = strings.ToLower(dropBlanks(norm.NFKC.String(s)))
	s = strings.Trim(s, "*:·'\"")
	if at := strings.IndexAny(s, "([【〔"); at > 0 && strings.ContainsAny(s[len(s)-1:], ")]") || at > 0 && strings.HasSuffix(s, "】") {
		s = s[:at]
	}
	return strings.Trim(s, "*:_- ")
}

package kind

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// headingMarks are what people put around a heading: a star for required columns, a colon.
const headingMarks = "*:·'\"_- "

// Heading brings a column's heading into the form in which headings are compared: width,
// case, blanks, line breaks, marks, and what stands in brackets at the end do not matter, so
// that "证件号码（必填）*" is 证件号码.
func Heading(s string) string {
	s = strings.Trim(strings.ToLower(dropBlanks(norm.NFKC.String(s))), headingMarks)
	for _, pair := range [][2]string{{"(", ")"}, {"[", "]"}, {"【", "】"}, {"〔", "〕"}} {
		if at := strings.Index(s, pair[0]); at > 0 && strings.HasSuffix(s, pair[1]) {
			s = s[:at]
		}
	}
	return strings.Trim(s, headingMarks)
}

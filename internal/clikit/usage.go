package clikit

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/syncproto"
)

// Usage makes the error for a command line that cannot be understood; what says why, in the
// session's language.
func Usage(what string) error {
	return syncproto.Fail(syncproto.CodeUsage, "read command line", nil, "what", what)
}

// Args gives the command's arguments if there are at least low and at most high of them; a
// negative high sets no upper limit. names say what they are, for the message.
func Args(c *cli.Context, low, high int, names ...string) ([]string, error) {
	s, args := From(c), c.Args().Slice()
	if len(args) < low {
		missing := strconv.Itoa(low)
		if len(args) < len(names) {
			missing = names[len(args)]
		}
		return nil, Usage(s.T("cli.usage_missing_argument", "name", missing))
	}
	if high >= 0 && len(args) > high {
		return nil, Usage(s.T("cli.usage_extra_argument", "name", args[high]))
	}
	return args, nil
}

// Need gives an error if one of the flags was not given. (The library's own required flags
// print help on standard output.)
func Need(c *cli.Context, flags ...string) error {
	for _, f := range flags {
		if !c.IsSet(f) {
			return Usage(From(c).T("cli.usage_missing_flag", "name", f))
		}
	}
	return nil
}

// usageMessages are the forms of the flag library's errors, with the words for each. The
// first sub-match is the flag's name, the second the value.
var usageMessages = []struct {
	form *regexp.Regexp
	id   string
}{
	{regexp.MustCompile(`^flag provided but not defined: -+(.+)$`), "cli.usage_unknown_flag"},
	{regexp.MustCompile(`^flag needs an argument: -+(.+)$`), "cli.usage_flag_value"},
	{regexp.MustCompile(`^bad flag syntax: (.+)$`), "cli.usage_unknown_flag"},
	{regexp.MustCompile(`^invalid (?:boolean )?value .* for (?:flag )?-+([^:]+):.*$`), "cli.usage_bad_value"},
}

// usageError is the app's handler for flags that cannot be read.
func (s *Session) usageError(_ *cli.Context, err error, _ bool) error {
	for _, m := range usageMessages {
		if found := m.form.FindStringSubmatch(err.Error()); found != nil {
			return Usage(s.T(m.id, "name", found[1]))
		}
	}
	return Usage(err.Error())
}

// nearest gives the command whose name is at most two letters away, or nothing.
func nearest(name string, commands []*cli.Command) string {
	best, found := 3, ""
	for _, c := range commands {
		d := distance(name, c.Name)
		if strings.HasPrefix(c.Name, name) && len(name) >= 2 {
			d = min(d, 1)
		}
		if d < best && d < len(c.Name) {
			best, found = d, c.Name
		}
	}
	return found
}

// distance is the number of letters to add, remove or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package clikit

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts flags where the library looks for them: the program's before the command,
// the command's before its arguments. The library takes a flag behind the first argument for
// an argument, without a word: `import roster.xlsx --apply` would stay a dry run.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return []string{app.Name}
	}
	a := arranger{app: app, commands: app.Commands, flags: app.Flags}
	for rest := args[1:]; len(rest) > 0; {
		rest = a.take(rest)
	}
	out := append([]string{args[0]}, a.global...)
	out = append(append(out, a.path...), a.local...)
	if len(a.arguments) > 0 {
		out = append(append(out, "--"), a.arguments...)
	}
	return out
}

type arranger struct {
	app       *cli.App
	commands  []*cli.Command // that may come next
	flags     []cli.Flag     // of the command reached so far
	global    []string       // flags of the program
	path      []string       // commands reached, each behind its parent's flags
	local     []string       // flags of the command reached
	arguments []string
}

// take sorts the first word of rest, and the value behind it if it is a flag with one, and
// gives what is left.
func (a *arranger) take(rest []string) []string {
	word, rest := rest[0], rest[1:]
	switch {
	case word == "--":
		a.arguments = append(a.arguments, rest...)
		return nil
	case len(word) > 1 && word[0] == '-':
		return a.takeFlag(word, rest)
	}
	if c := find(a.commands, word); c != nil && len(a.arguments) == 0 {
		a.path = append(append(a.path, a.local...), word)
		a.local, a.commands, a.flags = nil, c.Subcommands, c.Flags
		return rest
	}
	a.arguments = append(a.arguments, word)
	return rest
}

func (a *arranger) takeFlag(word string, rest []string) []string {
	name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	to, flag := &a.local, lookup(a.flags, name)
	if flag == nil && len(a.path) > 0 {
		if flag = lookup(a.app.Flags, name); flag != nil {
			to = &a.global
		}
	}
	*to = append(*to, word)
	if flag != nil && !hasValue && takesValue(flag) && len(rest) > 0 {
		*to = append(*to, rest[0])
		rest = rest[1:]
	}
	return rest
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func lookup(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// peekLang finds --lang before the app is there, since its words depend on it.
func peekLang(args []string) string {
	for i, word := range args {
		name, value, has := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case word == "--":
			return ""
		case !strings.HasPrefix(word, "-") || name != flagLang:
		case has:
			return value
		case i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}

// hasJSON tells whether arranged arguments ask for JSON, also where the rest of the line
// cannot be understood: that error must come as JSON too.
func hasJSON(arranged []string) bool {
	for _, word := range arranged {
		switch word {
		case "--":
			return false
		case "--json", "-json", "--json=true", "-json=true":
			return true
		}
	}
	return false
}

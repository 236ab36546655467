package clikit

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/text"
)

// IO is the world as a command sees it; tests bring their own.
type IO struct {
	Args     []string // the program's name first
	Stdin    io.Reader
	Stdout   io.Writer // what was asked for
	Stderr   io.Writer // messages about it
	Env      func(name string) string
	Now      func() time.Time
	Terminal bool // Stderr is a terminal: progress may be shown
}

// OS is the process's own world.
func OS() IO {
	return IO{
		Args:   os.Args,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Env:    os.Getenv,
		Now:    time.Now,
		Terminal: func() bool {
			info, err := os.Stderr.Stat()
			return err == nil && info.Mode()&os.ModeCharDevice != 0
		}(),
	}
}

// Session is one run of a program: its world, the language, and the form of its output.
type Session struct {
	IO
	Lang text.Lang
	JSON bool // print JSON on Stdout, errors too
}

const sessionKey = "unionsync.session"

// From gives the session of the command that is running.
func From(c *cli.Context) *Session {
	s, ok := c.App.Metadata[sessionKey].(*Session)
	if !ok {
		panic("clikit.From: the app was not started by clikit.Main")
	}
	return s
}

// T gives the words with this id in the session's language; args are pairs of placeholder
// and value.
func (s *Session) T(id string, args ...string) string {
	m := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Of(s.Lang, id, m)
}

// Print writes v as JSON if the session wants that, and else calls human. Both go to
// Stdout; the error is that of writing.
func (s *Session) Print(v any, human func() error) error {
	if !s.JSON {
		return human()
	}
	return s.PrintJSON(v)
}

// PrintJSON writes v as indented JSON.
func (s *Session) PrintJSON(v any) error {
	enc := json.NewEncoder(s.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print json: %w", err)
	}
	return nil
}

// Println writes one line on Stdout.
func (s *Session) Println(parts ...any) error {
	if _, err := fmt.Fprintln(s.Stdout, parts...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// Note writes one line on Stderr: about the output, not part of it. A failure to write it
// does not matter.
func (s *Session) Note(line string) { _, _ = fmt.Fprintln(s.Stderr, line) }

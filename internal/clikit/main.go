package clikit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v2"

	"unionsync/internal/text"
	"unionsync/syncproto"
)

// Flags that every program has.
const (
	flagJSON = "json"
	flagLang = "lang"
)

// Run is [Main] for a real process: its own world, and a context that ends with Ctrl-C or
// the signal to terminate. The result is for os.Exit.
func Run(build func(*Session) *cli.App) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // else a reader that goes away kills us before stores are closed
	return Main(ctx, build, OS())
}

// watched is standard output that notes when its reader has gone, as `| head` does.
type watched struct {
	io.Writer
	gone bool
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		w.gone = true
	}
	return n, err
}

// Main runs a program once and gives its exit status. build makes the app, with its words in
// the session's language; Main adds the flags --json and --lang (which may stand anywhere,
// like all flags), help with the exit statuses, and the printing of errors.
func Main(ctx context.Context, build func(*Session) *cli.App, world IO) (status int) {
	out := &watched{Writer: world.Stdout}
	world.Stdout = out
	s := &Session{IO: world}
	s.Lang = text.Choose(peekLang(world.Args), world.Env(text.EnvLang))
	app := build(s)
	s.prepare(app)
	args := arrange(app, world.Args)
	s.JSON = hasJSON(args)
	defer func() {
		if r := recover(); r != nil {
			s.printError(fmt.Errorf("panic: %v", r))
			s.Note(string(debug.Stack()))
			status = ExitInternal
		}
	}()
	err := app.RunContext(ctx, args)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		s.Note(s.T("cli.interrupted"))
		return ExitInterrupted
	}
	if err != nil && out.gone && syncproto.CodeOf(err) == syncproto.CodeInternal {
		return ExitOK // whoever read has read enough; that is no fault
	}
	s.printError(err)
	return ExitStatus(err)
}

// prepare makes app behave as all our programs do.
func (s *Session) prepare(app *cli.App) {
	app.Reader, app.Writer, app.ErrWriter = s.Stdin, s.Stdout, s.Stderr
	app.ExitErrHandler = func(*cli.Context, error) {} // nothing but our caller ends the process
	app.OnUsageError = s.usageError
	app.HideHelpCommand = true
	app.HideVersion = app.Version == ""
	app.CustomAppHelpTemplate = s.template(cli.AppHelpTemplate) + s.exitTable()
	app.Flags = append(app.Flags,
		&cli.BoolFlag{Name: flagJSON, Usage: s.T("cli.flag_json")},
		&cli.StringFlag{Name: flagLang, Usage: s.T("cli.flag_lang")})
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata[sessionKey] = s
	if app.Action == nil {
		app.Action = s.groupAction(app.Commands, cli.ShowAppHelp)
	}
	s.prepareCommands(app.Commands)
}

func (s *Session) prepareCommands(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = s.usageError
		c.HideHelpCommand = true
		group := len(c.Subcommands) > 0
		if group {
			c.CustomHelpTemplate = s.template(cli.SubcommandHelpTemplate)
		} else {
			c.CustomHelpTemplate = s.template(cli.CommandHelpTemplate)
		}
		if group && c.Action == nil {
			c.Action = s.groupAction(c.Subcommands, cli.ShowSubcommandHelp)
		}
		for _, f := range c.Flags {
			if r, ok := f.(cli.RequiredFlag); ok && r.IsRequired() {
				panic("clikit: flag " + f.Names()[0] + " is Required: that prints help; use clikit.Need")
			}
		}
		s.prepareCommands(c.Subcommands)
	}
}

// groupAction is what a program or command does that has only sub-commands: help, or an
// error if a word stands there that is no command.
func (s *Session) groupAction(commands []*cli.Command, help cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		name := c.Args().First()
		if name == "" {
			return help(c)
		}
		if other := nearest(name, commands); other != "" {
			return Usage(s.T("cli.usage_did_you_mean", "name", name, "other", other))
		}
		return Usage(s.T("cli.usage_unknown_command", "name", name))
	}
}

// printError says on Stderr what went wrong and what to do; with --json it does so as an
// object on Stdout. The cause is shown only where it is a bug.
func (s *Session) printError(err error) {
	var outcome Outcome
	var coded *syncproto.Error
	if err == nil || errors.As(err, &outcome) && !errors.As(err, &coded) {
		return
	}
	e := s.ErrorOf(err)
	if s.JSON {
		_ = s.PrintJSON(map[string]any{"error": e})
		return
	}
	s.Note(s.T("cli.error") + e.Sentence)
	for _, f := range e.Findings {
		s.Note("  " + f.Sentence)
	}
	if e.Hint != "" {
		s.Note(s.T("cli.hint") + e.Hint)
	}
	if e.Detail != "" {
		s.Note("  (" + printable(e.Detail) + ")")
	}
}

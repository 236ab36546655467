package clikit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"unionsync/syncproto"
)

// sample is a program with a command, a group, and flags of every kind.
func sample(s *Session) *cli.App {
	echo := func(c *cli.Context) error {
		args, err := Args(c, 0, 2)
		if err != nil {
			return err
		}
		return From(c).Print(map[string]any{"args": args, "apply": c.Bool("apply"), "kind": c.String("kind"), "home": c.String("home")},
			func() error {
				return From(c).Println(c.Command.Name, args, c.Bool("apply"), c.String("kind"), c.String("home"))
			})
	}
	fails := func(err error) cli.ActionFunc { return func(*cli.Context) error { return err } }
	return &cli.App{
		Name:  "sample",
		Usage: s.T("word.none"),
		Flags: []cli.Flag{&cli.StringFlag{Name: "home"}},
		Commands: []*cli.Command{
			{Name: "import", Action: echo, Flags: []cli.Flag{
				&cli.BoolFlag{Name: "apply", Aliases: []string{"a"}},
				&cli.StringFlag{Name: "kind", Aliases: []string{"k"}},
				&cli.IntFlag{Name: "limit"},
			}},
			{Name: "org", Subcommands: []*cli.Command{{Name: "list", Action: echo, Flags: []cli.Flag{&cli.StringFlag{Name: "kind"}}}}},
			{Name: "need", Action: func(c *cli.Context) error { return Need(c, "union") },
				Flags: []cli.Flag{&cli.StringFlag{Name: "union"}}},
			{Name: "args", Action: func(c *cli.Context) error { _, err := Args(c, 1, 1, "FILE"); return err }},
			{Name: "missing", Action: fails(fmt.Errorf("look: %w", syncproto.Fail(syncproto.CodeNotFound, "find", nil, "what", "x")))},
			{Name: "bug", Action: fails(errors.New("a plain error"))},
			{Name: "panics", Action: func(*cli.Context) error { panic("broken invariant") }},
			{Name: "refused", Action: fails(Outcome(ExitInput))},
			{Name: "wait", Action: func(c *cli.Context) error { <-c.Context.Done(); return c.Context.Err() }},
			{Name: "library", Action: fails(cli.Exit("the library's own", 9))},
		},
	}
}

type result struct {
	Status      int
	Out, Stderr string
}

func run(env string, args ...string) result {
	ctx, cancel := context.WithCancel(context.Background())
	if len(args) > 0 && args[0] == "wait" {
		cancel()
	}
	defer cancel()
	var out, errs bytes.Buffer
	status := Main(ctx, sample, IO{
		Args: append([]string{"sample"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Env: func(string) string { return env },
		Now: func() time.Time { return time.Unix(0, 0) },
	})
	return result{status, out.String(), errs.String()}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	want := "import [a.xlsx] true member /h\n"
	for _, args := range []string{
		"--home /h import --apply --kind member a.xlsx",
		"import a.xlsx --apply --kind member --home /h", // the library alone would make this a dry run
		"import --home=/h a.xlsx -a -k member",
		"import --kind=member --home /h --apply -- a.xlsx",
	} {
		if got := run("", strings.Fields(args)...); got != (result{0, want, ""}) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestArgumentsThatLookLikeOthers(t *testing.T) {
	for _, tc := range []struct{ why, args, want string }{
		{"a file named like a command", "import import", "import [import] false  \n"},
		{"a file named like a flag", "import -- --apply", "import [--apply] false  \n"},
		{"a value named like a flag", "import --kind --apply", "import [] false --apply \n"},
		{"the library's help command is off", "import help", "import [help] false  \n"},
		{"a single dash is an argument", "import -", "import [-] false  \n"},
		{"a sub-command's flags", "org list --kind member", "list [] false member \n"},
	} {
		if got := run("", strings.Fields(tc.args)...); got != (result{0, tc.want, ""}) {
			t.Errorf("%s: %+v, want %q", tc.why, got, tc.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		why, args string
		status    int
		stderr    string // a part of it
	}{
		{"unknown command", "nosuch", ExitUsage, "there is no command \"nosuch\""},
		{"misspelt command", "imprt", ExitUsage, "did you mean \"import\""},
		{"unknown sub-command", "org lst", ExitUsage, "did you mean \"list\""},
		{"unknown flag", "import --aply", ExitUsage, "there is no flag --aply"},
		{"flag without value", "import --kind", ExitUsage, "the flag --kind needs a value"},
		{"no number", "import --limit x", ExitUsage, "the value of the flag --limit cannot"},
		{"bad switch", "import --apply=x", ExitUsage, "the value of the flag --apply cannot"},
		{"too many arguments", "import a b c", ExitUsage, "unexpected argument \"c\""},
		{"argument missing", "args", ExitUsage, "the argument FILE is missing"},
		{"flag missing", "need", ExitUsage, "the flag --union is missing"},
		{"a coded error, wrapped", "missing", ExitInput, "error: Not found: x. (E103)"},
		{"a bug shows its cause", "bug", ExitInternal, "(a plain error)"},
		{"a panic is a bug", "panics", ExitInternal, "(panic: broken invariant)"},
		{"only a status", "refused", ExitInput, ""},
		{"Ctrl-C", "wait", ExitInterrupted, "Interrupted."},
		{"the library never ends the process", "library", ExitInternal, "(the library's own)"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			got := run("en", strings.Fields(tc.args)...)
			if got.Status != tc.status || got.Out != "" || !strings.Contains(got.Stderr, tc.stderr) {
				t.Errorf("%+v, want status %d and %q", got, tc.status, tc.stderr)
			}
			if tc.stderr == "" && got.Stderr != "" {
				t.Errorf("stderr %q, want nothing", got.Stderr)
			}
		})
	}
}

func TestErrorsAsJSON(t *testing.T) {
	for _, tc := range []struct {
		why, args string
		want      map[string]any
	}{
		{"coded", "missing --json", map[string]any{"code": 103.0, "sentence": "Not found: x. (E103)"}},
		{"before the command", "--json missing", map[string]any{"code": 103.0, "sentence": "Not found: x. (E103)"}},
		{"the line cannot be read", "--json nosuch", map[string]any{
			"code": 102.0, "sentence": "The command line cannot be understood: there is no command \"nosuch\". (E102)",
			"hint": "add --help to see how the command is used"}},
		{"a bug", "bug --json", map[string]any{
			"code": 100.0, "detail": "a plain error",
			"sentence": "The program failed inside and the operation was not completed. Saved records are not affected. (E100)",
			"hint":     "this is a bug: please run the doctor command and send its output to the city union"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			got := run("en", strings.Fields(tc.args)...)
			var parsed map[string]map[string]any
			if err := json.Unmarshal([]byte(got.Out), &parsed); err != nil {
				t.Fatalf("%v: %q", err, got.Out)
			}
			if diff := cmp.Diff(tc.want, parsed["error"]); diff != "" || got.Stderr != "" {
				t.Errorf("stderr %q, error (-want +got)\n%s", got.Stderr, diff)
			}
		})
	}
}

func TestOutputAsJSON(t *testing.T) {
	got := run("", "import", "<甲>.xlsx", "--json")
	want := "{\n  \"apply\": false,\n  \"args\": [\n    \"<甲>.xlsx\"\n  ],\n  \"home\": \"\",\n  \"kind\": \"\"\n}\n"
	if diff := cmp.Diff(result{0, want, ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLanguage(t *testing.T) {
	for _, tc := range []struct{ why, env, args, want string }{
		{"default", "", "missing", "错误：没有找到：x。（E103）\n"},
		{"environment", "en", "missing", "error: Not found: x. (E103)\n"},
		{"flag wins", "en", "missing --lang zh", "错误：没有找到：x。（E103）\n"},
		{"flag with equals", "", "--lang=en missing", "error: Not found: x. (E103)\n"},
		{"flag after two dashes is an argument", "en", "missing -- --lang=zh", "error: Not found: x. (E103)\n"},
	} {
		if got := run(tc.env, strings.Fields(tc.args)...); got.Stderr != tc.want {
			t.Errorf("%s: %q, want %q", tc.why, got.Stderr, tc.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"--help --lang en", []string{"EXIT STATUS", "  4  the centre cannot be reached", "import", "--json"}},
		{"--help", []string{"退出码", "  4  连不上市中心", "全局选项", "命令:"}},
		{"", []string{"退出码", "import"}},
		{"import --help", []string{"用法:", "--apply"}},
		{"import -h --lang en", []string{"USAGE:", "--apply"}},
		{"org --help", []string{"命令:", "list"}},
		{"org", []string{"命令:", "list"}},
	} {
		got := run("", strings.Fields(tc.args)...)
		if got.Status != 0 || got.Stderr != "" {
			t.Errorf("%s: %+v", tc.args, got)
		}
		for _, want := range tc.want {
			if !strings.Contains(got.Out, want) {
				t.Errorf("%q: help has no %q:\n%s", tc.args, want, got.Out)
			}
		}
		if strings.Contains(got.Out, "help, h  ") {
			t.Errorf("%q: help names the library's help command:\n%s", tc.args, got.Out)
		}
	}
}

func TestFromNeedsMain(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for an app that Main did not start")
		}
	}()
	From(cli.NewContext(&cli.App{}, nil, nil))
}

// goneReader is standard output whose reader has gone, as behind `| head`.
type goneReader struct{}

func (goneReader) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestReaderGone: output that nobody reads any more is no fault of the command, which has
// run to its end and closed what it opened; another error still is one.
func TestReaderGone(t *testing.T) {
	for _, row := range []struct {
		why  string
		err  error
		want int
	}{
		{"only the output failed", nil, ExitOK},
		{"the command failed as well", syncproto.Fail(syncproto.CodeUnreachable, "sync", io.ErrClosedPipe), ExitOffline},
	} {
		closed := false
		build := func(*Session) *cli.App {
			return &cli.App{Name: "x", Action: func(c *cli.Context) error {
				defer func() { closed = true }()
				if err := From(c).Println("line"); row.err == nil {
					return err
				}
				return row.err
			}}
		}
		got := Main(context.Background(), build, IO{Args: []string{"x"}, Stdout: goneReader{}, Stderr: io.Discard,
			Env: func(string) string { return "" }, Now: time.Now})
		if got != row.want || !closed {
			t.Errorf("%s: status %d, want %d; closed %v", row.why, got, row.want, closed)
		}
	}
}

// TestFindings: each thing that is wrong is said, as lines below the error and in its
// object with --json.
func TestFindings(t *testing.T) {
	build := func(*Session) *cli.App {
		return &cli.App{Name: "x", Action: func(*cli.Context) error {
			return WithFindings(syncproto.Fail(syncproto.CodeInvalid, "save", nil),
				[]error{syncproto.Fail(syncproto.CodeNotFound, "look", nil), syncproto.Fail(syncproto.CodeUnreachable, "sync", nil)})
		}}
	}
	run := func(args ...string) (stdout, stderr string, status int) {
		var out, errs bytes.Buffer
		status = Main(context.Background(), build, IO{Args: append([]string{"x"}, args...), Stdout: &out, Stderr: &errs,
			Env: func(string) string { return "" }, Now: time.Now})
		return out.String(), errs.String(), status
	}
	if out, errs, status := run(); out != "" || status != ExitInput || strings.Count(errs, "E103") != 1 || strings.Count(errs, "E512") != 1 {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
	}
	out, _, status := run("--json")
	var got struct {
		Error Failure `json:"error"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != ExitInput || len(got.Error.Findings) != 2 ||
		got.Error.Findings[1].Code != syncproto.CodeUnreachable {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
}

// TestErrorBesideOutcome: an outcome that was printed does not hide an error that was not.
func TestErrorBesideOutcome(t *testing.T) {
	build := func(*Session) *cli.App {
		return &cli.App{Name: "x", Action: func(*cli.Context) error {
			return errors.Join(Outcome(ExitAttention), syncproto.Fail(syncproto.CodeUnreachable, "sync", nil))
		}}
	}
	var errs bytes.Buffer
	Main(context.Background(), build, IO{Args: []string{"x"}, Stdout: io.Discard, Stderr: &errs, Env: func(string) string { return "" }, Now: time.Now})
	if !strings.Contains(errs.String(), "E512") {
		t.Errorf("stderr %q", errs.String())
	}
}

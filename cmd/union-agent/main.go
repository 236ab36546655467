// Command union-agent is a PC's end: a clerk's commands on records, spreadsheets and syncs.
package main

import (
	"io"
	"log/slog"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/store"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
)

// version is set when a release is built.
var version = "0.1.0"

// Flags that every command has, and what they fall back to.
const (
	flagData  = "data"
	flagUnion = "union"
	flagActor = "as"
	envData   = "UNIONSYNC_DATA"
	envActor  = "UNIONSYNC_USER"
)

// memoryLimit is from where on memory is collected before more is taken: the agent shares a
// clerk's old PC with other programs. It is no hard limit. The daily commands on a union of
// 10,000 members come near it at the end of a sync only.
const memoryLimit = 28 << 20

// largeFile is from where on a spreadsheet gets fileMemoryLimit: it is planned as a whole,
// and within the daily limit that takes up to twice the processor's time.
const (
	largeFile       = 256 << 10
	fileMemoryLimit = 160 << 20
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == store.SalvageArg {
		if err := store.SalvageChild(os.Stdin, os.Stdout); err != nil {
			os.Exit(clikit.ExitStorage)
		}
		return
	}
	limitMemory(memoryLimit)
	os.Exit(clikit.Run(program{home: os.UserHomeDir, user: user.Current, salvage: true}.build))
}

// limitMemory sets the limit, unless somebody has set one from outside.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

// program is what the commands take from outside beside the session; tests bring their own.
type program struct {
	dial agent.Dialer // nil: over the network
	home func() (string, error)
	free func(dir string) (uint64, error) // nil: what the system says

	user func() (*user.User, error) // who is logged in; nil: nobody is asked

	salvage bool // this program may be started again as a child, see [store.Salvage]
}

func (p program) build(s *clikit.Session) *cli.App {
	return &cli.App{
		Name: "union-agent", Usage: s.T("agent.usage"), Version: version,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: flagData, Usage: s.T("agent.flag_data")},
			&cli.StringFlag{Name: flagUnion, Usage: s.T("agent.flag_union")},
			&cli.StringFlag{Name: flagActor, Usage: s.T("agent.flag_as")},
		},
		Commands: []*cli.Command{
			p.enrol(s), p.importSheet(s), p.add(s), p.set(s), p.list(s), p.show(s), p.history(s), p.find(s),
			p.cases(s), p.resolve(s), p.news(s),
			p.sync(s), p.bundle(s), p.move(s), p.status(s), p.export(s), p.doctor(s), p.second(s), p.run(s), p.kinds(s), p.findings(s),
		},
	}
}

// agent looks at the data folder that flags, environment or the system name.
func (p program) agent(c *cli.Context, log *slog.Logger) (*agent.Agent, error) {
	s := clikit.From(c)
	dir := first(c.String(flagData), s.Env(envData))
	if dir == "" {
		var err error
		if dir, err = agent.DefaultDir(runtime.GOOS, s.Env, p.home); err != nil {
			return nil, err
		}
	}
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	conf := agent.Config{
		Dir: dir, Actor: first(c.String(flagActor), s.Env(envActor), s.Env("USERNAME"), s.Env("USER"), p.account()),
		Version: version, Now: s.Now, Log: log, Dial: p.dial, Free: p.free,
	}
	if p.salvage {
		conf.Salvage = store.Salvage
	}
	return agent.Open(conf)
}

// account is the name by which the system knows who runs this, so that every change names
// somebody also where nothing in the environment does.
func (p program) account() string {
	if p.user == nil {
		return ""
	}
	u, err := p.user()
	if err != nil {
		return ""
	}
	return u.Username
}

// open opens the union meant; close it.
func (p program) open(c *cli.Context) (*agent.Agent, *union.Union, error) {
	a, err := p.agent(c, nil)
	if err != nil {
		return nil, nil, err
	}
	u, err := a.Union(c.String(flagUnion))
	return a, u, err
}

// with runs do with the union meant.
func (p program) with(c *cli.Context, do func(*agent.Agent, *union.Union) error) (err error) {
	a, u, err := p.open(c)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, u) }()
	return do(a, u)
}

// unions are those that a command without --union is about: all of them.
func unions(c *cli.Context, a *agent.Agent) ([]string, error) {
	if name := c.String(flagUnion); name != "" {
		one, err := a.Which(name)
		return []string{one}, err
	}
	all, err := a.Unions()
	if err == nil && len(all) == 0 {
		_, err = a.Which("")
	}
	return all, err
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

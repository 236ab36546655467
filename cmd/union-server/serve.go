package main

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
	"unionsync/server/health"
)

func serveCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "serve",
		Usage:       s.T("server.serve_usage"),
		Description: s.T("server.serve_help"),
		Flags:       append([]cli.Flag{dataFlag(s)}, settingFlags(s)...),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			return serve(c, clikit.From(c))
		},
	}
}

func serve(c *cli.Context, s *clikit.Session) error {
	cfg, err := server.LoadConfig(c.String("data"), s.Env, settingsOf(c))
	if err != nil {
		return err
	}
	recent := health.NewRecent()
	log, err := cfg.NewLogger(io.MultiWriter(s.Stderr, recent))
	if err != nil {
		return err
	}
	n, err := server.Open(server.Options{
		Dir: c.String("data"), Config: cfg, World: world(), Log: log, Version: version,
		Ready:  func(r server.Ready) { sayReady(s, r) },
		Recent: recent, Reload: hangups(), Notify: health.Systemd,
	})
	if err != nil {
		return err
	}
	return n.Run(c.Context)
}

// hangups gives SIGHUP, which for a service means: look at your files again.
func hangups() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// sayReady writes the one line that scripts wait for.
func sayReady(s *clikit.Session, r server.Ready) {
	line := s.T("server.ready", "node", r.Node, "api", r.API)
	if s.JSON {
		b, err := json.Marshal(r)
		if err != nil {
			panic("encode three strings: " + err.Error())
		}
		line = string(b)
	}
	_ = s.Println(line) // a reader that is gone does not stop the node
}

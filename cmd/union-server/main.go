// Command union-server runs a node of the city's centre and the operator's commands.
package main

import (
	"crypto/rand"
	"os"
	"runtime/debug"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

// version is set when a release is built.
var version = "0.1.0"

func main() {
	limitMemory(720 << 20)
	os.Exit(clikit.Run(build))
}

// limitMemory makes the collector work harder when the heap comes near to so many bytes,
// instead of letting it double. The environment's GOMEMLIMIT wins.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

func build(s *clikit.Session) *cli.App {
	return &cli.App{
		Name:    "union-server",
		Usage:   s.T("server.usage"),
		Version: version,
		Commands: []*cli.Command{
			initCommand(s), joinCommand(s), serveCommand(s), enrolCommand(s), orgCommand(s), kindsCommand(s), findingsCommand(s), countsCommand(s), bundleCommand(s), statusCommand(s),
			generationCommand(s), casesCommand(s), deviceCommand(s), backupCommand(s), restoreCommand(s), clusterCommand(s),
			configCommand(s), doctorCommand(s), debugCommand(s),
		},
	}
}

func world() server.World { return server.World{Rand: rand.Reader, Now: worldClock()} }

// dataFlag names the node's folder; the environment may do so too.
func dataFlag(s *clikit.Session) cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: s.T("server.flag_data"), Value: orElse(s.Env("UNIONSYNC_DATA"), "union-server-data")}
}

func nodeFlag(s *clikit.Session) cli.Flag {
	return &cli.StringFlag{Name: "node", Usage: s.T("server.flag_node")}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// addressFlags are those by which others find a node.
func addressFlags(s *clikit.Session) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: s.T("server.flag_listen")},
		&cli.StringFlag{Name: "advertise", Usage: s.T("server.flag_advertise")},
		&cli.StringFlag{Name: "raft", Usage: s.T("server.flag_raft")},
		&cli.StringFlag{Name: "raft-advertise", Usage: s.T("server.flag_raft_advertise")},
	}
}

func configOf(c *cli.Context) server.Config {
	return server.Config{
		ID: c.String("id"), City: c.String("city"), Listen: c.String("listen"), Advertise: c.String("advertise"),
		Raft: c.String("raft"), RaftAdvertise: c.String("raft-advertise"),
	}
}

// admin connects with the certificate of the node whose folder is named.
func admin(c *cli.Context) (*server.Admin, error) {
	return server.Dial(c.String("data"), clikit.From(c).Env, c.String("node"))
}

// ago shows a time of the centre, or that there was none.
func ago(s *clikit.Session, unix int64) string {
	if unix == 0 {
		return s.T("word.never")
	}
	return time.Unix(unix, 0).Format("2006-01-02 15:04")
}

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
	"unionsync/server/archive"
)

func backupCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "backup",
		Usage:       s.T("server.backup_usage"),
		Description: s.T("server.backup_help"),
		Subcommands: []*cli.Command{
			backupNowCommand(s), backupListCommand(s), backupInspectCommand(s), backupVerifyCommand(s), backupDrillCommand(s),
		},
	}
}

// vaultFlags say which archive a command reads: that of a node, or any, with its cluster key.
func vaultFlags(s *clikit.Session) []cli.Flag {
	return []cli.Flag{
		dataFlag(s),
		&cli.StringFlag{Name: "from", Usage: s.T("server.flag_from")},
		&cli.StringFlag{Name: "cluster-key", Usage: s.T("server.flag_cluster_key")},
	}
}

// vault opens the archive that the flags name. The keys of a store may stand in the
// environment, of the process if the session has none of its own.
func vault(c *cli.Context) (*server.Vault, error) {
	return server.OpenVault(c.Context, server.VaultAt{Dir: c.String("data"), From: c.String("from"), ClusterKey: c.String("cluster-key")}, storeEnv(c))
}

func storeEnv(c *cli.Context) func(string) string {
	env := clikit.From(c).Env
	return func(name string) string { return orElse(env(name), os.Getenv(name)) }
}

// optional gives the one word that may stand behind a command.
func optional(c *cli.Context) (string, error) {
	args, err := clikit.Args(c, 0, 1)
	if err != nil || len(args) == 0 {
		return "", err
	}
	return args[0], nil
}

// steps shows how far the putting back of a backup is.
func steps(s *clikit.Session) (step func(what string, done int64), done func()) {
	p := s.Progress(s.T("server.backup_working"))
	return func(what string, n int64) {
		switch what {
		case archive.StepReplay:
			p.Say(s.T("server.backup_step_replay", "n", fmt.Sprint(n)))
		case archive.StepDigest:
			p.Say(s.T("server.backup_step_digest", "n", size(n)))
		default:
			p.Say(s.T("server.backup_step_load", "n", size(n)))
		}
	}, p.Done
}

// size shows bytes in MiB.
func size(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func clock(unix int64) string { return time.Unix(unix, 0).Format("2006-01-02 15:04:05") }

// showProblems says of each thing that is not as it was written what is wrong with it.
func showProblems(s *clikit.Session, problems []archive.Problem) {
	for _, p := range problems {
		s.Note("  " + s.ErrorOf(p.Err).Sentence)
	}
}

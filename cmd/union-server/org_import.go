package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/text"
	"unionsync/server"
	"unionsync/syncproto"
)

func orgImportCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "import",
		Usage:       s.T("server.org_import_usage"),
		Description: s.T("server.org_import_help"),
		ArgsUsage:   "FILE.csv",
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.BoolFlag{Name: "dry-run", Usage: s.T("server.flag_dry_run")},
		},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 1, 1, "FILE.csv")
			if err != nil {
				return err
			}
			rows, err := server.ReadOrgFile(args[0])
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.ImportOrg(c.Context, &unionrpc.ImportOrgRequest{Rows: rows, DryRun: c.Bool("dry-run")})
			if err != nil {
				return err
			}
			return printImport(clikit.From(c), filepath.Base(args[0]), r)
		},
	}
}

// imported is an import as JSON shows it.
type imported struct {
	File      string       `json:"file"`
	Added     uint32       `json:"added"`
	Changed   uint32       `json:"changed"`
	Unchanged uint32       `json:"unchanged"`
	Problems  []orgProblem `json:"problems"`
	Head      string       `json:"head"`
}

type orgProblem struct {
	Line     uint32         `json:"line"`
	Code     syncproto.Code `json:"code"`
	Sentence string         `json:"sentence"`
}

func printImport(s *clikit.Session, file string, r *unionrpc.ImportOrgResponse) error {
	v := imported{
		File: file, Added: r.GetAdded(), Changed: r.GetChanged(), Unchanged: r.GetUnchanged(),
		Problems: []orgProblem{}, Head: syncproto.Position(r.GetHead()).String(),
	}
	for _, p := range r.GetProblems() {
		e := &syncproto.Error{Code: syncproto.Code(p.GetCode()), Args: p.GetArgs()}
		v.Problems = append(v.Problems, orgProblem{Line: p.GetLine(), Code: e.Code, Sentence: text.Sentence(s.Lang, e)})
	}
	if s.JSON {
		if err := s.PrintJSON(v); err != nil {
			return err
		}
		if len(v.Problems) > 0 {
			return clikit.Outcome(clikit.ExitInput)
		}
		return nil
	}
	return sayImport(s, &v)
}

func sayImport(s *clikit.Session, v *imported) error {
	if len(v.Problems) == 0 {
		return s.Println(s.T("server.imported", "added", fmt.Sprint(v.Added), "changed", fmt.Sprint(v.Changed), "unchanged", fmt.Sprint(v.Unchanged)))
	}
	t := clikit.Table{Head: []string{s.T("server.line"), s.T("server.problem")}}
	for _, p := range v.Problems {
		t.Rows = append(t.Rows, []string{fmt.Sprint(p.Line), p.Sentence})
	}
	if err := s.PrintTable(t); err != nil {
		return err
	}
	return syncproto.Fail(syncproto.CodeOrgLine, "import org", nil, "n", fmt.Sprint(len(v.Problems)))
}

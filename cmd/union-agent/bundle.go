package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/bundlefile"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

func (p program) bundle(s *clikit.Session) *cli.Command {
	to := func() cli.Flag { return &cli.StringFlag{Name: "to", Usage: s.T("agent.flag_to")} }
	return &cli.Command{
		Name: "bundle", Usage: s.T("agent.bundle_usage"), Description: s.T("agent.bundle_help"),
		Subcommands: []*cli.Command{
			{Name: "export", Usage: s.T("agent.bundle_export_usage"), Flags: []cli.Flag{to()}, Action: p.bundleExport},
			{Name: "import", Usage: s.T("agent.bundle_import_usage"), ArgsUsage: "FILE|DIR…", Action: p.bundleImport},
			{
				Name: "carry", Usage: s.T("agent.bundle_carry_usage"),
				Flags:  []cli.Flag{&cli.StringFlag{Name: "from", Usage: s.T("agent.flag_from")}, to()},
				Action: bundleCarry,
			},
			{Name: "status", Usage: s.T("agent.bundle_status_usage"), Action: p.bundleStatus},
			{Name: "inspect", Usage: s.T("bundle.inspect_usage"), ArgsUsage: "FILE", Action: bundleInspect},
		},
	}
}

// bundleOut is a bundle that this PC made, in JSON.
type bundleOut struct {
	ID       string `json:"id"`
	Union    string `json:"union"`
	File     string `json:"file,omitempty"`
	Bytes    int    `json:"bytes,omitempty"`
	MadeAt   string `json:"made_at"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Requests int    `json:"requests"`
	Answered int    `json:"answered"`
	Open     bool   `json:"open"`
	More     bool   `json:"more"`
}

func bundleOf(code string, a union.Asked) bundleOut {
	return bundleOut{
		ID: a.ID.String(), Union: code, MadeAt: stamp(time.Unix(a.MadeAt, 0)), First: a.First, Last: a.Last.Seq,
		Requests: a.Requests, Answered: a.Answered, Open: a.Open(), More: a.More,
	}
}

// changes says how many changes a bundle carries.
func (b bundleOut) changes() string {
	if b.Last == 0 {
		return "0"
	}
	return fmt.Sprint(b.Last - b.First + 1)
}

func (p program) bundleExport(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	if err := clikit.Need(c, "to"); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	all, err := unions(c, a)
	if err != nil {
		return err
	}
	out, bar := []bundleOut{}, s.Progress(s.T("agent.exporting_bundle"))
	for i, code := range all {
		e, err := a.ExportBundle(code, c.String("to"))
		if err != nil {
			bar.Done()
			return err
		}
		e.Written = true
		one := bundleOf(code, e.Asked)
		one.File, one.Bytes = e.Path, e.Bytes
		out = append(out, one)
		bar.Step(i+1, len(all))
	}
	bar.Done()
	return s.Print(out, func() error {
		for _, b := range out {
			if err := s.Println(s.T("agent.bundle_exported", "union", b.Union, "n", b.changes(), "file", b.File)); err != nil {
				return err
			}
			if b.More {
				s.Note(s.T("agent.bundle_more"))
			}
		}
		return s.Println(s.T("bundle.safe"))
	})
}

// takenOut is a file that was to be imported, in JSON.
type takenOut struct {
	File     string `json:"file"`
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Union    string `json:"union,omitempty"`
	Used     bool   `json:"used"`  // answers of it were worked in now
	Other    bool   `json:"other"` // for somebody else
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	Held     int    `json:"held"`
	Equal    bool   `json:"equal"`

	Conflicts int              `json:"conflicts"`
	Cases     int              `json:"cases"` // that wait for a person
	Notices   []syncproto.Code `json:"notices"`
	Error     *clikit.Failure  `json:"error,omitempty"`
}

func (p program) bundleImport(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, -1, "FILE")
	if err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	bar := s.Progress(s.T("agent.importing_bundle"))
	taken, err := a.ImportBundles(c.Context, args, bar.Step)
	bar.Done()
	if err != nil && len(taken) == 0 {
		return err
	}
	out, status := []takenOut{}, clikit.ExitOK
	for _, t := range taken {
		one := takenOut{
			File: t.File, Kind: t.Head.Kind.String(), ID: t.Head.ID.String(), Union: t.Union, Used: t.Result.Rounds > 0, Other: t.Other,
			Sent: t.Result.Sent, Received: t.Result.Received, Held: t.Result.Held, Equal: t.Result.Equal,
			Conflicts: t.Result.Conflicts, Cases: t.Result.Cases, Notices: told(t.Result),
		}
		if t.Err != nil {
			f := s.ErrorOf(t.Err)
			one.Error, status = &f, graver(status, clikit.ExitStatus(t.Err))
		} else if needsPerson(t.Result) {
			status = graver(status, clikit.ExitAttention)
		}
		out = append(out, one)
	}
	if perr := s.Print(out, func() error { return printTaken(s, taken) }); perr != nil || err != nil {
		return errors.Join(perr, err)
	}
	if status != clikit.ExitOK {
		return clikit.Outcome(status)
	}
	return nil
}

func needsPerson(r union.Result) bool {
	return r.Held > 0 || r.Conflicts > 0 || r.Cases > 0 || len(told(r)) > 0
}

func printTaken(s *clikit.Session, taken []agent.Taken) error {
	for _, t := range taken {
		what := ""
		switch {
		case t.Err != nil:
			what = text.Sentence(s.Lang, t.Err)
		case t.Other:
			what = s.T("agent.bundle_other")
		case t.Result.Rounds == 0:
			what = s.T("agent.bundle_again")
		}
		if what == "" {
			what = s.T("agent.bundle_taken", "sent", fmt.Sprint(t.Result.Sent), "received", fmt.Sprint(t.Result.Received))
		}
		if err := s.Println(t.File + s.T("bundle.colon") + what); err != nil {
			return err
		}
		if err := printWaits(s, t.Result); err != nil {
			return err
		}
	}
	for i := len(taken) - 1; i >= 0; i-- { // as the last one that was used left it
		if r := taken[i].Result; r.Rounds > 0 {
			return printLeft(s, r.Cases, r.News)
		}
	}
	return nil
}

// carriedOut is a file that was to be carried, in JSON.
type carriedOut struct {
	File  string          `json:"file"`
	Kind  string          `json:"kind"`
	ID    string          `json:"id"`
	To    string          `json:"to"`
	Bytes int             `json:"bytes"`
	There bool            `json:"there"` // it was at the other place before
	Error *clikit.Failure `json:"error,omitempty"`
}

// bundleCarry needs no data folder: anybody may carry what nobody but the addressee can read.
func bundleCarry(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	if err := clikit.Need(c, "from", "to"); err != nil {
		return err
	}
	bar := s.Progress(s.T("agent.carrying"))
	all, err := bundlefile.Carry(c.Context, c.String("from"), c.String("to"), bar.Step)
	bar.Done()
	if err != nil {
		return err
	}
	out, status := []carriedOut{}, clikit.ExitOK
	for _, x := range all {
		one := carriedOut{File: x.File, Kind: x.Head.Kind.String(), ID: x.Head.ID.String(), To: addressee(x.Head), Bytes: x.Head.Size, There: x.There}
		if x.Err != nil {
			f := s.ErrorOf(x.Err)
			one.Error, status = &f, graver(status, clikit.ExitStatus(x.Err))
		}
		out = append(out, one)
	}
	if err := s.Print(out, func() error { return printCarried(s, all) }); err != nil {
		return err
	}
	if status != clikit.ExitOK {
		return clikit.Outcome(status)
	}
	return nil
}

func printCarried(s *clikit.Session, all []bundlefile.Carried) error {
	for _, x := range all {
		what := s.T("agent.carried_" + x.Head.Kind.String())
		switch {
		case x.Err != nil:
			what = text.Sentence(s.Lang, x.Err)
		case x.There:
			what = s.T("agent.carried_there")
		}
		if err := s.Println(x.File + s.T("bundle.colon") + what); err != nil {
			return err
		}
	}
	return s.Println(s.T("bundle.safe"))
}

func addressee(h bundle.Head) string {
	if h.Kind == bundle.KindAnswer {
		return h.Device.String()
	}
	return "centre"
}

func (p program) bundleStatus(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	all, err := unions(c, a)
	if err != nil {
		return err
	}
	out := []bundleOut{}
	for _, code := range all {
		made, err := a.Bundles(code)
		if err != nil {
			return err
		}
		for _, m := range made {
			if m.Written {
				out = append(out, bundleOf(code, m))
			}
		}
	}
	return s.Print(out, func() error {
		t := clikit.Table{Head: []string{s.T("bundle.id"), s.T("agent.union"), s.T("agent.bundle_made"), s.T("agent.bundle_changes"), s.T("agent.bundle_state")}}
		for _, b := range out {
			state := s.T("agent.bundle_settled")
			if b.Open {
				state = s.T("agent.bundle_keep")
			}
			t.Rows = append(t.Rows, []string{b.ID, b.Union, b.MadeAt, b.changes(), state})
		}
		return s.PrintTable(t)
	})
}

func bundleInspect(c *cli.Context) error {
	args, err := clikit.Args(c, 1, 1, "FILE")
	if err != nil {
		return err
	}
	h, err := bundlefile.Inspect(args[0])
	if err != nil {
		return err
	}
	s := clikit.From(c)
	v := carriedOut{File: filepath.Base(args[0]), Kind: h.Kind.String(), ID: h.ID.String(), To: addressee(h), Bytes: h.Size}
	city := fmt.Sprintf("%x", h.City)
	return s.Print(struct {
		carriedOut
		City string `json:"city"`
	}{v, city}, func() error {
		return s.PrintFields([][2]string{
			{s.T("bundle.kind"), s.T("bundle." + h.Kind.String())}, {s.T("bundle.id"), v.ID}, {s.T("bundle.city"), city},
			{s.T("bundle.to"), v.To}, {s.T("bundle.size"), fmt.Sprint(h.Size)},
		})
	})
}

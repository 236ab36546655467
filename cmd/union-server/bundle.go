package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"unionsync/internal/bundlefile"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/server"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

func bundleCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "bundle", Usage: s.T("server.bundle_usage"),
		Subcommands: []*cli.Command{
			{
				Name: "import", Usage: s.T("server.bundle_import_usage"), Description: s.T("server.bundle_import_help"), ArgsUsage: "FILE|DIR…",
				Flags: []cli.Flag{dataFlag(s), nodeFlag(s), &cli.StringFlag{Name: "out", Usage: s.T("server.flag_out")}}, Action: bundleImport,
			},
			{Name: "inspect", Usage: s.T("bundle.inspect_usage"), ArgsUsage: "FILE", Action: bundleInspect},
		},
	}
}

// workedIn is one file of an import as JSON shows it.
type workedIn struct {
	File   string             `json:"file"`
	Answer string             `json:"answer,omitempty"` // the file with the sealed answer
	Report *gate.BundleReport `json:"report,omitempty"`
	Other  bool               `json:"other"` // not for a centre, met in a folder
	Error  *clikit.Failure    `json:"error,omitempty"`
}

func bundleImport(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, -1, "FILE")
	if err != nil {
		return err
	}
	a, err := admin(c)
	if err != nil {
		return err
	}
	defer a.Close()
	out, status := []workedIn{}, clikit.ExitOK
	bar := s.Progress(s.T("server.bundle_importing"))
	for _, arg := range args {
		files, err := bundlefile.Find(arg)
		if err != nil {
			bar.Done()
			return err
		}
		folder := len(files) != 1 || files[0] != arg
		for _, f := range files {
			one, err := workIn(c, a, f, c.String("out"))
			if folder && syncproto.CodeOf(err) == syncproto.CodeBundleAddressee {
				one.Other, err = true, nil
			}
			if err != nil {
				failure := s.ErrorOf(err)
				one.Error, status = &failure, clikit.ExitStatus(err)
			}
			out = append(out, one)
			bar.Step(len(out), 0)
		}
	}
	bar.Done()
	if len(out) == 0 {
		return syncproto.Fail(syncproto.CodeBundleNone, "import bundles", nil, "dir", args[0])
	}
	if err := s.Print(out, func() error { return printWorkedIn(s, out) }); err != nil {
		return err
	}
	if status != clikit.ExitOK {
		return clikit.Outcome(status)
	}
	return nil
}

// workIn brings one file to the centre and puts the answer beside it, or into the folder out.
func workIn(c *cli.Context, a *server.Admin, path, out string) (w workedIn, err error) {
	w.File = filepath.Base(path)
	file, err := bundlefile.Read(path)
	if err != nil {
		return w, err
	}
	h, _, err := bundle.DecodeFile(file)
	if err != nil {
		return w, err
	}
	if h.Kind != bundle.KindRequest {
		return w, syncproto.Fail(syncproto.CodeBundleAddressee, "import bundle", errors.New("it is an answer"))
	}
	sealed, report, err := a.ImportBundle(c.Context, file)
	if err != nil {
		return w, err
	}
	if w.Report = report; len(sealed) == 0 {
		return w, nil
	}
	if h, _, err = bundle.DecodeFile(sealed); err != nil {
		return w, err
	}
	if out == "" {
		out = filepath.Dir(path)
	}
	w.Answer = filepath.Join(out, h.Name())
	_, err = bundlefile.Write(w.Answer, sealed)
	return w, err
}

func printWorkedIn(s *clikit.Session, all []workedIn) error {
	answers := 0
	for _, w := range all {
		var line string
		switch {
		case w.Error != nil:
			line = w.Error.Sentence
		case w.Other:
			line = s.T("server.bundle_other")
		default:
			line = s.T("server.bundle_worked_in", "union", w.Report.Union, "changes", fmt.Sprint(w.Report.Changes),
				"held", fmt.Sprint(w.Report.Held), "refused", fmt.Sprint(len(w.Report.Refused)))
		}
		if err := s.Println(w.File + s.T("bundle.colon") + line); err != nil {
			return err
		}
		if w.Report != nil {
			for _, code := range w.Report.Refused {
				s.Note(text.Sentence(s.Lang, syncproto.Fail(code, "import bundle", nil)))
			}
		}
		if w.Answer != "" && w.Error == nil {
			answers++
			if err := s.Println(s.T("server.bundle_answer", "file", filepath.Base(w.Answer))); err != nil {
				return err
			}
		}
	}
	if answers == 0 {
		return nil
	}
	return s.Println(s.T("bundle.safe"))
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
	s, to := clikit.From(c), "centre"
	if h.Kind == bundle.KindAnswer {
		to = h.Device.String()
	}
	city := fmt.Sprintf("%x", h.City)
	return s.Print(map[string]any{
		"file": filepath.Base(args[0]), "kind": h.Kind.String(), "id": h.ID.String(), "city": city, "to": to, "bytes": h.Size,
	}, func() error {
		return s.PrintFields([][2]string{
			{s.T("bundle.kind"), s.T("bundle." + h.Kind.String())}, {s.T("bundle.id"), h.ID.String()}, {s.T("bundle.city"), city},
			{s.T("bundle.to"), to}, {s.T("bundle.size"), fmt.Sprint(h.Size)},
		})
	})
}

package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"unionsync/agent/sheet"
	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// ExportOptions say how a list is written.
type ExportOptions struct {
	File   string   // ends in .xlsx or .csv
	Lang   string   // of headings and words
	Fields []string // empty: all
	Mask   bool     // sensitive values masked; such a list does not import again
	Force  bool     // replace a file that exists
}

// Run writes the records of a kind that are in force, each with the companion it was made
// with, and gives their number. The file is complete or not there.
func (o ExportOptions) Run(ctx context.Context, u *union.Union, k *kind.Kind) (int, error) {
	format, err := o.format()
	if err != nil {
		return 0, err
	}
	if _, err := os.Lstat(o.File); err == nil && !o.Force {
		return 0, syncproto.Fail(syncproto.CodeExportExists, "export", nil, "file", o.File)
	}
	page, err := u.List(ctx, union.Query{Kind: k.Name})
	if err != nil {
		return 0, err
	}
	rows := make([]sheet.Exported, 0, len(page.Rows))
	for _, r := range page.Rows {
		made, err := Companion(u, r)
		if err != nil {
			return 0, err
		}
		rows = append(rows, sheet.Exported{Record: r.Values, Companion: made})
	}
	err = atomicfile.Stream(o.File, 0o600, func(w io.Writer) error {
		return sheet.Write(w, format, u.Kinds(), k.Name, rows, sheet.Layout{Lang: o.Lang, Names: o.Fields, Mask: o.Mask})
	})
	return len(rows), exportError(o.File, err)
}

func (o ExportOptions) format() (sheet.Format, error) {
	for _, f := range []sheet.Format{sheet.XLSX, sheet.CSV} {
		if strings.HasSuffix(strings.ToLower(o.File), "."+string(f)) {
			return f, nil
		}
	}
	return "", syncproto.Fail(syncproto.CodeExportFormat, "export", nil, "file", o.File)
}

func exportError(file string, err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case atomicfile.Full(err):
		return syncproto.Fail(syncproto.CodeDiskFull, "export", err)
	case errors.As(err, &path):
		return syncproto.Fail(syncproto.CodeSheetWrite, "export", err, "file", file)
	}
	return err
}

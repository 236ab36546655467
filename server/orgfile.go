package server

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Bounds of an organisation file, and how far down its head may stand.
const (
	maxOrgBytes = 32 << 20
	maxHeadRow  = 20
)

// orgHeadings are names of columns beside those of the kind file.
var orgHeadings = map[string]string{
	"行政区划": "county", "区划": "county", "division": "county", "层级": "level", "级别": "level", "编码": "code", "上级": "parent",
}

// ReadOrg reads an organisation file: comma or tab separated, in UTF-8 or GB18030, the head
// under any title rows. Columns are found by their names; what they hold is for the centre
// to judge. name is the file's, for errors.
func ReadOrg(r io.Reader, name string) ([]*unionrpc.OrgRow, error) {
	text, err := orgText(r)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeOrgFile, "read organisation", err, "file", name)
	}
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.FieldsPerRecord, c.LazyQuotes = separator(text), -1, true
	names, err := orgHead(c)
	if err != nil {
		return nil, err
	}
	var rows []*unionrpc.OrgRow
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syncproto.Fail(syncproto.CodeOrgFile, "read organisation", err, "file", name)
		}
		line, _ := c.FieldPos(0)
		if row := orgRow(names, cells, line); row != nil {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, syncproto.Fail(syncproto.CodeOrgFile, "read organisation", errors.New("no rows"), "file", name)
	}
	return rows, nil
}

// orgText gives the file as UTF-8: what is not that is GB18030, or no text.
func orgText(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxOrgBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxOrgBytes:
		return "", fmt.Errorf("more than %d bytes", maxOrgBytes)
	case bytes.IndexByte(b, 0) >= 0:
		return "", errors.New("not a text")
	case utf8.Valid(b):
		return strings.TrimPrefix(string(b), "\ufeff"), nil
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", errors.New("neither UTF-8 nor GB18030")
	}
	return string(out), nil
}

func separator(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	if strings.Count(line, "\t") > strings.Count(line, ",") {
		return '\t'
	}
	return ','
}

// orgHead finds the head and gives for each column the field's name, "" for others.
func orgHead(c *csv.Reader) ([]string, error) {
	known, label := headings()
	missing := "code"
	for range maxHeadRow {
		cells, err := c.Read()
		if err != nil {
			break // the end, or no table: said below
		}
		names, has := make([]string, len(cells)), map[string]bool{}
		for i, cell := range cells {
			if n := known[kind.Heading(cell)]; !has[n] {
				names[i], has[n] = n, true
			}
		}
		if missing = firstMissing(has); missing == "" {
			return names, nil
		}
		if has["code"] {
			break
		}
	}
	return nil, syncproto.Fail(syncproto.CodeOrgHeading, "read organisation", nil, "column", label[missing])
}

func firstMissing(has map[string]bool) string {
	for _, n := range []string{"code", "name", "level"} {
		if !has[n] {
			return n
		}
	}
	return ""
}

// headings gives the fields by how their columns may be called, and their labels.
func headings() (known, label map[string]string) {
	known, label = map[string]string{}, map[string]string{}
	for h, n := range orgHeadings {
		known[kind.Heading(h)] = n
	}
	k, ok := kind.Embedded().Kind("org-unit")
	if !ok {
		return known, label
	}
	for _, f := range k.Fields {
		label[f.Name] = f.Label.Zh
		for _, h := range append([]string{f.Name, f.Label.Zh, f.Label.En}, f.Aliases...) {
			known[kind.Heading(h)] = f.Name
		}
	}
	return known, label
}

// orgRow gives the row's texts by field; nil for a blank row.
func orgRow(names, cells []string, line int) *unionrpc.OrgRow {
	row := &unionrpc.OrgRow{Line: uint32(line), Values: map[string]string{}}
	blank := true
	for i, n := range names {
		if n == "" {
			continue
		}
		row.Values[n] = ""
		if i < len(cells) {
			row.Values[n] = cells[i]
			blank = blank && strings.TrimSpace(cells[i]) == ""
		}
	}
	if blank {
		return nil
	}
	return row
}

// ReadOrgFile is [ReadOrg] for a file on disk.
func ReadOrgFile(path string) ([]*unionrpc.OrgRow, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeOrgFile, "read organisation", err, "file", filepath.Base(path))
	}
	defer func() { _ = f.Close() }() // only read
	return ReadOrg(f, filepath.Base(path))
}

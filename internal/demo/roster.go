package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/width"

	"unionsync/internal/testcity"
)

// line is a row of a roster's file, read as plainly as can be.
type line struct {
	serial string
	row    testcity.Row // what a count needs: number, sex, birth, day of joining
}

// readRoster reads the numbered rows of a roster's file, good ones and bad ones.
func readRoster(path string) ([]line, error) {
	cells, err := readCells(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var head map[string]int
	var out []line
	for _, row := range cells {
		if head == nil {
			head = heading(row)
			continue
		}
		l := line{serial: cell(row, head, "序号")}
		if _, err := strconv.Atoi(l.serial); err != nil {
			continue // a blank row, or notes below the table
		}
		l.row = testcity.Row{
			ID:     strings.ToUpper(strings.Trim(width.Narrow.String(cell(row, head, "证件号码")), "' ")),
			Sex:    map[string]string{"男": "1", "女": "2"}[cell(row, head, "性别")],
			Joined: joined(cell(row, head, "入会日期")),
		}
		if len(l.row.ID) == 18 {
			l.row.Birth = l.row.ID[6:10] + "-" + l.row.ID[10:12] + "-" + l.row.ID[12:14]
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read %s: no roster in it", path)
	}
	return out, nil
}

// heading gives the columns of a head row by name; nil if this row is none.
func heading(row []string) map[string]int {
	columns := map[string]int{}
	for i, name := range row {
		columns[name] = i
	}
	if _, ok := columns["证件号码"]; !ok {
		return nil
	}
	return columns
}

func cell(row []string, head map[string]int, name string) string {
	if i, ok := head[name]; ok && i < len(row) {
		return strings.TrimSpace(row[i])
	}
	return ""
}

// joined reads a date in the ways that the demo's files write them; a spreadsheet counts
// days from 30 December 1899.
func joined(s string) string {
	for _, form := range []string{time.DateOnly, "20060102", "2006年1月2日", "2006.1.2", "2006/1/2"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(time.DateOnly)
		}
	}
	if days, err := strconv.Atoi(s); err == nil && len(s) == 5 {
		return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days).Format(time.DateOnly)
	}
	return ""
}

func readCells(path string) ([][]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, []byte("PK")) {
		return readXLSX(b)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if !utf8.Valid(b) {
		if b, err = simplifiedchinese.GB18030.NewDecoder().Bytes(b); err != nil {
			return nil, err
		}
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

func readXLSX(b []byte) (rows [][]string, err error) {
	f, err := excelize.OpenReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.GetRows(f.GetSheetName(0))
}

// verdictsOf reads which rows of a roster must be imported as they are, normalised, or
// refused, by serial number.
func verdictsOf(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the expected verdicts: %w", err)
	}
	var rows []struct {
		Row     int    `json:"row"`
		Verdict string `json:"verdict"`
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("read the expected verdicts: %w", err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[strconv.Itoa(r.Row)] = r.Verdict
	}
	return out, nil
}

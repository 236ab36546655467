package sheet

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"unionsync/syncproto"
)

// Limits of what is read.
const (
	MaxFileBytes = 50 << 20  // of the file as it is
	MaxRows      = 200_000   // of all sheets together
	MaxColumns   = 256       // with something in them
	maxUnpacked  = 256 << 20 // of a workbook's parts together
	maxRatio     = 200       // unpacked bytes for each byte of the file, beyond freeUnpacked
	freeUnpacked = 16 << 20
	maxToken     = 4 << 20  // of one piece of XML; a cell has at most 32,767 characters
	maxTextBytes = 64 << 20 // of all cells together
	mega         = 1 << 20
)

// Table is what a file holds: its sheets, in the file's order, without hidden ones.
type Table struct {
	Format string // "xlsx", "csv utf-8", "csv gb18030" or "csv utf-16"
	Sheets []*Sheet
}

// Sheet is one sheet. A CSV file has one, without a name.
type Sheet struct {
	Name     string
	Date1904 bool  // numbers of days count from 1904-01-01; those shown as days are converted
	Rows     []Row // rows with at least one cell that is not blank
}

// Row is one row of a sheet.
type Row struct {
	Number int // as the spreadsheet shows it, from 1
	Cells  []Cell
}

// Cell is one cell. The zero Cell is blank.
type Cell struct {
	Text    string
	Numeric bool // the spreadsheet keeps a number, not text
	Day     bool // a number that is shown as a day
	Month   bool // a number that is shown as a month
	Fault   bool // an error of the spreadsheet, or a formula without result
	Merged  byte // 0, or how the cell lies in a merged one: mergedDown or mergedAcross
}

// Ways in which a cell that is not the first lies in a merged one. Its Text is the first
// one's.
const (
	mergedDown   byte = 1 // in the column of the first one
	mergedAcross byte = 2 // in another column
)

// blank reports whether nothing stands in the cell itself.
func (c Cell) blank() bool { return c.Text == "" && !c.Fault }

// Read tells the format by the file's content and reads all cells. The errors are for
// persons, with a code; a panic of the decoders is an error too.
func Read(r io.ReaderAt, size int64) (t *Table, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, fail(syncproto.CodeSheetDamaged, nil)
		}
	}()
	switch {
	case size <= 0:
		return nil, fail(syncproto.CodeSheetEmpty, nil)
	case size > MaxFileBytes:
		return nil, fail(syncproto.CodeSheetTooBig, nil, "max", strconv.Itoa(MaxFileBytes/mega))
	}
	head := make([]byte, min(size, 4096))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), head); err != nil {
		return nil, fail(syncproto.CodeSheetDamaged, err)
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		t, err = readWorkbook(r, size)
	} else {
		t, err = readOther(r, size, head)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range t.Sheets {
		if len(s.Rows) > 0 {
			return t, nil
		}
	}
	return nil, fail(syncproto.CodeSheetEmpty, nil)
}

// readOther reads what is no zip archive: text, or something that is refused by name.
func readOther(r io.ReaderAt, size int64, head []byte) (*Table, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), data); err != nil {
		return nil, fail(syncproto.CodeSheetDamaged, err)
	}
	if bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		return nil, compound(data)
	}
	text := strings.ToLower(string(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")))
	switch {
	case strings.HasPrefix(text, "<?xml") && strings.Contains(text, "office:spreadsheet"):
		return nil, fail(syncproto.CodeSheetOldXLS, nil)
	case hasAnyPrefix(text, "<!doctype html", "<html", "<table", "<head", "<meta", "<style", "<body", "mime-version:"),
		strings.HasPrefix(text, "<") && strings.Contains(text, "<html"):
		return nil, fail(syncproto.CodeSheetHTML, nil)
	case hasAnyPrefix(text, "<?xml", "{\\rtf", "%pdf", "{\"", "[{"):
		return nil, fail(syncproto.CodeNotSheet, nil)
	}
	return readText(data)
}

// compound tells the files of the old binary container apart: a workbook that is protected
// by a password keeps an EncryptedPackage there, all others are old formats.
func compound(data []byte) error {
	var name []byte
	for _, c := range []byte("EncryptedPackage") {
		name = append(name, c, 0)
	}
	if bytes.Contains(data, name) {
		return fail(syncproto.CodeSheetPassword, nil)
	}
	for _, stream := range []string{"W\x00o\x00r\x00d\x00D\x00o\x00c\x00", "P\x00o\x00w\x00e\x00r\x00P\x00o\x00i\x00n\x00t\x00"} {
		if bytes.Contains(data, []byte(stream)) {
			return fail(syncproto.CodeNotSheet, nil)
		}
	}
	return fail(syncproto.CodeSheetOldXLS, nil)
}

// hasAnyPrefix reports whether s begins with one of the prefixes.
func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// fail makes an error of this package.
func fail(code syncproto.Code, cause error, args ...string) error {
	return syncproto.Fail(code, "read spreadsheet", cause, args...)
}

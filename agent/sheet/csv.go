package sheet

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"unionsync/syncproto"
)

// readText reads CSV, whatever its encoding and separator.
func readText(data []byte) (*Table, error) {
	text, format, err := decode(data)
	if err != nil {
		return nil, err
	}
	rows, err := splitRows(text, separator(text))
	if err != nil {
		return nil, err
	}
	return &Table{Format: format, Sheets: []*Sheet{{Rows: rows}}}, nil
}

// decode tells the encoding by a mark at the beginning, else by whether the bytes are valid.
func decode(data []byte) (text, format string, err error) {
	var enc encoding.Encoding
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		enc, format = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "csv utf-16"
	case bytes.IndexByte(data, 0) >= 0:
		return "", "", fail(syncproto.CodeNotSheet, nil)
	case utf8.Valid(data):
		return notBinary(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), "csv utf-8")
	default:
		enc, format = simplifiedchinese.GB18030, "csv gb18030"
	}
	out, err := enc.NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", "", fail(syncproto.CodeSheetEncoding, err)
	}
	return notBinary(string(out), format)
}

// notBinary refuses control characters that no text has.
func notBinary(text, format string) (string, string, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\v' {
			return "", "", fail(syncproto.CodeNotSheet, nil)
		}
	}
	return text, format, nil
}

// separator picks comma, tab or semicolon: the one that stands most often in the first
// lines.
func separator(text string) byte {
	head := text[:min(len(text), 8<<10)]
	best, most := byte(','), 0
	for _, c := range []byte(",\t;") {
		if n := strings.Count(head, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// scanner cuts text into rows and cells. A quotation mark opens a cell only at its
// beginning, and only one that is followed by a separator or the line's end closes it:
// stray ones inside a cell are kept.
type scanner struct {
	text string
	sep  byte
	at   int
	row  int
}

// splitRows cuts the whole text.
func splitRows(text string, sep byte) ([]Row, error) {
	s := &scanner{text: text, sep: sep}
	var rows []Row
	for s.at < len(s.text) {
		s.row++
		cells, err := s.cells()
		if err != nil {
			return nil, err
		}
		if cells == nil {
			continue
		}
		if len(rows) == MaxRows {
			return nil, fail(syncproto.CodeSheetRows, nil, "max", strconv.Itoa(MaxRows))
		}
		rows = append(rows, Row{Number: s.row, Cells: cells})
	}
	return rows, nil
}

// cells cuts one row; a blank one gives nil.
func (s *scanner) cells() ([]Cell, error) {
	var cells []Cell
	filled := false
	for {
		text, last, err := s.cell()
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(text) != "" {
			filled = true
			if len(cells) >= MaxColumns {
				return nil, fail(syncproto.CodeSheetTooWide, nil, "max", strconv.Itoa(MaxColumns))
			}
		}
		if len(cells) < MaxColumns {
			cells = append(cells, Cell{Text: text})
		}
		if last {
			break
		}
	}
	if !filled {
		return nil, nil
	}
	return cells, nil
}

// cell cuts one cell; last says that the row ends behind it.
func (s *scanner) cell() (text string, last bool, err error) {
	if s.at < len(s.text) && s.text[s.at] == '"' {
		return s.quoted()
	}
	end := strings.IndexAny(s.text[s.at:], string(s.sep)+"\r\n")
	if end < 0 {
		text, s.at = s.text[s.at:], len(s.text)
		return text, true, nil
	}
	text = s.text[s.at : s.at+end]
	s.at += end
	return text, s.delimiter(), nil
}

// quoted cuts a cell in quotation marks.
func (s *scanner) quoted() (text string, last bool, err error) {
	var b strings.Builder
	for i := s.at + 1; i < len(s.text); i++ {
		c := s.text[i]
		if c != '"' {
			b.WriteByte(c)
			continue
		}
		next := byte('\n')
		if i+1 < len(s.text) {
			next = s.text[i+1]
		}
		switch next {
		case '"':
			b.WriteByte('"')
			i++
		case s.sep, '\r', '\n':
			s.at = i + 1
			return b.String(), s.at >= len(s.text) || s.delimiter(), nil
		default:
			b.WriteByte('"')
		}
	}
	return "", false, fail(syncproto.CodeSheetQuote, nil, "row", strconv.Itoa(s.row))
}

// delimiter steps over a separator or a line's end and reports the latter.
func (s *scanner) delimiter() bool {
	c := s.text[s.at]
	s.at++
	if c == '\r' && s.at < len(s.text) && s.text[s.at] == '\n' {
		s.at++
	}
	return c != s.sep
}

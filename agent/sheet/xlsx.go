package sheet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"unionsync/syncproto"
)

// workbook is an .xlsx file being read.
type workbook struct {
	parts    map[string]*zip.File
	left     int64 // bytes that may still be unpacked
	token    int64 // bytes that the next piece of XML may have
	text     int   // bytes of cells so far
	rows     int
	strings  []string
	formats  []shown // by the number of a cell's style
	date1904 bool
}

// errBomb is returned by a part that unpacks to too much.
var errBomb = errors.New("unpacks to too much")

// readWorkbook reads an .xlsx file.
func readWorkbook(r io.ReaderAt, size int64) (*Table, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fail(syncproto.CodeSheetDamaged, err)
	}
	w := &workbook{parts: map[string]*zip.File{}, left: min(maxUnpacked, freeUnpacked+maxRatio*size)}
	for _, f := range archive.File {
		w.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, "\\", "/"), "/"))] = f
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	t, err := w.read()
	switch {
	case errors.Is(err, errBomb):
		return nil, fail(syncproto.CodeSheetUnpacked, nil)
	case err == nil || syncproto.CodeOf(err) != syncproto.CodeInternal:
		return t, err
	}
	return nil, fail(syncproto.CodeSheetDamaged, err)
}

// check tells other zip archives apart.
func (w *workbook) check() error {
	switch {
	case w.parts["xl/workbook.xml"] != nil:
		return nil
	case w.parts["xl/workbook.bin"] != nil, w.parts["content.xml"] != nil && w.parts["mimetype"] != nil:
		return fail(syncproto.CodeSheetODS, nil)
	case w.parts["encryptedpackage"] != nil:
		return fail(syncproto.CodeSheetPassword, nil)
	}
	return fail(syncproto.CodeNotSheet, nil)
}

// read reads the parts in the order in which they need each other.
func (w *workbook) read() (*Table, error) {
	sheets, err := w.readSheets()
	if err != nil {
		return nil, err
	}
	if err := w.readStrings(); err != nil {
		return nil, err
	}
	if err := w.readStyles(); err != nil {
		return nil, err
	}
	t := &Table{Format: "xlsx"}
	for _, s := range sheets {
		rows, err := w.readSheet(s.part)
		if err != nil {
			return nil, err
		}
		t.Sheets = append(t.Sheets, &Sheet{Name: s.name, Date1904: w.date1904, Rows: rows})
	}
	return t, nil
}

// open gives a decoder over a part; it counts what is unpacked. A part that is not there
// gives nil.
func (w *workbook) open(name string) (*xml.Decoder, io.Closer, error) {
	f := w.parts[strings.ToLower(name)]
	if f == nil {
		return nil, nil, nil
	}
	rc, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	return xml.NewDecoder(&counter{r: rc, w: w}), rc, nil
}

// counter ends reading when the workbook has unpacked too much.
type counter struct {
	r io.Reader
	w *workbook
}

// Read implements [io.Reader].
func (c *counter) Read(p []byte) (int, error) {
	if c.w.left <= 0 || c.w.token <= 0 {
		return 0, errBomb
	}
	n, err := c.r.Read(p)
	c.w.left -= int64(n)
	c.w.token -= int64(n)
	return n, err
}

// next gives the next piece of XML. It does not check that elements nest.
func (w *workbook) next(d *xml.Decoder) (xml.Token, error) {
	w.token = maxToken
	return d.RawToken()
}

// each calls f for each start element of a part, until its end.
func (w *workbook) each(name string, f func(d *xml.Decoder, e xml.StartElement) error) error {
	d, closer, err := w.open(name)
	if err != nil || d == nil {
		return err
	}
	defer func() { _ = closer.Close() }() // nothing was written
	for {
		tok, err := w.next(d)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := tok.(xml.StartElement); ok {
			if err := f(d, e); err != nil {
				return err
			}
		}
	}
}

// sheetPart is a sheet's name and where it lies.
type sheetPart struct{ name, part string }

// readSheets reads the list of visible sheets and the calendar that dates count from.
func (w *workbook) readSheets() ([]sheetPart, error) {
	targets := map[string]string{}
	err := w.each("xl/_rels/workbook.xml.rels", func(_ *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local == "Relationship" {
			targets[attr(e, "Id")] = partName(attr(e, "Target"))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var sheets []sheetPart
	err = w.each("xl/workbook.xml", func(_ *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			w.date1904 = attr(e, "date1904") == "1" || attr(e, "date1904") == "true"
		case "sheet":
			part := targets[attr(e, "id")]
			if s := attr(e, "state"); s != "hidden" && s != "veryHidden" && strings.Contains(part, "worksheets/") {
				sheets = append(sheets, sheetPart{name: attr(e, "name"), part: part})
			}
		}
		return nil
	})
	return sheets, err
}

// partName makes a part's name of a relation's target.
func partName(s string) string {
	if strings.HasPrefix(s, "/") {
		return strings.TrimPrefix(path.Clean(s), "/")
	}
	return path.Join("xl", s)
}

// attr gives an attribute by its local name.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// readStrings reads the shared strings.
func (w *workbook) readStrings() error {
	return w.each("xl/sharedStrings.xml", func(d *xml.Decoder, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		s, err := w.readText(d, "si")
		if err == nil {
			w.strings = append(w.strings, s)
		}
		return err
	})
}

// readText joins the texts inside an element up to its end, without the phonetic guides
// that stand beside them.
func (w *workbook) readText(d *xml.Decoder, end string) (string, error) {
	var b strings.Builder
	inText, phonetic := false, 0
	for {
		tok, err := w.next(d)
		if err != nil {
			return "", unexpectedEnd(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t"
			if t.Name.Local == "rPh" {
				phonetic++
			}
		case xml.EndElement:
			inText = false
			switch t.Name.Local {
			case "rPh":
				phonetic--
			case end:
				return unescape(b.String()), w.spend(b.Len())
			}
		case xml.CharData:
			if inText && phonetic == 0 {
				b.Write(t)
			}
		}
	}
}

// spend counts bytes of text that are kept.
func (w *workbook) spend(n int) error {
	if w.text += n; w.text > maxTextBytes {
		return errBomb
	}
	return nil
}

// unexpectedEnd makes the end of a part inside an element an error of its own.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

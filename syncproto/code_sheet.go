package syncproto

// Codes of spreadsheets: what is wrong with a file (300–319), with a row (320–339), and what
// was left aside (340–359; these are notes, not errors).
const (
	CodeSheetEmpty     Code = 300 // the file has no bytes or no cells
	CodeSheetTooBig    Code = 301 // larger than may be read: max (MB)
	CodeSheetRows      Code = 302 // more rows than may be read: max
	CodeNotSheet       Code = 303 // no spreadsheet at all
	CodeSheetOldXLS    Code = 304 // the format before 2007, or XML of 2003
	CodeSheetHTML      Code = 305 // a web page, whatever its name says
	CodeSheetODS       Code = 306 // an OpenDocument or binary workbook
	CodeSheetPassword  Code = 307 // protected by a password
	CodeSheetDamaged   Code = 308 // a workbook whose parts cannot be read
	CodeSheetUnpacked  Code = 309 // unpacks to more than any roster: a zip bomb
	CodeSheetEncoding  Code = 310 // text neither in UTF-8 nor in GB18030
	CodeSheetQuote     Code = 311 // a quotation mark that is never closed: row
	CodeSheetNoHeader  Code = 312 // no row of headings that this kind knows: label_zh, label_en
	CodeSheetTooWide   Code = 313 // more columns than may be read: max
	CodeSheetWrite     Code = 314 // the export could not be written
	CodeSheetNoColumns Code = 315 // a kind whose required column is missing: label_zh, label_en

	CodeRowTwice      Code = 320 // the same person or thing stands in an earlier row: first
	CodeRowMerged     Code = 321 // the cell is part of a merged one in a column where that means nothing
	CodeRowError      Code = 322 // the cell holds an error of the spreadsheet, or a formula without result
	CodeRowCompanion  Code = 323 // the row says something else than what a new row means: want_zh, want_en
	CodeRowEventKept  Code = 324 // the date differs from the one stored; import does not change it
	CodeRowAmbiguous  Code = 325 // several stored records fit the row
	CodeRowNoIdentity Code = 326 // no value by which a stored record could be found

	CodeSheetSkipped   Code = 340 // a row that is no record, such as notes below the table
	CodeColumnUnknown  Code = 341 // a column whose heading this kind does not know
	CodeColumnTwice    Code = 342 // a second column for the same field
	CodeSheetLeftAside Code = 343 // a sheet without headings that this kind knows
)

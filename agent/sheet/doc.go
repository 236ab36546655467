// Package sheet reads and writes spreadsheets of any kind of record: rosters as clerks have
// them in .xlsx and CSV (UTF-8 or GB18030), told by content and not by name.
//
// [Read] gives the cells, [Make] says what importing them would do, row by row and with all
// errors in one pass, and [Write] exports a list that imports again. Nothing is guessed: a
// number that the spreadsheet has cut is refused, and what is normalised is listed. The
// union room turns planned rows into changes; this package saves nothing.
//
// Reading is done here, over archive/zip and encoding/xml, and not by the library that
// writes: only so does one see whether a cell is text or a number, and a roster of 10,000
// rows is never held as a tree. It imports syncproto and syncproto/kind, never agent/store,
// agent/union or anything of server, and logs nothing.
package sheet

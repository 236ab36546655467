package syncproto

// Codes of kinds and data: kind files (200–209), what is wrong with a value (210–239), what
// was made canonical (280–299; these are notes, not errors). Args of 210–299 hold the
// field's labels (label_zh, label_en) and never a value that was typed.
const (
	CodeKindFile    Code = 200 // a kind file is broken: file, line, cause
	CodeUnknownKind Code = 201 // no kind has this name: kind
	CodeUnknownName Code = 202 // the kind has no such field: kind, field

	CodeMissing      Code = 210 // a required field has no value
	CodeExpected     Code = 211 // a field that is wanted has no value: a hint
	CodeTooLong      Code = 212 // longer than max characters: max
	CodeNotText      Code = 213 // characters that cannot be kept: control characters, broken UTF-8
	CodeNotInTable   Code = 214 // the word stands in no row of the code table
	CodeNotDate      Code = 215 // no way of writing a date that is known, or no day of the calendar
	CodeNotMonth     Code = 216 // no month
	CodeNotInteger   Code = 217 // no whole number
	CodeNotMoney     Code = 218 // no amount in yuan with at most two decimals
	CodeNotYesNo     Code = 219 // neither yes nor no
	CodeNotPhone     Code = 220 // neither a mobile number nor a landline with area code
	CodeNotReference Code = 221 // no record id, or no union code
	CodeIDLength     Code = 222 // a citizen's number without 18 characters: length
	CodeIDChar       Code = 223 // a citizen's number with other characters
	CodeIDProvince   Code = 224 // a citizen's number of no province
	CodeIDBirth      Code = 225 // a citizen's number whose birth date does not exist
	CodeIDCheck      Code = 226 // a citizen's number whose check digit is wrong
	CodeIDNumeric    Code = 227 // a number that a spreadsheet has turned into digits with an exponent
	CodeCreditLength Code = 228 // a credit code without 18 characters
	CodeCreditChar   Code = 229 // a credit code with characters that are not used
	CodeCreditCheck  Code = 230 // a credit code whose check character is wrong
	CodeContradicts  Code = 231 // a value contradicts the one it can be derived from: from_zh, from_en
	CodeRule         Code = 232 // a rule of the kind file: rule, zh, en, source
	CodeRuleFailed   Code = 233 // a rule could not be worked out: rule
	CodeNoRelated    Code = 234 // the record that this one refers to is not known here
	CodeNotDocument  Code = 235 // a document number with characters that no document has
	CodeAppendOnly   Code = 236 // records of this kind cannot be edited, only voided: kind

	CodeNoteWidth      Code = 280 // full-width characters became ordinary ones
	CodeNoteTrim       Code = 281 // blanks before or behind were removed
	CodeNoteApostrophe Code = 282 // a leading apostrophe or tab was removed
	CodeNoteUpper      Code = 283 // letters became capitals
	CodeNoteSpaces     Code = 284 // blanks inside were removed
	CodeNoteDot        Code = 285 // a look-alike became the middle dot U+00B7
	CodeNoteAlias      Code = 286 // another word for a row of the code table
	CodeNoteDate       Code = 287 // a date written another way
	CodeNoteSerial     Code = 288 // a date as a spreadsheet's serial number
	CodeNoteOldID      Code = 289 // a 15-digit number became 18 characters: check it against the card
	CodeNoteNumber     Code = 290 // separators or a unit left out of a number
	CodeNoteForm       Code = 291 // Unicode's canonical form (NFC) of the same characters
)

package syncproto

// Codes of new versions of kind files (240–269): what a version may not do to the ones before
// it, since records and changes of all versions stay for ever, and what became of a file.
// Args: kind (its name), field (the field's name), was and is (words of the kind file).
const (
	CodeKindName      Code = 240 // the kind's number belongs to a kind of another name: was
	CodeKindNumber    Code = 241 // the kind has another number: was, is
	CodeKindOlder     Code = 242 // the version is lower than the one in force: was, is
	CodeKindSame      Code = 243 // the version in force has other content: is
	CodeKindGrows     Code = 244 // append_only changes
	CodeFieldGone     Code = 245 // a field vanishes
	CodeFieldType     Code = 246 // a field's type changes: was, is
	CodeFieldClass    Code = 247 // a field's merge class changes: was, is
	CodeFieldRef      Code = 248 // a reference names another kind: was, is
	CodeFieldReused   Code = 249 // a field's number is given to a field of another name: was, is
	CodeFieldNumber   Code = 250 // a field has another number: was, is
	CodeCodeGone      Code = 251 // a code that values may have vanishes from a field's table: is
	CodeKindsBroken   Code = 252 // an earlier version cannot be read any more beside the new files: cause
	CodeKindsRefused  Code = 253 // nothing was published: n problems
	CodeKindFileName  Code = 254 // a published file is not named by its kind: file
	CodeKindSignature Code = 255 // a kind file is not signed by the city
	CodeKindAside     Code = 256 // a kind file of the centre cannot be used here and was set aside
	CodeNoKindFiles   Code = 257 // no kind files to publish: file
	CodeNoKindVersion Code = 258 // the kind has no such version: kind, version
)

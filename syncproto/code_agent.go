package syncproto

// Codes of the PC's own commands (950–999).
const (
	CodeDataDir       Code = 950 // the data folder cannot be used: dir
	CodeNotEnrolled   Code = 951 // this PC is not enrolled
	CodeWhichUnion    Code = 952 // several unions are kept here and none was named: unions
	CodeUnionNotHere  Code = 953 // the union named is not kept here: union
	CodeDeviceFiles   Code = 954 // a file of this PC's identity is damaged: file
	CodeAddress       Code = 955 // an address of the centre cannot be understood: address
	CodeOtherCity     Code = 956 // the enrolment code is of another city than this PC
	CodeRecordUnclear Code = 957 // what was typed fits several records: n
	CodeRecordUnknown Code = 958 // no record of the kind fits what was typed: kind_zh, kind_en
	CodeFileUnread    Code = 959 // a file cannot be opened: file
	CodeExportFormat  Code = 960 // the name of an export ends neither in .xlsx nor in .csv
	CodeFieldPair     Code = 961 // a word of the command is not field=value: word
	CodeCut           Code = 962 // the line broke in the middle of a round; what was done before it counts
	CodeExportExists  Code = 963 // the file to be written exists: file
	CodeProxy         Code = 964 // the office's proxy lets nothing through: status

	CodeCaseGone   Code = 980 // no case has this number, any more or with what was seen of it: number
	CodeCaseChoice Code = 981 // a case has no such value to choose: n, max
	CodeCaseWay    Code = 982 // a case cannot be decided in this way: number
)

package syncproto

// Codes of the centre's state (650-699).
const (
	CodeLedgerOpen   Code = 650 // the node's store cannot be opened
	CodeLedgerEntry  Code = 651 // a log entry is of a type or version unknown to this program
	CodeNotReady     Code = 652 // the centre has not been set up, or the node has not caught up
	CodeUnionUnknown Code = 653 // no union has this code: union
	CodeOrgLine      Code = 654 // lines of the organisation file are wrong, nothing was changed: n
	CodeOrgParent    Code = 655 // a unit's parent is not in the tree: parent
	CodeOrgCode      Code = 656 // a code that no union may have: code
	CodeOrgHeading   Code = 657 // the organisation file lacks a column: column
	CodeNodeUnknown  Code = 658 // no node of this name
	CodeServerConfig Code = 659 // the node's configuration is missing or wrong: file, what
	CodeServerExists Code = 660 // the folder holds a node already
	CodeListen       Code = 661 // an address cannot be listened on: address
	CodeNodeExists   Code = 662 // another node has this name: node
	CodeOrgTwice     Code = 663 // a code stands on two lines: code, line
	CodeOrgCycle     Code = 664 // a unit stands below itself: code
	CodeOrgFile      Code = 665 // the organisation file cannot be read as a table: file

	CodeGenerationNumber Code = 680 // another life of the centre has this number, or a higher one
	CodeCaseUnknown      Code = 681 // there is no such case
	CodeCaseMoved        Code = 682 // the case is closed, or something came to it since it was listed
	CodeCaseVerb         Code = 683 // a case of this type is not settled in this way: verb
	CodeGenerationBase   Code = 684 // the state does not have this position: base, head
)

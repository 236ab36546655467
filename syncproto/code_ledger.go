package syncproto

// Codes of the centre's state (650-699).
const (
	CodeLedgerOpen   Code = 650 // the node's store cannot be opened
	CodeLedgerEntry  Code = 651 // a log entry is of a type or version unknown to this program
	CodeNotReady     Code = 652 // the centre has not been set up, or the node has not caught up
	CodeUnionUnknown Code = 653 // no union has this code
	CodeOrgLine      Code = 654 // a line of the organisation file is wrong
	CodeOrgParent    Code = 655 // a unit's parent is not in the tree
	CodeOrgCode      Code = 656 // a union code is not of letters, digits and dashes
	CodeOrgHeading   Code = 657 // the organisation file lacks a column
	CodeNodeUnknown  Code = 658 // no node of this name
	CodeServerConfig Code = 659 // the node's configuration is missing or wrong
	CodeServerExists Code = 660 // the folder holds a node already
	CodeListen       Code = 661 // an address cannot be listened on
)

package syncproto

// Codes of what keeps a node from its work, or should be looked at (630-649).
const (
	CodeCheckHangs     Code = 630 // a check has not ended in time: name, seconds
	CodeNotMember      Code = 631 // the node is no voting member of the centre
	CodeNodeBehind     Code = 632 // the node has not applied all that it knows to be committed: n
	CodeCountsBehind   Code = 633 // the counts have not followed the newest changes: n
	CodeDiskLow        Code = 634 // little room is left on the node's disk: mib, percent
	CodeFilesLow       Code = 635 // the process may open too few files: limit, want
	CodeClockDiffers   Code = 636 // the clock of a node differs from this machine's: node, seconds
	CodeCertificateOld Code = 637 // a certificate ends soon, or has ended: file, day
	CodeFileOpen       Code = 638 // others on the machine can read a secret: file
	CodeBackupOld      Code = 639 // the newest backup is too old, or there is none: when
	CodeMemberSilent   Code = 640 // a member of the centre does not answer: node
	CodeHealthSilent   Code = 641 // the node's address for health does not answer: address
	CodeSettingUnknown Code = 642 // no setting has this name: name
)

package syncproto

// Codes of what a PC stores (700–729) and of what its doctor finds (730–749).
const (
	CodeInUse          Code = 700 // another program has the union's files open
	CodeJournalDamaged Code = 701 // the journal's file cannot be read
	CodeFrameDamaged   Code = 702 // one entry of the journal cannot be read: seq
	CodeDiskFull       Code = 703 // no room on the disk; nothing was changed
	CodeWrongKey       Code = 704 // the files were written with another data key
	CodeDiskFailed     Code = 705 // the disk refused a write; nothing more is written until a restart
	CodeNewerFormat    Code = 706 // a file was written by a newer program: file
	CodeJournalMissing Code = 707 // the union's journal is gone although its other files are there
	CodeNoUnion        Code = 708 // no union is kept in this folder
	CodeStoreFailed    Code = 709 // the store of records cannot be opened or made again; what is saved is safe
	CodeKeyMissing     Code = 710 // the file of the data key is gone
	CodeKeyDamaged     Code = 711 // the data key cannot be unwrapped: damaged, or another PC or user
	CodeUnionExists    Code = 712 // the folder already keeps a union
	CodeNothingChanged Code = 713 // a save without any difference
	CodeChangeTooLarge Code = 714 // one save above the limit: max
	CodeRecordTooLarge Code = 715 // the record would exceed its limit: max
	CodeGroupTooLarge  Code = 716 // more changes in one save than the limit: max
	CodeRefused        Code = 717 // rules of class A refuse the record: n
	CodeRecordExists   Code = 718 // a new record has the id of one that exists
	CodeSecondEmpty    Code = 719 // the second place has nothing of this union that this PC's key opens: dir
	CodeSecondDir      Code = 720 // a folder cannot be the second place: dir

	CodeFoundFrames    Code = 730 // doctor: entries of the journal are damaged: n
	CodeFoundChain     Code = 731 // doctor: the journal's chain is broken: seq
	CodeFoundBase      Code = 732 // doctor: the base file is missing or damaged; it is made again at the next sync
	CodeFoundDigest    Code = 733 // doctor: the records' digest is not the stored one
	CodeFoundSpace     Code = 734 // doctor: little room is left on the disk: free_mib
	CodeFoundClock     Code = 735 // doctor: the PC's clock differs from the centre's: minutes
	CodeFoundAside     Code = 736 // doctor: stores were set aside after an unclean stop: n
	CodeFoundView      Code = 737 // doctor: records shown are not those that journal and base give: n
	CodeFoundUndeliver Code = 738 // doctor: changes wait for delivery for a long time: n, days
	CodeFoundHeld      Code = 739 // doctor: changes were sent back by the centre: n
)

package syncproto

// Codes of backup and restore (690-699).
const (
	CodeArchiveTarget  Code = 690 // the archive target cannot be read or written: target
	CodeArchiveNone    Code = 691 // no archive target is configured
	CodeBackupUnknown  Code = 692 // there is no backup of this name: name
	CodeBackupAltered  Code = 693 // a backup is not what was written: name, what
	CodeLogAltered     Code = 694 // the streamed log is not what was written, or has a gap: from, what
	CodeRestoreLoss    Code = 695 // what can be restored ends below the watermark: position, watermark
	CodeRestoreFolder  Code = 696 // the folder to restore into is not empty: dir
	CodeBackupRunning  Code = 697 // a backup is being made already
	CodeBackupKey      Code = 698 // a backup is of another city, or the key does not open it: name
	CodeBackupUnusable Code = 699 // no backup of the archive can be used: n
)

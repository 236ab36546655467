package health

import (
	"fmt"
	"time"

	"unionsync/syncproto"
)

// Limits below which an operator is told.
const (
	minFree        = 5 << 30 // bytes left on the disk, unless that is plenty of a small one
	plentyPercent  = 20
	certificateAge = 45 * 24 * time.Hour // before its end
	backupAge      = 26 * time.Hour      // a night and some
	filesBeside    = 512                 // open files of a node beside its connections
)

// CheckDisk fails when little room is left: a snapshot needs as much again as the state.
func CheckDisk(d Disk) error {
	if d.Size == 0 {
		return nil
	}
	if percent := 100 * d.Free / d.Size; d.Free < minFree && percent < plentyPercent {
		return syncproto.Fail(syncproto.CodeDiskLow, "check disk", nil, "mib", fmt.Sprint(d.Free>>20), "percent", fmt.Sprint(percent))
	}
	return nil
}

// CheckFiles fails when the limit of open files is below what that many connections need.
func CheckFiles(limit uint64, known bool, conns int) error {
	want := uint64(conns + filesBeside)
	if !known || limit >= want {
		return nil
	}
	return syncproto.Fail(syncproto.CodeFilesLow, "check open files", nil, "limit", fmt.Sprint(limit), "want", fmt.Sprint(want))
}

// CheckCertificate fails when a certificate ends soon. Nodes renew theirs long before.
func CheckCertificate(file string, until, now time.Time) error {
	if until.Sub(now) >= certificateAge {
		return nil
	}
	return syncproto.Fail(syncproto.CodeCertificateOld, "check certificate", nil, "file", file, "day", until.Format(time.DateOnly))
}

// CheckBackup fails when the newest whole backup is too old. Without a target set up there
// is nothing to check: nil.
func CheckBackup(b *Backup, now time.Time) error {
	if b == nil || b.Taken != 0 && now.Sub(time.Unix(b.Taken, 0)) < backupAge {
		return nil
	}
	when := "—"
	if b.Taken != 0 {
		when = time.Unix(b.Taken, 0).Format("2006-01-02 15:04")
	}
	return syncproto.Fail(syncproto.CodeBackupOld, "check backup", nil, "when", when)
}

package server

import (
	"testing"

	"unionsync/server/health"
	"unionsync/syncproto"
)

// TestRoom: how much has to be left. That a node ends by it, and not by the system, is seen
// with real disks by internal/faults.
func TestRoom(t *testing.T) {
	const tera = 1 << 40
	for _, row := range []struct {
		why  string
		disk health.Disk
		need uint64
		want syncproto.Code
	}{
		{"plenty", health.Disk{Free: tera / 2, Size: tera}, startRoom, 0},
		{"just enough to start", health.Disk{Free: startRoom, Size: tera}, startRoom, 0},
		{"too little to start", health.Disk{Free: startRoom - 1, Size: tera}, startRoom, syncproto.CodeNodeDiskFull},
		{"the same lets a node go on", health.Disk{Free: startRoom - 1, Size: tera}, stopRoom, 0},
		{"too little to go on", health.Disk{Free: stopRoom - 1, Size: tera}, stopRoom, syncproto.CodeNodeDiskFull},
		{"nothing", health.Disk{Size: tera}, stopRoom, syncproto.CodeNodeDiskFull},
		{"the system does not tell", health.Disk{}, stopRoom, 0},
	} {
		if got := syncproto.CodeOf(enough(row.disk, row.need)); enough(row.disk, row.need) != nil != (row.want != 0) || row.want != 0 && got != row.want {
			t.Errorf("%s: E%d, want E%d", row.why, got, row.want)
		}
	}
}

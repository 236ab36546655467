package ledger

import (
	"bytes"
	"strings"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestStaffRefused: a staff entry that breaks a limit is refused by all replicas alike. It
// must not stop them: they would meet it again at every start.
func TestStaffRefused(t *testing.T) {
	n := begun(t, Config{Memory: true})
	s := &entrypb.Staff{Actor: strings.Repeat("n", syncproto.MaxActorBytes+1), Changes: []*entrypb.StaffChange{{
		Union: syncproto.CityUnion, Kind: 9, Id: bytes.Repeat([]byte{1}, 16),
		Fields: []*entrypb.FieldValue{{Field: uint32(syncproto.FirstFieldNumber), Value: []byte("330700")}},
	}}}
	refused, ok := n.apply(s).(error)
	if !ok || syncproto.CodeOf(refused) != syncproto.CodeInvalid {
		t.Fatalf("the entry gives %v", refused)
	}
	s.Actor = "node/n1"
	s.Changes[0].Id = bytes.Repeat([]byte{2}, 16)
	if res, ok := n.apply(s).(StaffResult); !ok || res.Added != 1 {
		t.Errorf("the next entry gives %+v", res)
	}
}

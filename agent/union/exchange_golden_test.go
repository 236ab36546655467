package union

import (
	"encoding/hex"
	"fmt"
	"testing"

	"unionsync/syncproto"
)

// TestExchangeFacts: what the exchange keeps in the journal's file, byte by byte. The forms
// are permanent.
func TestExchangeFacts(t *testing.T) {
	o := &ownState{budget: 65536}
	life := syncproto.Generation{Number: 2, Random: 42, Base: syncproto.MakePosition(1, 1), Operator: "op", Reason: "restored", Signature: []byte("si")}
	lives, err := lifeFacts(syncproto.Lineage{{}, life})
	if err != nil || len(lives) != 1 {
		t.Fatal(lives, err)
	}
	for _, row := range []struct {
		why  string
		fact Fact
		want string
	}{
		{"a life of the centre, as it travels", lives[0], "generations/0002000000000000002a=0802112a00000000000000188180808080804022026f702a08726573746f72656432027369"},
		{"budget in bytes", o.budgetFact(), "exchange/627564676574=00010000"},
		{"number of alarms", alarmsFact(3), "exchange/616c61726d73=00000003"},
		{"a notice by its code, and since when", noticeFact(syncproto.CodeForked, 1780000000), "notice/0203=000000006a18a500"},
	} {
		got := fmt.Sprintf("%s/%s=%s", row.fact.Bucket, hex.EncodeToString(row.fact.Key), hex.EncodeToString(row.fact.Value))
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}

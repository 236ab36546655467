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
	for _, row := range []struct {
		why  string
		fact Fact
		want string
	}{
		{"generation: number and random", Generation(1, 42), "exchange/67656e65726174696f6e=0001000000000000002a"},
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

package union

import (
	"context"
	"testing"
	"time"
)

// TestHealWhileSaving: the store fails under another hand and is made again after a save has
// looked at it and before the save's commit point. What is saved then is shown at once.
func TestHealWhileSaving(t *testing.T) {
	f := newFaulty(t)
	if _, err := f.save(t, "公开一"); err != nil {
		t.Fatal(err)
	}
	now := f.o.Now
	f.o.Now = func() time.Time { // a draft takes its time after it has looked at the store
		f.o.Now = now
		f.fail = true
		if err := f.WriteBase(); err == nil {
			t.Error("the base is written in spite of the fault")
		}
		f.fail = false
		if _, err := f.List(context.Background(), Query{Kind: "disclosure"}); err != nil {
			t.Error(err)
		}
		return now()
	}
	if _, err := f.save(t, "公开二"); err != nil {
		t.Fatal(err)
	}
	if n := f.titles(t); n != 2 {
		t.Errorf("%d of 2 saved records are shown", n)
	}
}

package ledger

import (
	"testing"
	"testing/synctest"
)

// TestReaders: a reader who reads something else meanwhile does not wait for whoever waits
// to be alone, who is alone in the end.
func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r readers
		r.enter()
		alone, end := false, make(chan struct{})
		go func() {
			leave := r.alone()
			alone = true
			<-end
			alone = false
			leave()
		}()
		synctest.Wait()
		r.enter() // of the same reader: it must come in
		r.leave()
		if synctest.Wait(); alone {
			t.Fatal("alone with a reader in")
		}
		r.leave()
		if synctest.Wait(); !alone {
			t.Fatal("not alone although nobody is in")
		}
		in := false
		go func() {
			r.enter()
			in = true
			r.leave()
		}()
		if synctest.Wait(); in {
			t.Fatal("a reader came in while somebody was alone")
		}
		close(end)
		if synctest.Wait(); !in || alone {
			t.Errorf("afterwards: in %t, alone %t", in, alone)
		}
	})
}

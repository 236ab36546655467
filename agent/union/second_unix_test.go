//go:build !windows

package union

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionsync/syncproto/kind"
)

// TestSecondPlaceHangs: a share that does not answer keeps nobody from saving.
func TestSecondPlaceHangs(t *testing.T) {
	dir, share := filepath.Join(t.TempDir(), "u"), t.TempDir()
	o := Options{Key: &[32]byte{1}, Kinds: kind.Embedded(), Timeout: time.Millisecond}
	u, err := Create(dir, "u1", o)
	if err != nil {
		t.Fatal(err)
	}
	st := u.s.State()
	st.Fetched = true
	up := Update{}
	up.Meta = &st.Meta
	if err := u.Settle(up); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(share, "u1-"+u.JournalID().String()+".second")
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(name, 0o600); err != nil { // opening it for reading waits for ever
		t.Fatal(err)
	}
	o.Second, o.patience = share, time.Millisecond
	if u, err = Open(dir, o); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	d := aDisclosure("a share that hangs")
	for _, field := range []string{"category", "channels"} {
		d.Text[field] = firstOf(t, field)
	}
	if _, err := u.Save(context.Background(), d); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("the save took %s", d)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
}

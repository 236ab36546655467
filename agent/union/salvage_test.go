package union_test

import (
	"os"
	"path/filepath"
	"testing"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/agent/union"
)

// TestSalvage: the journal's file is put back to an older copy while the store is the newer
// one: what only the store has comes back, and everything reaches the centre. A store that is
// damaged costs nothing more.
func TestSalvage(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		c := exchangeCentre(t)
		p := newStation(t, c, 1)
		p.mustSync()
		p.members(0, 2)
		p.mustSync()
		old, err := os.ReadFile(filepath.Join(p.dir, journal.FileName))
		if err != nil {
			t.Fatal(err)
		}
		p.members(10, 2)
		saved := p.dots()
		if err := p.u.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, journal.FileName), old, 0o600); err != nil {
			t.Fatal(err)
		}
		if damaged {
			if err := os.Truncate(filepath.Join(p.dir, store.DirName, "MANIFEST"), 5); err != nil {
				t.Fatal(err)
			}
		}
		o := p.options()
		o.Salvage = store.Salvage
		if p.u, err = union.Open(p.dir, o); err != nil {
			t.Fatal(err)
		}
		want := len(saved)
		if damaged {
			want = 4
		}
		if n := len(p.dots()); n != want {
			t.Errorf("damaged %v: %d changes of %d", damaged, n, want)
		}
		if n := status(t, p).Records["member"]; n != want/2 {
			t.Errorf("damaged %v: %d members shown of %d", damaged, n, want/2)
		}
		p.members(30, 1)
		p.mustSync()
		if n := lacks(c, append(saved[:want:want], p.dots()...)); n != 0 {
			t.Errorf("damaged %v: %d changes are not at the centre", damaged, n)
		}
		p.equal()
		if err := p.u.Close(); err != nil {
			t.Error(err)
		}
	}
}

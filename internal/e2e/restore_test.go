//go:build !windows

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// putBack ends the nodes in order, puts copies of their folders back, and begins another life
// of the centre, as an operator does. The folder as it was before is kept.
func (c *city) putBack(copies string) {
	c.Helper()
	c.do(c.centre.Stop())
	for _, n := range c.centre.Nodes {
		c.do(os.RemoveAll(n.Data))
		c.do(copyFolder(filepath.Join(copies, n.ID), n.Data))
	}
	c.do(c.centre.Start(c.ctx))
	c.mentions(c.staffSays(2, "generation", "begin"), "--reason")
	c.staffSays(0, "generation", "begin", "--reason", "从副本恢复")
}

// copyCentre ends the nodes in order, copies their folders and starts them again.
func (c *city) copyCentre() (copies string) {
	c.Helper()
	copies = c.TempDir()
	c.do(c.centre.Stop())
	for _, n := range c.centre.Nodes {
		c.do(copyFolder(n.Data, filepath.Join(copies, n.ID)))
	}
	c.do(c.centre.Start(c.ctx))
	return copies
}

// copyFolder copies a folder with its rights: a node does not start with a key that others can
// read.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
}

// stick is a folder that goes between a PC without a network and the centre.
type stick struct {
	*desk
	dir string
	n   int
}

// export writes a bundle to a folder of its own.
func (s *stick) export() (dir string) {
	s.c.Helper()
	s.n++
	dir = filepath.Join(s.dir, fmt.Sprint(s.n))
	s.c.mentions(s.says(0, "bundle", "export", "--to", dir), "安全拔出")
	return dir
}

// delivered brings a folder to the centre and back; the statuses are those of either end.
func (s *stick) delivered(dir string, there, here int) {
	s.c.Helper()
	s.c.staffSays(there, "bundle", "import", dir)
	s.says(here, "bundle", "import", dir)
}

// until delivers by stick until nothing waits, and gives how many sticks it took.
func (s *stick) until() (trips int) {
	s.c.Helper()
	for trips = 1; trips < 6; trips++ {
		s.delivered(s.export(), 0, 0)
		if st := s.c.statusOf(s.desk); st.Waiting == 0 && st.Proved {
			return trips
		}
	}
	s.c.Errorf("%s: after %d sticks %+v", s.who, trips, s.c.statusOf(s.desk))
	return trips
}

// restored: the centre is put back to a copy while unions go on. One union has a
// PC without a network, whose sticks were written before the restore and come after it, also
// by another union's PC and twice, and a PC with a network. Nothing is lost or doubled.
func (c *city) restored(union int) {
	far, near := c.newDesk(union, "甲"), c.newDesk(union, "乙")
	carrier := c.newDesk(union+1, "丙")
	far.newRoster(union)
	carrier.newRoster(union + 1)
	syncs(far, near, carrier)
	s := &stick{desk: far, dir: c.TempDir()}
	copies := c.copyCentre()
	for round := range 2 {
		mobile := func(n int) string { return fmt.Sprintf("mobile=1380000%d00%d", round, n) }
		s.says(0, "set", "member", s.member(0), mobile(1))
		s.until() // has its receipt, and is lost with the restore
		s.says(0, "set", "member", s.member(1), mobile(2))
		early := s.export() // comes after the restore
		near.says(0, "set", "member", s.member(2), mobile(3))
		near.says(0, "sync")
		s.until() // carries the same as early, and what the other PC did comes back
		s.says(0, "set", "member", s.member(3), mobile(4))
		late := s.export()
		carrier.says(0, "set", "member", carrier.member(0), mobile(5))
		carrier.says(0, "sync")
		c.putBack(copies)

		carried := filepath.Join(s.dir, fmt.Sprint("carried", round))
		carrier.says(0, "bundle", "carry", "--from", late, "--to", carried)
		c.staffSays(0, "bundle", "import", carried)
		c.staffSays(0, "bundle", "import", early)
		c.staffSays(0, "bundle", "import", carried)
		back := filepath.Join(s.dir, fmt.Sprint("back", round))
		carrier.says(0, "bundle", "carry", "--from", carried, "--to", back)
		s.says(0, "bundle", "import", early)
		c.mentions(s.says(0, "bundle", "import", back), "收到")
		if s.until() > 2 {
			c.Error("more than two sticks after a restore")
		}
		syncs(near, carrier)
		s.until()
		for _, d := range []*desk{s.desk, near, carrier} {
			st := c.statusOf(d)
			if st.Waiting != 0 || st.Held != 0 || st.Delivered != st.Saved {
				c.Errorf("round %d: %s: %+v", round, d.who, st)
			}
		}
		for n, want := range map[int]string{0: mobile(1), 1: mobile(2), 2: mobile(3), 3: mobile(4)} {
			for _, d := range []*desk{s.desk, near} {
				if got := "mobile=" + d.field(d.member(n), "mobile"); got != want {
					c.Errorf("round %d: %s has %s of member %d, want %s", round, d.who, got, n, want)
				}
				if got, want := len(d.history(d.member(n))), 2+round; got != want {
					c.Errorf("round %d: %s has %d changes of member %d, want %d", round, d.who, got, n, want)
				}
			}
		}
	}
	c.agree(s.desk, near)
	c.agree(carrier)
}

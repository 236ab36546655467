package union

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"unionsync/agent/journal"
	"unionsync/agent/store"
)

// Copy gives what another PC needs to go on with this union: the journal and the records as
// the centre last gave them. begin gets the name and the size of each file and gives where
// it goes. The store is made again from both there.
func (u *Union) Copy(begin func(name string, size int64) (io.Writer, error)) error {
	if err := u.WriteBase(); err != nil {
		return fmt.Errorf("copy union: %w", err)
	}
	base, err := os.ReadFile(filepath.Join(u.dir, store.BaseName))
	if err != nil {
		return fmt.Errorf("copy union: %w", err)
	}
	w, err := begin(store.BaseName, int64(len(base)))
	if err == nil {
		_, err = w.Write(base)
	}
	if err != nil {
		return fmt.Errorf("copy union: %w", err)
	}
	return u.j.Copy(func(size int64) (io.Writer, error) { return begin(journal.FileName, size) })
}

// refuse tells why nothing may be saved or exchanged here.
func (u *Union) refuse() error {
	if u.o.Refuse == nil {
		return nil
	}
	return u.o.Refuse()
}

package journal

import (
	"fmt"
	"io"

	"go.etcd.io/bbolt"
)

// Copy writes the journal's file as it stands at one moment, to what begin gives for its
// size. The copy is the same journal: it and this one must not both be written afterwards,
// or the journal goes two ways.
func (j *Journal) Copy(begin func(size int64) (io.Writer, error)) error {
	err := j.view(func(tx *bbolt.Tx) error {
		w, err := begin(tx.Size())
		if err == nil {
			_, err = tx.WriteTo(w)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("copy journal: %w", err)
	}
	return nil
}

package journal

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

var (
	errNoJournal = errors.New("not a journal, or its index is damaged")
	errShort     = errors.New("the file is cut short")
	errPanic     = errors.New("the file's pages are damaged")
	errClosed    = errors.New("journal is closed")
)

// guard turns a panic inside do into an error. bbolt panics on pages that cannot be, and a
// file cut short below its memory map faults: neither may end the program.
func guard(do func() error) (err error) {
	old := debug.SetPanicOnFault(true) // of this goroutine only
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return do()
}

// view reads under guard.
func (j *Journal) view(do func(tx *bbolt.Tx) error) error {
	return classify(guard(func() error { return j.db.View(do) }))
}

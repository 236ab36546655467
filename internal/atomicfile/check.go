package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Full reports whether err is that of a disk without room.
func Full(err error) bool {
	return slices.ContainsFunc(fullDisk, func(full error) bool { return errors.Is(err, full) })
}

// ErrDiffers says that a file does not read back as it was written.
var ErrDiffers = errors.New("what was read back differs from what was written")

// Check reads a file, from the disk where the system lets us ask for that, and compares it
// with want; it fails with [ErrDiffers]. A stick that lies about what it keeps is found out
// here, and not when somebody needs the file.
func Check(path string, want io.Reader) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	forget(f)
	same, err := equal(f, want)
	if err == nil && !same {
		err = ErrDiffers
	}
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	return nil
}

func equal(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		switch {
		case !ended(err):
			return false, err
		case !ended(err2):
			return false, err2
		case !bytes.Equal(x[:n], y[:m]):
			return false, nil
		case err != nil: // both ended at the same place
			return true, nil //nolint:nilerr // an end is no fault
		}
	}
}

func ended(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

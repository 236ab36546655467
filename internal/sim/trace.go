package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// trace is what happened, one line an event. It is hashed always and written when asked for.
type trace struct {
	sum hash.Hash
	out io.Writer // nil: nobody reads it
	buf []byte
}

func newTrace(out io.Writer) *trace { return &trace{sum: sha256.New(), out: out} }

func (t *trace) line(format string, args ...any) {
	t.buf = append(fmt.Appendf(t.buf[:0], format, args...), '\n')
	t.sum.Write(t.buf) // a hash's Write never fails
	if t.out != nil {
		_, _ = t.out.Write(t.buf) // a trace that cannot be written shows by its hash
	}
}

func (t *trace) hash() string { return hex.EncodeToString(t.sum.Sum(nil)[:8]) }

package gate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"unionsync/syncproto"
)

// A body that is read or an answer that is written must move at least this fast, after a
// while in which a bad line may stand still: 9,600 bit/s carry twice as much. Both have a
// last moment too: see readTimeout and writeTimeout.
const (
	slowest    = 512 // bytes a second
	slowStarts = 30 * time.Second
)

// memory bounds the bytes of requests that were begun and of answers that are still to be
// read. Answers are never refused, only counted: there are no more than turns at a time, and
// while they fill the memory nothing new is read.
type memory struct {
	mu    sync.Mutex
	most  int64
	used  int64
	freed chan struct{} // closed and replaced when bytes were given back
}

func newMemory(most int) *memory {
	return &memory{most: int64(most), freed: make(chan struct{})}
}

// take waits for room until ctx ends. One request always has room: a limit below its size
// would stop everything.
func (m *memory) take(ctx context.Context, n int64) error {
	for {
		m.mu.Lock()
		if m.used == 0 || m.used+n <= m.most {
			m.used += n
			m.mu.Unlock()
			return nil
		}
		freed := m.freed
		m.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add counts bytes that are there already, or with a minus that are not any more.
func (m *memory) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used += n; n < 0 {
		close(m.freed)
		m.freed = make(chan struct{})
	}
}

// errSlow says that not enough bytes came in time.
var errSlow = errors.New("slower than the slowest line")

// deadlines is where those of a connection are set; see [http.ResponseController].
type deadlines interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// readBody reads a request's body, at most limit and one byte: what is longer the handler
// refuses. With every byte the sender earns a bit of time.
func readBody(body io.Reader, d deadlines, limit int64, expect int64) ([]byte, error) {
	began := time.Now()
	b := bytes.NewBuffer(make([]byte, 0, min(max(expect, 0), limit)+bytes.MinRead))
	for int64(b.Len()) <= limit {
		earned := time.Duration(b.Len()) * time.Second / slowest
		if err := d.SetReadDeadline(began.Add(min(slowStarts+earned, readTimeout))); err != nil {
			return nil, err
		}
		_, err := io.CopyN(b, body, min(slowest, limit+1-int64(b.Len())))
		switch {
		case errors.Is(err, io.EOF):
			return b.Bytes(), d.SetReadDeadline(time.Time{}) // or a wait for a turn would look like a lost line
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, syncproto.Fail(syncproto.CodeTooSlow, "read request", errors.Join(errSlow, err))
		case err != nil:
			return nil, err
		}
	}
	return b.Bytes(), d.SetReadDeadline(time.Time{})
}

// answering keeps an answer until the turn in which it was made is over: who reads it slowly
// has no turn any more.
type answering struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answering) Header() http.Header { return a.head }

// WriteHeader implements http.ResponseWriter.
func (a *answering) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answering) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// to writes the answer to who asked, in pieces: each piece that was taken earns time.
func (a *answering) to(w http.ResponseWriter, d deadlines) error {
	for k, v := range a.head {
		w.Header()[k] = v
	}
	if n := a.body.Len(); n > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(n))
	}
	began := time.Now()
	if err := d.SetWriteDeadline(began.Add(slowStarts)); err != nil {
		return err
	}
	w.WriteHeader(max(a.status, http.StatusOK))
	for sent := 0; a.body.Len() > 0; {
		earned := time.Duration(sent) * time.Second / slowest
		if err := d.SetWriteDeadline(began.Add(min(slowStarts+earned, writeTimeout))); err != nil {
			return err
		}
		n, err := w.Write(a.body.Next(pieceBytes))
		if sent += n; err != nil {
			return err
		}
	}
	return nil
}

// pieceBytes is how much of an answer is written at a time.
const pieceBytes = 16 << 10

package wire

import (
	"net/http"
	"strconv"

	"unionsync/syncproto"
)

// Trim takes out of answers the headers that no client of ours reads, and gives a code to
// those errors that Connect makes by itself, before a handler runs: their text is for logs.
func Trim(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&trimmed{ResponseWriter: w}, r)
	})
}

type trimmed struct {
	http.ResponseWriter
	wrote bool
	mute  bool // the body is ours, not the handler's
}

// Unwrap serves http.ResponseController.
func (t *trimmed) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (t *trimmed) WriteHeader(status int) {
	if t.wrote {
		return
	}
	t.wrote = true
	h := t.Header()
	h["Date"] = nil // net/http then leaves it out
	h.Del("Accept-Encoding")
	if status >= http.StatusBadRequest && h.Get(HeaderCode) == "" {
		t.refuse(status)
		return
	}
	t.ResponseWriter.WriteHeader(status)
}

// refuse answers in place of Connect, in its form.
func (t *trimmed) refuse(status int) {
	t.mute = true
	code, word := syncproto.CodeInvalid, "invalid_argument"
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusRequestEntityTooLarge:
		code, word = syncproto.CodeTooLarge, "resource_exhausted"
	case status >= http.StatusInternalServerError && status != http.StatusNotImplemented:
		code, word = syncproto.CodeInternal, "internal"
	}
	h := t.Header()
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Set(HeaderCode, strconv.Itoa(int(code)))
	h.Set("Content-Type", "application/json")
	t.ResponseWriter.WriteHeader(status)
	_, _ = t.ResponseWriter.Write([]byte(`{"code":"` + word + `"}`)) // a client that is gone reads no error
}

// Write implements io.Writer.
func (t *trimmed) Write(b []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	if t.mute {
		return len(b), nil
	}
	return t.ResponseWriter.Write(b)
}

package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTrim: what Connect says by itself gets a code and loses its text; an answer with a
// code of ours is left alone.
func TestTrim(t *testing.T) {
	rows := []struct {
		why     string
		status  int
		code    string
		want    string
		keeps   bool
		written string
	}{
		{"an answer", 200, "", "", true, "body"},
		{"an error with a code", 403, "503", "503", true, `{"code":"permission_denied"}`},
		{"a malformed message", 400, "", "101", false, "proto: cannot parse reserved wire type"},
		{"a message above the limit", 429, "", "508", false, "message size 9 is larger"},
		{"no such call", 404, "", "101", false, "404 page not found"},
		{"a packing that is not served", 501, "", "101", false, "unknown compression"},
		{"a panic", 500, "", "100", false, "runtime error: index out of range"},
	}
	for _, r := range rows {
		h := Trim(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Accept-Encoding", "zstd")
			if r.code != "" {
				w.Header().Set(HeaderCode, r.code)
			}
			w.WriteHeader(r.status)
			_, _ = io.WriteString(w, r.written)
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
		if w.Code != r.status || w.Header().Get(HeaderCode) != r.want {
			t.Errorf("%s: status %d, code %q, want %q", r.why, w.Code, w.Header().Get(HeaderCode), r.want)
		}
		if got := strings.Contains(w.Body.String(), r.written); got != r.keeps {
			t.Errorf("%s: body %q", r.why, w.Body.String())
		}
		if w.Header().Get("Accept-Encoding") != "" {
			t.Errorf("%s: not trimmed", r.why)
		}
	}
}

// TestRequestsAreTrimmed: every byte is paid for on some lines.
func TestRequestsAreTrimmed(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer s.Close()
	c := NewClient(ClientConfig{})
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connect-Protocol-Version", "1")
	req.Header.Set("User-Agent", "connect-go/1.21.1 (go1.26.8)")
	r, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode != http.StatusFound {
		t.Errorf("it followed a redirect: %s", r.Status)
	}
	if len(got) != 1 || got.Get("Content-Length") != "1" {
		t.Errorf("%v", got)
	}
}

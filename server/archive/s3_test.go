package archive

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// fakeS3 is as much of an S3 store as a target needs: PUT, GET, HEAD, DELETE of an object and
// a listing in pages of two. It does not check signatures, but wants one.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string][]byte // guarded by mu; by path
	broken  bool              // guarded by mu: every call fails
}

type s3Listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	KeyCount              int
	IsTruncated           bool
	NextContinuationToken string
	Contents              []s3Object
}

type s3Object struct {
	Key  string
	Size int
}

// ServeHTTP implements http.Handler.
func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || !strings.Contains(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=id/") {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return
	}
	data, there := s.objects[r.URL.Path]
	switch {
	case r.URL.Query().Get("list-type") == "2":
		s.list(w, r)
	case r.Method == http.MethodPut:
		s.put(w, r)
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		w.WriteHeader(http.StatusNotFound)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
	default:
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Header().Set("ETag", etag(data))
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(data)
		}
	}
}

func etag(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *fakeS3) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err == nil && strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING") {
		data, err = unchunk(data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.objects[r.URL.Path] = data
	w.Header().Set("ETag", etag(data))
}

// unchunk takes the frames of a streamed upload away.
func unchunk(b []byte) (out []byte, err error) {
	for {
		head, rest, ok := strings.Cut(string(b), "\r\n")
		var n int
		if _, err := fmt.Sscanf(head, "%x", &n); err != nil || !ok || len(rest) < n {
			return nil, errors.New("bad chunk")
		}
		if n == 0 {
			return out, nil
		}
		out, b = append(out, rest[:n]...), []byte(rest[n+2:])
	}
}

func (s *fakeS3) list(w http.ResponseWriter, r *http.Request) {
	bucket := strings.Trim(r.URL.Path, "/")
	out := s3Listing{Name: bucket, Prefix: r.URL.Query().Get("prefix")}
	var keys []string
	for path := range s.objects {
		if key := strings.TrimPrefix(path, "/"+bucket+"/"); strings.HasPrefix(key, out.Prefix) && key > r.URL.Query().Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > 2 {
		keys, out.IsTruncated, out.NextContinuationToken = keys[:2], true, keys[1]
	}
	for _, k := range keys {
		out.Contents = append(out.Contents, s3Object{k, len(s.objects["/"+bucket+"/"+k])})
	}
	out.KeyCount = len(keys)
	_ = xml.NewEncoder(w).Encode(out)
}

func newS3(t *testing.T) (Target, *fakeS3) {
	t.Helper()
	s := &fakeS3{objects: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	target, err := OpenTarget("s3://city/unionsync?region=x&endpoint="+server.URL, func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return target, s
}

// TestTargets is what every target promises.
func TestTargets(t *testing.T) {
	bucket, _ := newS3(t)
	for _, target := range []Target{newFolder(t), bucket} {
		t.Run(target.String(), func(t *testing.T) { conforms(t, target) })
	}
}

func conforms(t *testing.T, target Target) {
	ctx := t.Context()
	if _, err := target.Get(ctx, "a/none"); !errors.Is(err, ErrNoObject) {
		t.Errorf("what is not there: %v", err)
	}
	if all, err := target.List(ctx, ""); err != nil || len(all) != 0 {
		t.Errorf("an empty target: %v, %v", all, err)
	}
	if err := target.Delete(ctx, "a/none"); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}
	for name, data := range map[string]string{"a/1": "one", "a/b/2": "two", "b/3": "", "tip": "t", "ab": "ab"} {
		if err := target.Put(ctx, name, []byte("something longer before")); err != nil {
			t.Fatal(err)
		}
		if err := target.Put(ctx, name, []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got, err := target.Get(ctx, name); err != nil || string(got) != data {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	list := func(prefix string) (out []string) {
		all, err := target.List(ctx, prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			out = append(out, fmt.Sprintf("%s %d", o.Name, o.Size))
		}
		return out
	}
	if diff := cmp.Diff([]string{"a/1 3", "a/b/2 3", "ab 2", "b/3 0", "tip 1"}, list("")); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a/1 3", "a/b/2 3"}, list("a/")); diff != "" {
		t.Errorf("a prefix (-want +got):\n%s", diff)
	}
	if err := target.Delete(ctx, "a/b/2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/1 3", "ab 2"}, list("a")); diff != "" {
		t.Errorf("behind a delete (-want +got):\n%s", diff)
	}
}

// TestBackupToS3: a backup, a log and a drill over a store, and a store that refuses.
func TestBackupToS3(t *testing.T) {
	target, s := newS3(t)
	c := newCentre(t)
	c.members(100)
	w := c.writer(target)
	m := c.backup(w)
	st := c.stream(w)
	c.members(40)
	c.catchUp(st)
	r, err := w.Drill(t.Context(), drilling(t))
	if err != nil || !r.OK() || r.Backup != m.Name || r.Digest != digest(t, c.ledger) {
		t.Errorf("%+v, %v", r, err)
	}
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	_, err = w.Drill(t.Context(), drilling(t))
	wantCode(t, "a store that refuses", err, syncproto.CodeArchiveTarget)
}

// TestOpenTarget: what is no address of a target is said to be none.
func TestOpenTarget(t *testing.T) {
	for address, want := range map[string]syncproto.Code{
		"":                              syncproto.CodeArchiveNone,
		"ftp://host/x":                  syncproto.CodeArchiveTarget,
		"s3:///prefix":                  syncproto.CodeArchiveTarget,
		"s3://bucket?endpoint=host:900": syncproto.CodeArchiveTarget,
	} {
		_, err := OpenTarget(address, func(string) string { return "" })
		wantCode(t, address, err, want)
	}
	gone, err := OpenTarget(t.TempDir()+"/not-mounted", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Put(t.Context(), "a", nil); err == nil {
		t.Error("a folder that is not there was made: a disk that is not mounted would be an empty archive")
	}
	if _, err := gone.List(t.Context(), ""); err == nil {
		t.Error("a folder that is not there is empty")
	}
}

// TestNames: no name leads out of a target.
func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a/b-1.age": true, "tip": true, "": false, "/a": false, "a//b": false, "a/../b": false, ".hidden": false, "a/": false, "a b": false, `a\b`: false,
	} {
		if goodName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

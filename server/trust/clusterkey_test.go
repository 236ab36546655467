package trust

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"unionsync/syncproto"
)

func TestClusterKeyFile(t *testing.T) {
	_, key := found(t, 1)
	text := string(key.Encode())
	for why, s := range map[string]string{
		"as written":                    text,
		"with the line ends of Windows": strings.ReplaceAll(text, "\n", "\r\n"),
		"with a byte order mark":        "\ufeff" + text,
		"without the comments":          text[strings.Index(text, clusterKeyHead):],
		"indented, blank lines between": strings.ReplaceAll(text, "\n", "\n\n  "),
		"no newline at the end":         strings.TrimSpace(text),
	} {
		if got, err := ParseClusterKey([]byte(s), "cluster.key"); err != nil || got != key {
			t.Errorf("%s: %v, %v", why, got, err)
		}
	}
}

func TestClusterKeyFileRefuses(t *testing.T) {
	_, key := found(t, 1)
	text := string(key.Encode())
	lines := strings.SplitAfter(text, "\n") // two comments, head, ca, secret, check
	flip := func(i int) string {
		b := []byte(text)
		at := strings.Index(text, lines[i]) + len(lines[i]) - 2
		b[at] = "0123456789abcdef1"[strings.IndexByte("0123456789abcdef", b[at])+1]
		return string(b)
	}
	for _, row := range []struct{ why, text, line string }{
		{"an empty file", "", "0"},
		{"another file", "hello\n", "1"},
		{"a later version", strings.Replace(text, clusterKeyHead, "unionsync-cluster-key 2", 1), "3"},
		{"a digit of the fingerprint changed", flip(3), "6"},
		{"a digit of the secret changed", flip(4), "6"},
		{"a digit of the check changed", flip(5), "6"},
		{"cut inside the secret", text[:strings.Index(text, "secret ")+20], "5"},
		{"cut behind the secret", strings.Join(lines[:5], ""), "5"},
		{"a letter in the secret", strings.Replace(text, "secret "+text[strings.Index(text, "secret ")+7:][:1], "secret x", 1), "5"},
		{"two keys in one file", text + text[strings.Index(text, clusterKeyHead):], "7"},
	} {
		_, err := ParseClusterKey([]byte(row.text), "/etc/x/cluster.key")
		wantCode(t, row.why, err, syncproto.CodeClusterKeyForm)
		var e *syncproto.Error
		if errors.As(err, &e) && (e.Args["line"] != row.line || e.Args["file"] != "cluster.key") {
			t.Errorf("%s: %v, want line %s", row.why, e.Args, row.line)
		}
		if err != nil && strings.Contains(err.Error(), text[strings.Index(text, "secret ")+7:][:8]) {
			t.Errorf("%s: the secret is in the error: %v", row.why, err)
		}
	}
}

func TestReadClusterKey(t *testing.T) {
	_, key := found(t, 1)
	path := filepath.Join(t.TempDir(), "cluster.key")
	_, err := ReadClusterKey(path)
	wantCode(t, "no file", err, syncproto.CodeClusterKeyFile)
	if err := os.WriteFile(path, key.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadClusterKey(path); err != nil || got != key {
		t.Errorf("%v, %v", got, err)
	}
	if runtime.GOOS == "windows" {
		return // no such modes there
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o622} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadClusterKey(path)
		wantCode(t, mode.String(), err, syncproto.CodeClusterKeyOpen)
	}
}

func TestJoinProof(t *testing.T) {
	_, key := found(t, 1)
	_, other := found(t, 2)
	pub, stranger := devicePub(t, 2), devicePub(t, 3)
	proof := key.JoinProof(pub)
	if err := key.CheckJoin(pub, proof); err != nil {
		t.Error(err)
	}
	wantCode(t, "overheard and used for another key", key.CheckJoin(stranger, proof), syncproto.CodeJoinProof)
	wantCode(t, "another cluster's key", key.CheckJoin(pub, other.JoinProof(pub)), syncproto.CodeJoinProof)
	wantCode(t, "nothing", key.CheckJoin(pub, nil), syncproto.CodeJoinProof)
	wantCode(t, "cut off", key.CheckJoin(pub, proof[:31]), syncproto.CodeJoinProof)
	wantCode(t, "no key: must not panic", key.CheckJoin(nil, proof), syncproto.CodeJoinProof)
}

func FuzzParseClusterKey(f *testing.F) {
	_, key := found(f, 1)
	f.Add(key.Encode())
	f.Add([]byte("unionsync-cluster-key 1\nca 00\n"))
	f.Add([]byte("#\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseClusterKey(b, "x")
		if err != nil {
			return
		}
		again, err := ParseClusterKey(k.Encode(), "x")
		if err != nil || again != k || !bytes.Contains(k.Encode(), []byte(k.check())) {
			t.Fatalf("%q: %v", b, err)
		}
	})
}

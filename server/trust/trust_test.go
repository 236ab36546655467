package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"unionsync/syncproto"
)

// stream is a source of "random" bytes that is the same in every run: SHA-256 of a counter.
type stream struct {
	seed byte
	n    byte
	rest []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.rest) < len(p) {
		sum := sha256.Sum256([]byte{s.seed, s.n})
		s.n++
		s.rest = append(s.rest, sum[:]...)
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// dry gives n bytes and then fails: randomness can run out at any draw.
type dry struct {
	n   int
	src io.Reader
}

var errDry = errors.New("no entropy")

func (d *dry) Read(p []byte) (int, error) {
	if d.n < len(p) {
		return 0, errDry
	}
	d.n -= len(p)
	return d.src.Read(p)
}

var day = time.Date(2026, 11, 23, 9, 30, 0, 0, time.FixedZone("CST", 8*3600))

func found(t testing.TB, seed byte) (*City, ClusterKey) {
	t.Helper()
	city, key, err := Found(&stream{seed: seed}, "金华市总工会", day)
	if err != nil {
		t.Fatal(err)
	}
	return city, key
}

func devicePub(t testing.TB, seed byte) ed25519.PublicKey {
	t.Helper()
	priv, err := newKey(&stream{seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return priv.Public().(ed25519.PublicKey)
}

const deviceID = "00112233445566778899aabbccddeeff"

func wantCode(t *testing.T, why string, err error, want syncproto.Code) {
	t.Helper()
	if err == nil || syncproto.CodeOf(err) != want {
		t.Errorf("%s: %v, want E%d", why, err, want)
	}
}

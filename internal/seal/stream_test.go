package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func sealStream(t testing.TB, plain []byte) []byte {
	t.Helper()
	var dst bytes.Buffer
	w, err := NewStreamWriter(&dst, testKey(1), &counting{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

func openStream(src io.Reader, key *[32]byte, purpose string) ([]byte, error) {
	r, err := NewStreamReader(src, key, purpose)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestStreamSizes(t *testing.T) {
	for _, n := range []int{
		0,                   // an empty snapshot is one empty frame
		1,                   //
		StreamFrame - 1,     // just below, at and above one frame
		StreamFrame,         //
		StreamFrame + 1,     //
		2 * StreamFrame,     // the last frame is a full one
		3*StreamFrame + 100, //
	} {
		plain := pattern(n)
		sealed := sealStream(t, plain)
		for name, src := range map[string]io.Reader{
			"whole":       bytes.NewReader(sealed),
			"byte a read": iotest.OneByteReader(bytes.NewReader(sealed)),
			"data+EOF":    iotest.DataErrReader(bytes.NewReader(sealed)),
		} {
			got, err := openStream(src, testKey(1), "test")
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: %d bytes back, %v", n, name, len(got), err)
			}
		}
	}
}

// TestStreamWritesInPieces: how the caller cuts its writes does not show in the stream.
func TestStreamWritesInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := pattern(rapid.IntRange(0, 2*StreamFrame+10).Draw(t, "n"))
		var dst bytes.Buffer
		w, err := NewStreamWriter(&dst, testKey(1), &counting{}, "test")
		if err != nil {
			t.Fatal(err)
		}
		for rest := plain; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := openStream(&dst, testKey(1), "test")
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes back of %d, %v", len(got), len(plain), err)
		}
	})
}

func TestStreamRefuses(t *testing.T) {
	const head = 1 + saltSize
	two := sealStream(t, pattern(2*StreamFrame+5))
	frame := func(i int) []byte { return two[head+i*frameSize : head+(i+1)*frameSize] }
	tail := two[head+2*frameSize:]
	flipped := bytes.Clone(two)
	flipped[len(flipped)-1] ^= 1
	for _, row := range []struct {
		why string
		b   []byte
	}{
		{"nothing", nil},
		{"half a head", two[:10]},
		{"a head alone", two[:head]},
		{"cut behind a full frame", two[:head+frameSize]},
		{"cut behind two full frames", two[:head+2*frameSize]},
		{"cut inside a frame", two[:head+frameSize+100]},
		{"cut by one byte", two[:len(two)-1]},
		{"a byte too many", append(bytes.Clone(two), 0)},
		{"two frames swapped", bytes.Join([][]byte{two[:head], frame(1), frame(0), tail}, nil)},
		{"a frame doubled", bytes.Join([][]byte{two[:head], frame(0), frame(0), frame(1), tail}, nil)},
		{"a frame missing", bytes.Join([][]byte{two[:head], frame(1), tail}, nil)},
		{"a bit of the last tag", flipped},
	} {
		if _, err := openStream(bytes.NewReader(row.b), testKey(1), "test"); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if _, err := openStream(bytes.NewReader(two), testKey(2), "test"); !errors.Is(err, ErrOpen) {
		t.Errorf("another key: %v", err)
	}
	if _, err := openStream(bytes.NewReader(two), testKey(1), "other"); !errors.Is(err, ErrOpen) {
		t.Errorf("another purpose: %v", err)
	}
	later := append([]byte{2}, two[1:]...)
	if _, err := openStream(bytes.NewReader(later), testKey(1), "test"); !errors.Is(err, ErrSuite) {
		t.Errorf("a suite of a later release: %v", err)
	}
}

// TestStreamReportsIOErrors: a disk error is not reported as damage, nor damage as an end.
func TestStreamReportsIOErrors(t *testing.T) {
	disk := errors.New("disk")
	sealed := sealStream(t, pattern(2*StreamFrame))
	for _, n := range []int{0, 5, 33, 33 + frameSize, 33 + frameSize + 9} {
		src := io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(disk))
		if _, err := openStream(src, testKey(1), "test"); !errors.Is(err, disk) {
			t.Errorf("disk error behind %d bytes: %v", n, err)
		}
	}
}

type failAfter struct{ n int }

var errFull = errors.New("disk full")

func (f *failAfter) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestStreamWriterKeepsItsError(t *testing.T) {
	if _, err := NewStreamWriter(&failAfter{}, testKey(1), &counting{}, "test"); !errors.Is(err, errFull) {
		t.Errorf("head: %v", err)
	}
	if _, err := NewStreamWriter(io.Discard, testKey(1), broken{}, "test"); err == nil {
		t.Error("a stream without salt")
	}
	w, err := NewStreamWriter(&failAfter{n: 100}, testKey(1), &counting{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(pattern(StreamFrame + 1)); !errors.Is(err, errFull) {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("close hides the error: %v", err)
	}
}

func TestStreamWriteAfterClose(t *testing.T) {
	w, err := NewStreamWriter(io.Discard, testKey(1), &counting{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("late")); err == nil {
		t.Error("a write behind the last frame was taken")
	}
}

func FuzzStream(f *testing.F) {
	good := sealStream(f, []byte("snapshot"))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := openStream(bytes.NewReader(b), testKey(1), "test")
		if (err == nil) != bytes.Equal(b, good) {
			t.Fatalf("opened %x: %x, %v", b, got, err)
		}
	})
}

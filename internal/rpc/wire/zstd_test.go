package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	c := newCompressor()
	var out bytes.Buffer
	c.Reset(&out)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDecompressorStops: at the limit, not after unpacking everything; and it is good for
// the next message then.
func TestDecompressorStops(t *testing.T) {
	const limit = 10_000
	d := newDecompressor(limit)()
	counter := &counting{r: bytes.NewReader(pack(t, make([]byte, 64<<20)))}
	for _, r := range []struct {
		why  string
		in   io.Reader
		want int
		err  error
	}{
		{"at the limit", bytes.NewReader(pack(t, make([]byte, limit))), limit, nil},
		{"one more", bytes.NewReader(pack(t, make([]byte, limit+1))), -1, ErrUnpacked},
		{"a bomb", counter, -1, ErrUnpacked},
		{"a message after it", bytes.NewReader(pack(t, []byte("hello"))), 5, nil},
	} {
		if err := d.Reset(r.in); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(d)
		if r.want >= 0 && len(b) != r.want || !errors.Is(err, r.err) {
			t.Errorf("%s: %d bytes, %v", r.why, len(b), err)
		}
		if _, err := d.Read(make([]byte, 1)); err == nil && r.err != nil {
			t.Errorf("%s: it goes on behind the limit", r.why)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if counter.n > 8<<10 {
		t.Errorf("%d packed bytes were read of the bomb", counter.n)
	}
}

type counting struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), 512)])
	c.n += n
	return n, err
}

// FuzzDecompressor: whatever comes, it ends, and never above the limit.
func FuzzDecompressor(f *testing.F) {
	f.Add(pack(f, []byte("hello hello hello hello")))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	const limit = 1 << 12
	d := newDecompressor(limit)()
	f.Fuzz(func(t *testing.T, b []byte) {
		if d.Reset(bytes.NewReader(b)) != nil {
			return
		}
		out, err := io.ReadAll(io.LimitReader(d, limit+1))
		if len(out) > limit {
			t.Fatalf("%d bytes", len(out))
		}
		if err == nil {
			if want, werr := io.ReadAll(must(zstd.NewReader(bytes.NewReader(b)))); werr == nil && !bytes.Equal(want, out) {
				t.Fatal("it unpacked something else")
			}
		}
		_ = d.Close()
	})
}

func must(r *zstd.Decoder, err error) *zstd.Decoder {
	if err != nil {
		panic(err)
	}
	return r
}

// TestSmallPacketIsNotUnpackedWhole: Connect hands over a bytes.Buffer, which the library
// would unpack whole, into memory, before the first byte is read.
func TestSmallPacketIsNotUnpackedWhole(t *testing.T) {
	bomb := pack(t, make([]byte, 64<<20))
	d := newDecompressor(1 << 20)()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := d.Reset(bytes.NewBuffer(bomb)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, d); !errors.Is(err, ErrUnpacked) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Fatalf("it took %d MiB", used>>20)
	}
}

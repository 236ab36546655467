package wire

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
)

const (
	zstdName = "zstd"
	// minCompress is the size below which compressing costs more bytes than it saves: the
	// frame's own and those of the header that names it.
	minCompress = 256
	maxWindow   = 8 << 20
)

// options are what both ends of a connection have in common. gzip is taken out: one
// compression has one set of bounds.
func options(maxBytes int) connect.Option {
	return connect.WithOptions(
		connect.WithCompressMinBytes(minCompress),
		connect.WithReadMaxBytes(maxBytes),
	)
}

// HandlerOptions are those of every service here: messages of at most maxBytes, packed and
// unpacked.
func HandlerOptions(maxBytes int) connect.HandlerOption {
	return connect.WithHandlerOptions(
		options(maxBytes),
		connect.WithCompression("gzip", nil, nil),
		connect.WithCompression(zstdName, newDecompressor(maxBytes), newCompressor),
	)
}

// ClientOptions are those of every client here.
func ClientOptions(maxBytes int) connect.ClientOption {
	return connect.WithClientOptions(
		options(maxBytes),
		connect.WithAcceptCompression("gzip", nil, nil),
		connect.WithAcceptCompression(zstdName, newDecompressor(maxBytes), newCompressor),
		connect.WithSendCompression(zstdName),
	)
}

// spare keeps a few encoders and decoders for the whole process, whichever client or handler
// used them: an encoder has tables of 4 MiB, and a client that lives for one call would make
// and clear them for each.
type spare[T any] struct {
	kept  chan T
	fresh func() T
}

func newSpare[T any](fresh func() T) *spare[T] {
	return &spare[T]{kept: make(chan T, 2*runtime.GOMAXPROCS(0)), fresh: fresh}
}

func (s *spare[T]) get() T {
	select {
	case v := <-s.kept:
		return v
	default:
		return s.fresh()
	}
}

func (s *spare[T]) put(v T) {
	select {
	case s.kept <- v:
	default:
	}
}

var encoders = newSpare(func() *zstd.Encoder {
	w, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		panic(fmt.Sprintf("zstd options: %v", err)) // they are constants
	}
	return w
})

var decoders = newSpare(func() *zstd.Decoder {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecodeBuffersBelow(0)) // or a small packet would be unpacked whole, whatever its size
	if err != nil {
		panic(fmt.Sprintf("zstd options: %v", err)) // they are constants
	}
	return r
})

// compressor has an encoder from its first byte until it is closed.
type compressor struct {
	to io.Writer
	w  *zstd.Encoder
}

func newCompressor() connect.Compressor { return &compressor{} }

// Reset implements connect.Compressor.
func (c *compressor) Reset(to io.Writer) { c.to = to }

// Write implements io.Writer.
func (c *compressor) Write(b []byte) (int, error) {
	if c.w == nil {
		c.w = encoders.get()
		c.w.Reset(c.to)
	}
	return c.w.Write(b)
}

// Close implements connect.Compressor.
func (c *compressor) Close() error {
	if c.w == nil {
		return nil
	}
	err := c.w.Close()
	c.w.Reset(nil)
	encoders.put(c.w)
	c.w = nil
	return err
}

// ErrUnpacked says that a message would be longer unpacked than it may be.
var ErrUnpacked = errors.New("unpacked message is too long")

// decompressor stops at a limit by itself: Connect would go on unpacking to say how long
// the message is, for as long as a small bomb wants. It has a decoder from its first read
// until it is closed.
type decompressor struct {
	from  io.Reader
	r     *zstd.Decoder
	limit int64
	left  int64
}

func newDecompressor(maxBytes int) func() connect.Decompressor {
	return func() connect.Decompressor { return &decompressor{limit: int64(maxBytes)} }
}

// Read implements io.Reader.
func (d *decompressor) Read(p []byte) (int, error) {
	if d.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, ErrUnpacked)
	}
	if d.r == nil {
		d.r = decoders.get()
		if err := d.r.Reset(d.from); err != nil {
			return 0, err
		}
	}
	n, err := d.r.Read(p)
	if d.left -= int64(n); d.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, ErrUnpacked)
	}
	return n, err
}

// Reset implements connect.Decompressor.
func (d *decompressor) Reset(r io.Reader) error {
	d.left, d.from = d.limit, r
	if d.r != nil {
		return d.r.Reset(r)
	}
	return nil
}

// Close implements connect.Decompressor.
func (d *decompressor) Close() error {
	if d.r == nil {
		return nil
	}
	err := d.r.Reset(nil)
	decoders.put(d.r)
	d.r, d.from = nil, nil
	return err
}

package wire

import (
	"errors"
	"fmt"
	"io"

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

func newCompressor() connect.Compressor {
	w, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		panic(fmt.Sprintf("zstd options: %v", err)) // they are constants
	}
	return w
}

// ErrUnpacked says that a message would be longer unpacked than it may be.
var ErrUnpacked = errors.New("unpacked message is too long")

// decompressor stops at a limit by itself: Connect would go on unpacking to say how long
// the message is, for as long as a small bomb wants.
type decompressor struct {
	r     *zstd.Decoder
	limit int64
	left  int64
}

func newDecompressor(maxBytes int) func() connect.Decompressor {
	return func() connect.Decompressor {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecodeBuffersBelow(0)) // or a small packet would be unpacked whole, whatever its size
		if err != nil {
			panic(fmt.Sprintf("zstd options: %v", err)) // they are constants
		}
		return &decompressor{r: r, limit: int64(maxBytes)}
	}
}

// Read implements io.Reader.
func (d *decompressor) Read(p []byte) (int, error) {
	if d.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, ErrUnpacked)
	}
	n, err := d.r.Read(p)
	if d.left -= int64(n); d.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, ErrUnpacked)
	}
	return n, err
}

// Reset implements connect.Decompressor.
func (d *decompressor) Reset(r io.Reader) error {
	d.left = d.limit
	return d.r.Reset(r)
}

// Close implements connect.Decompressor; the decoder is kept for the next message.
func (d *decompressor) Close() error { return d.r.Reset(nil) }

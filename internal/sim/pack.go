package sim

import (
	"github.com/klauspost/compress/zstd"

	"unionsync/syncproto"
)

// pack makes a message what travels: one zstd frame that tells its size, as on the real line.
func pack(b []byte) []byte { return encoder.EncodeAll(b, nil) }

func unpack(b []byte) ([]byte, error) { return decoder.DecodeAll(b, nil) }

var encoder, decoder = codec()

func codec() (*zstd.Encoder, *zstd.Decoder) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // options are constants
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16*syncproto.MaxRequestBytes))
	if err != nil {
		panic(err)
	}
	return e, d
}

package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"unionsync/internal/seal"
)

// entryVersion is the first byte of an entry in the raft log. Permanent.
const entryVersion = 1

// How the body of an entry is packed: the first byte of its plaintext. Permanent.
const (
	packNone = 0
	packZstd = 1
)

// minPack is the size below which compression is not tried.
const minPack = 128

// Purposes of the keys made from the data key, and of what they seal.
const (
	purposeEntry    = "unionsync raft entry v1"
	purposeSnapshot = "unionsync raft snapshot v1"
)

var errEntry = errors.New("no entry of a version known here")

// codec packs and encrypts entries on their way into the log:
//
//	version (1) | box of: packing (1) | body
//
// where box is what [seal.Seal] gives. It is safe for concurrent use.
type codec struct {
	key  *[32]byte
	rand io.Reader
	max  int // bytes of an entry before packing
	enc  *zstd.Encoder
	dec  *zstd.Decoder
}

func newCodec(dataKey *[32]byte, rand io.Reader, maxBytes int) (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make entry packer: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(maxBytes, 1<<20))))
	if err != nil {
		return nil, fmt.Errorf("make entry unpacker: %w", err)
	}
	return &codec{key: seal.Derive(dataKey[:], purposeEntry), rand: rand, max: maxBytes, enc: enc, dec: dec}, nil
}

func (c *codec) close() {
	_ = c.enc.Close() // holds no writer: nothing can fail
	c.dec.Close()
}

// encode packs the body if that makes it smaller, and encrypts it.
func (c *codec) encode(body []byte) ([]byte, error) {
	plain := append(make([]byte, 0, len(body)+1), packNone)
	if len(body) >= minPack {
		plain = c.enc.EncodeAll(body, append(plain[:0], packZstd))
	}
	if len(body) < minPack || len(plain) > len(body) {
		plain = append(append(plain[:0], packNone), body...)
	}
	box, err := seal.Seal(c.key, c.rand, plain, []byte{entryVersion})
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	return append([]byte{entryVersion}, box...), nil
}

// decode opens what encode made. What fails here fails on every replica with this key.
func (c *codec) decode(entry []byte) ([]byte, error) {
	if len(entry) == 0 || entry[0] != entryVersion {
		return nil, fmt.Errorf("decode entry: %w", errEntry)
	}
	plain, err := seal.Open(c.key, entry[1:], []byte{entryVersion})
	if err != nil {
		return nil, fmt.Errorf("decode entry: %w", err)
	}
	if len(plain) == 0 {
		return nil, fmt.Errorf("decode entry: %w", errEntry)
	}
	switch plain[0] {
	case packNone:
		return plain[1:], nil
	case packZstd:
		body, err := c.dec.DecodeAll(plain[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("decode entry: unpack: %w", err)
		}
		return body, nil
	default:
		return nil, fmt.Errorf("decode entry: packing %d: %w", plain[0], errEntry)
	}
}

// snapshotVersion is the first byte of a snapshot's file. Permanent.
const snapshotVersion = 1

// snapshotHead is the first bytes of a snapshot's plaintext: the machine's applied index.
const snapshotHeadSize = 8

var errSnapshot = errors.New("no snapshot of a version known here")

// snapshotWriter writes a snapshot's file:
//
//	version (1) | sealed stream of: zstd of: applied (8, big endian) | what the machine writes
type snapshotWriter struct {
	*zstd.Encoder
	sealed *seal.StreamWriter
}

func newSnapshotWriter(dst io.Writer, dataKey *[32]byte, rand io.Reader) (*snapshotWriter, error) {
	if _, err := dst.Write([]byte{snapshotVersion}); err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	sealed, err := seal.NewStreamWriter(dst, dataKey, rand, purposeSnapshot)
	if err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	packed, err := zstd.NewWriter(sealed, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	return &snapshotWriter{Encoder: packed, sealed: sealed}, nil
}

// Close ends the packed data, then the sealed stream; without both it cannot be read.
func (w *snapshotWriter) Close() error {
	if err := w.Encoder.Close(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := w.sealed.Close(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// snapshotReader reads what snapshotWriter wrote. Close frees it; it does not close src.
type snapshotReader struct {
	*zstd.Decoder
}

func newSnapshotReader(src io.Reader, dataKey *[32]byte) (*snapshotReader, error) {
	version := make([]byte, 1)
	if _, err := io.ReadFull(src, version); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", errors.Join(errSnapshot, err))
	}
	if !bytes.Equal(version, []byte{snapshotVersion}) {
		return nil, fmt.Errorf("read snapshot: version %d: %w", version[0], errSnapshot)
	}
	sealed, err := seal.NewStreamReader(src, dataKey, purposeSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	packed, err := zstd.NewReader(sealed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return &snapshotReader{packed}, nil
}

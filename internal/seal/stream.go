package seal

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// StreamFrame is how many plaintext bytes a frame of a sealed stream holds; the last frame
// may hold fewer.
const StreamFrame = 64 << 10

// suiteStream is the first byte of a sealed stream. Permanent.
const suiteStream = 1

const (
	saltSize  = 32
	frameSize = StreamFrame + chacha20poly1305.Overhead
)

var errStreamClosed = errors.New("write after close")

// StreamWriter seals what is written to it, frame by frame, in constant memory:
//
//	suite (1) | salt (32) | frames of 64 KiB + tag (16), the last one shorter or equal
//
// Each stream has its own key, derived from the salt, and each frame a nonce of its number
// and of whether it is the last one (the STREAM construction, as in age): frames cannot be
// reordered, doubled, taken from another stream, or cut off unnoticed.
type StreamWriter struct {
	dst    io.Writer
	aead   cipher.AEAD
	buf    []byte // plaintext of the frame being filled
	number uint64
	err    error // the first error; everything after it fails with it
}

// NewStreamWriter writes the head of a sealed stream to dst. The salt comes from rand. The
// purpose keeps streams of different meaning apart, as aad does for [Seal].
func NewStreamWriter(dst io.Writer, key *[32]byte, rand io.Reader, purpose string) (*StreamWriter, error) {
	head := make([]byte, 1+saltSize)
	head[0] = suiteStream
	if _, err := io.ReadFull(rand, head[1:]); err != nil {
		return nil, fmt.Errorf("seal stream: draw salt: %w", err)
	}
	aead, err := streamCipher(key, head, purpose)
	if err != nil {
		return nil, fmt.Errorf("seal stream: %w", err)
	}
	if _, err := dst.Write(head); err != nil {
		return nil, fmt.Errorf("seal stream: write head: %w", err)
	}
	return &StreamWriter{dst: dst, aead: aead, buf: make([]byte, 0, frameSize)}, nil
}

// Write takes plaintext. A full frame leaves only when a byte behind it is known, because
// the last frame is marked.
func (w *StreamWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == StreamFrame {
			w.flush(false)
			continue
		}
		n := min(len(p), StreamFrame-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
		written += n
	}
	return written, w.err
}

// Close writes the last frame. Without it the stream is cut off and cannot be read. It does
// not close dst.
func (w *StreamWriter) Close() error {
	if w.err == nil {
		w.flush(true)
	}
	if w.err != nil {
		return w.err
	}
	w.err = errStreamClosed
	return nil
}

func (w *StreamWriter) flush(last bool) {
	frame := w.aead.Seal(w.buf[:0], frameNonce(w.number, last), w.buf, nil)
	if _, err := w.dst.Write(frame); err != nil {
		w.err = fmt.Errorf("seal stream: write frame %d: %w", w.number, err)
	}
	w.number++
	w.buf = w.buf[:0]
}

// StreamReader opens a sealed stream. A read ends with io.EOF only behind the last frame of
// the whole stream; damage, a wrong key and a cut-off end give [ErrOpen].
type StreamReader struct {
	src    *bufio.Reader
	aead   cipher.AEAD
	frame  []byte // the buffer that a frame is read into
	plain  []byte // what is opened and not yet read
	number uint64
	err    error
}

// NewStreamReader reads the head of a sealed stream. A wrong key shows at the first read.
func NewStreamReader(src io.Reader, key *[32]byte, purpose string) (*StreamReader, error) {
	head := make([]byte, 1+saltSize)
	if _, err := io.ReadFull(src, head); err != nil {
		return nil, cutOff("read head", err)
	}
	if head[0] != suiteStream {
		return nil, fmt.Errorf("open stream: suite %d: %w", head[0], ErrSuite)
	}
	aead, err := streamCipher(key, head, purpose)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return &StreamReader{src: bufio.NewReaderSize(src, frameSize), aead: aead, frame: make([]byte, frameSize)}, nil
}

// Read gives plaintext that was authenticated.
func (r *StreamReader) Read(p []byte) (int, error) {
	for len(r.plain) == 0 && r.err == nil {
		r.plain, r.err = r.next()
	}
	if len(r.plain) == 0 {
		return 0, r.err
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// next opens one frame; with the last one it also gives io.EOF.
func (r *StreamReader) next() ([]byte, error) {
	n, err := io.ReadFull(r.src, r.frame)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, cutOff("read frame", err)
	}
	last := err != nil
	if !last {
		_, peek := r.src.Peek(1)
		if peek != nil && !errors.Is(peek, io.EOF) {
			return nil, fmt.Errorf("open stream: read frame %d: %w", r.number, peek)
		}
		last = peek != nil
	}
	plain, err := r.aead.Open(r.frame[:0], frameNonce(r.number, last), r.frame[:n], nil)
	if err != nil {
		return nil, fmt.Errorf("open stream: frame %d: %w", r.number, ErrOpen)
	}
	r.number++
	if last {
		return plain, io.EOF
	}
	return plain, nil
}

func streamCipher(key *[32]byte, head []byte, purpose string) (cipher.AEAD, error) {
	secret := append(key[:len(key):len(key)], head...)
	return chacha20poly1305.New(Derive(secret, "unionsync stream "+purpose)[:])
}

func frameNonce(number uint64, last bool) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSize)
	binary.BigEndian.PutUint64(nonce[3:11], number)
	if last {
		nonce[11] = 1
	}
	return nonce
}

// cutOff reports an early end as what it is, and any other read error as such.
func cutOff(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("open stream: %s: cut off: %w", what, ErrOpen)
	}
	return fmt.Errorf("open stream: %s: %w", what, err)
}

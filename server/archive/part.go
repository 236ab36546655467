package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"unionsync/internal/seal"
)

// maxPart is how many bytes of the state, before packing, go into one part. A writer holds
// one part in memory and what it is packed into, a reader the same.
const maxPart = 8 << 20

// packing makes and opens what is kept sealed: age over zstd.
type packing struct {
	recipients []string
	key        *[32]byte
	enc        *zstd.Encoder
	dec        *zstd.Decoder
}

func newPacking(recipients []string, key *[32]byte) (*packing, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make packer: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxObject), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make unpacker: %w", err)
	}
	return &packing{recipients: recipients, key: key, enc: enc, dec: dec}, nil
}

func (p *packing) pack(plain []byte) ([]byte, error) {
	var box bytes.Buffer
	box.Grow(len(plain)/3 + 1024)
	w, err := seal.StreamFor(p.recipients, &box)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(p.enc.EncodeAll(plain, nil)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return box.Bytes(), nil
}

func (p *packing) unpack(box []byte) ([]byte, error) {
	r, err := seal.OpenStreamFor(p.key, bytes.NewReader(box))
	if err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	plain, err := p.dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return plain, nil
}

// parts cuts what is written to it into parts and keeps each as it is full.
type parts struct {
	ctx  context.Context
	keep func(name string, box []byte) error
	pack *packing
	size int // bytes of a part before packing
	buf  []byte
	made []Part
}

// Write implements io.Writer.
func (p *parts) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		m := min(len(b), p.size-len(p.buf))
		p.buf = append(p.buf, b[:m]...)
		if b = b[m:]; len(p.buf) == p.size {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush keeps what stands in the buffer as a part; without anything in it nothing is kept.
func (p *parts) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	box, err := p.pack.pack(p.buf)
	if err != nil {
		return err
	}
	sum, name := sumOf(box), partName(len(p.made))
	if err := p.keep(name, box); err != nil {
		return err
	}
	p.made = append(p.made, Part{Name: name, Size: int64(len(box)), SHA256: hex.EncodeToString(sum[:])})
	p.buf = p.buf[:0]
	return nil
}

// joined reads a backup's parts one after the other, each checked against the manifest
// before a byte of it is given.
type joined struct {
	ctx  context.Context
	r    *Reader
	m    *Manifest
	next int
	rest []byte
}

// Read implements io.Reader.
func (j *joined) Read(p []byte) (int, error) {
	for len(j.rest) == 0 {
		if j.next == len(j.m.Parts) {
			return 0, io.EOF
		}
		if err := j.ctx.Err(); err != nil {
			return 0, err
		}
		box, err := j.r.part(j.ctx, j.m, j.next)
		if err != nil {
			return 0, err
		}
		if j.rest, err = j.r.pack.unpack(box); err != nil {
			return 0, altered(j.m.Name, j.m.Parts[j.next].Name, err)
		}
		j.next++
	}
	n := copy(p, j.rest)
	j.rest = j.rest[n:]
	return n, nil
}

var errPart = errors.New("it has not the length and hash that the manifest names")

// part gives a part as it is kept, if it is the one that the manifest names.
func (r *Reader) part(ctx context.Context, m *Manifest, i int) ([]byte, error) {
	p := m.Parts[i]
	box, err := r.target.Get(ctx, m.at(p.Name))
	if errors.Is(err, ErrNoObject) {
		return nil, altered(m.Name, p.Name, err)
	}
	if err != nil {
		return nil, unusable("read backup", r.target.String(), err)
	}
	if sum := sumOf(box); int64(len(box)) != p.Size || hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, altered(m.Name, p.Name, errPart)
	}
	return box, nil
}

// CheckParts reads every part of a backup as it is kept and compares it with the manifest.
// It opens nothing and puts nothing back.
func (r *Reader) CheckParts(ctx context.Context, m *Manifest, step func(done, total int)) error {
	for i := range m.Parts {
		if _, err := r.part(ctx, m, i); err != nil {
			return err
		}
		step(i+1, len(m.Parts))
	}
	return nil
}

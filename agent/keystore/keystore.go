// Package keystore owns the data key of this PC: 32 random bytes with which everything
// that the agent keeps is sealed. It stands in the data folder twice: key.bin, wrapped for
// this PC and user (DPAPI on Windows, a file that only its owner may read elsewhere), and
// key.age, sealed for the city, so that staff can open the disk of a dead PC. The package
// never makes a new key where one was lost: that would hide the loss. It imports
// syncproto, internal/seal and internal/atomicfile.
package keystore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// Names inside the data folder.
const (
	FileName     = "key.bin" // wrapped for this PC
	CityFileName = "key.age" // sealed for the city
)

// Key is a data key.
type Key = [seal.KeySize]byte

// The layout of key.bin is version (1), method (1), wrapped key, first 8 bytes of SHA-256
// over all before.
const (
	version = 1
	sumSize = 8
	minFile = 2 + sumSize

	methodFile  = 1 // the key itself: the file's mode protects it
	methodDPAPI = 2 // CryptProtectData of Windows
)

// wrapper protects a key for this PC and user.
type wrapper interface {
	method() byte
	wrap(plain []byte) ([]byte, error)
	unwrap(method byte, wrapped []byte) ([]byte, error)
}

// Exists reports whether the folder has a data key, readable or not.
func Exists(dir string) bool {
	for _, name := range []string{FileName, CityFileName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// Create draws the data key of a new data folder and keeps it there. It fails with
// [fs.ErrExist] where there is one already.
func Create(dir string, rand io.Reader) (*Key, error) {
	if Exists(dir) {
		return nil, fmt.Errorf("create data key: %w", fs.ErrExist)
	}
	var key Key
	if _, err := io.ReadFull(rand, key[:]); err != nil {
		return nil, fmt.Errorf("create data key: %w", err)
	}
	if err := write(dir, &key, system); err != nil {
		return nil, fmt.Errorf("create data key: %w", err)
	}
	return &key, nil
}

func write(dir string, key *Key, w wrapper) error {
	wrapped, err := w.wrap(key[:])
	if err != nil {
		return fmt.Errorf("wrap: %w", err)
	}
	b := append([]byte{version, w.method()}, wrapped...)
	sum := sha256.Sum256(b)
	return atomicfile.Write(filepath.Join(dir, FileName), append(b, sum[:sumSize]...), 0o600)
}

// Open gives the data key of this PC.
func Open(dir string) (*Key, error) { return open(dir, system) }

func open(dir string, w wrapper) (*Key, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, syncproto.Fail(syncproto.CodeKeyMissing, "open data key", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open data key: %w", err)
	}
	key, err := decode(b, w)
	if err != nil {
		return nil, err
	}
	return key, nil
}

func decode(b []byte, w wrapper) (*Key, error) {
	if len(b) > 0 && b[0] > version {
		return nil, syncproto.Fail(syncproto.CodeNewerFormat, "open data key", nil, "file", FileName)
	}
	bad := func(err error) error { return syncproto.Fail(syncproto.CodeKeyDamaged, "open data key", err) }
	if len(b) < minFile || b[0] != version {
		return nil, bad(errors.New("file is cut short"))
	}
	body := b[:len(b)-sumSize]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:sumSize], b[len(body):]) {
		return nil, bad(errors.New("checksum is wrong"))
	}
	plain, err := w.unwrap(body[1], body[2:])
	if err != nil {
		return nil, bad(err)
	}
	return toKey(plain)
}

func toKey(plain []byte) (*Key, error) {
	if len(plain) != seal.KeySize {
		return nil, syncproto.Fail(syncproto.CodeKeyDamaged, "open data key", fmt.Errorf("%d bytes", len(plain)))
	}
	return (*Key)(plain), nil
}

// SealForCity keeps the key a second time, sealed for the city's recipient (age1…), which
// the PC learns when it enrols.
func SealForCity(dir string, key *Key, recipient string) error {
	box, err := seal.SealFor(recipient, key[:])
	if err != nil {
		return fmt.Errorf("seal data key for the city: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, CityFileName), box, 0o600); err != nil {
		return fmt.Errorf("seal data key for the city: %w", err)
	}
	return nil
}

// OpenForCity gives the data key of a disk to staff who hold the city's escrow key.
func OpenForCity(dir string, escrow *Key) (*Key, error) {
	box, err := os.ReadFile(filepath.Join(dir, CityFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, syncproto.Fail(syncproto.CodeKeyMissing, "open data key for the city", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open data key for the city: %w", err)
	}
	plain, err := seal.OpenFor(escrow, box)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeKeyDamaged, "open data key for the city", err)
	}
	return toKey(plain)
}

// Rewrap keeps a key for this PC and user: after staff opened the disk of another one.
func Rewrap(dir string, key *Key) error {
	if err := write(dir, key, system); err != nil {
		return fmt.Errorf("wrap data key: %w", err)
	}
	return nil
}

// fileWrapper leaves the protection to the file's mode.
type fileWrapper struct{}

func (fileWrapper) method() byte                      { return methodFile }
func (fileWrapper) wrap(plain []byte) ([]byte, error) { return plain, nil }

func (fileWrapper) unwrap(method byte, wrapped []byte) ([]byte, error) {
	if method != methodFile {
		return nil, fmt.Errorf("method %d is not of this system", method)
	}
	return bytes.Clone(wrapped), nil
}

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"unionsync/syncproto"
)

// Target is where the archive is kept: named objects of at most [MaxObject] bytes. Names are
// parts of ASCII letters, digits, points and hyphens with slashes between them. Calls may be
// made at the same time, but nobody puts the same name twice at once.
type Target interface {
	// Put keeps data under a name, in place of what was there. When it returns nil the data
	// survives a power cut; after an error the old, the new or, at no time, a mixture stands.
	Put(ctx context.Context, name string, data []byte) error
	// Get gives what is kept, as it is on the target now; [ErrNoObject] if there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// List gives all objects whose names begin with a prefix, ascending by name.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete takes an object away, durably; there being none is no error.
	Delete(ctx context.Context, name string) error
	// String names the target for people, without secrets.
	String() string
}

// Object is one thing kept.
type Object struct {
	Name string
	Size int64
}

// MaxObject is the most that one object may have, so that it can be held in memory.
const MaxObject = 64 << 20

// ErrNoObject says that a target has nothing under a name.
var ErrNoObject = errors.New("no such object")

// errDiffers says that a target gives back something else than it was given.
var errDiffers = errors.New("what was read back differs from what was written")

// OpenTarget opens a target by its address: the path of a folder, or
// s3://bucket/prefix?endpoint=https://host:port&region=name. env gives the keys of the
// latter (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE).
func OpenTarget(address string, env func(string) string) (Target, error) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return nil, syncproto.Fail(syncproto.CodeArchiveNone, "open archive", nil)
	case err == nil && u.Scheme == "s3":
		t, err := openS3(u, env)
		if err != nil {
			return nil, unusable("open archive", u.Host, err)
		}
		return t, nil
	case strings.Contains(address, "://"):
		return nil, unusable("open archive", address, errors.New("only folders and s3:// are known"))
	}
	dir, err := filepath.Abs(address)
	if err != nil {
		return nil, unusable("open archive", address, err)
	}
	return &folder{dir: dir}, nil
}

func unusable(op, target string, err error) error {
	return syncproto.Fail(syncproto.CodeArchiveTarget, op, err, "target", target)
}

// keep puts an object and reads it back: only what this returned nil for is kept.
func keep(ctx context.Context, t Target, name string, data []byte) error {
	if len(data) > MaxObject {
		return fmt.Errorf("keep %s: %d bytes, at most %d", name, len(data), MaxObject)
	}
	if err := t.Put(ctx, name, data); err != nil {
		return unusable("keep "+name, t.String(), err)
	}
	back, err := t.Get(ctx, name)
	if err == nil && !bytes.Equal(back, data) {
		err = errDiffers
	}
	if err != nil {
		return unusable("read back "+name, t.String(), err)
	}
	return nil
}

func sumOf(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// goodName reports whether a name can be given to every target, and leads out of none.
func goodName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.Trim(part, nameBytes) != "" {
			return false
		}
	}
	return true
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

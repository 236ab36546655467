package agent

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"unionsync/agent/keystore"
	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// A move takes a PC's whole data folder to another PC: identity, journals, records. The new
// PC goes on as the same device, so nothing has to be sent first and nothing is lost or
// doubled; the old one is marked and saves and sends nothing from then on. The file is
//
//	magic and version, id of the code: two lines of text | sealed stream (see internal/seal) of a tar:
//	key (the data key), then the files of the folder with the names that they have there
const (
	movedFile = "moved.json" // in the folder of a PC that has moved
	partFile  = "move.part"  // in a folder into which a move is being imported
	moveMagic = "unionsync move 1\n"
	moveKey   = "key"
	moveUse   = "unionsync move"
)

// MovedTo is a move that stands on the stick, read back.
type MovedTo struct {
	Path   string
	Code   string // to be typed at the new PC; it is nowhere else
	Unions []string
}

// moved refuses to save and to send on a PC that has moved.
func (a *Agent) moved() error {
	switch _, err := os.Lstat(filepath.Join(a.c.Dir, movedFile)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look whether this PC has moved: %w", err)
	}
	return syncproto.Fail(syncproto.CodeMoved, "save", nil)
}

// MoveExport marks this PC as moved and writes all it has to a folder. The mark comes first:
// whatever was saved before it is in the file, and nothing is saved after it. When writing
// fails the mark is taken away again; after a crash in between the export is made again, as
// often as need be.
func (a *Agent) MoveExport(ctx context.Context, to string) (m MovedTo, err error) {
	if _, _, err := a.identity(); err != nil {
		return m, err
	}
	unions, err := a.openAll()
	if err != nil {
		return m, err
	}
	defer func() {
		for _, u := range unions {
			err = errors.Join(err, u.Close())
		}
	}()
	before := a.moved() != nil
	if err := a.markMoved(); err != nil {
		return m, err
	}
	secret, err := newMoveSecret(a.c.Rand)
	if err == nil {
		m = MovedTo{Path: filepath.Join(to, secret.name()), Code: secret.code()}
		err = a.writeMove(ctx, m.Path, secret, unions)
	}
	if err != nil && !before {
		return m, errors.Join(err, a.MoveCancel())
	}
	for _, u := range unions {
		m.Unions = append(m.Unions, u.Code())
	}
	return m, err
}

// openAll opens every union, so that nobody else writes meanwhile.
func (a *Agent) openAll() (out []*union.Union, err error) {
	codes, err := a.Unions()
	for _, code := range codes {
		u, oerr := a.Union(code)
		if err = oerr; err != nil {
			break
		}
		out = append(out, u)
	}
	if err != nil {
		for _, u := range out {
			err = errors.Join(err, u.Close())
		}
	}
	return out, err
}

func (a *Agent) markMoved() error {
	b, err := json.Marshal(map[string]int64{"version": 1, "at": a.c.Now().Unix()})
	if err != nil {
		return fmt.Errorf("mark as moved: %w", err)
	}
	return a.write(movedFile, b)
}

// MoveCancel takes the mark away. It is right only if the move was imported nowhere: else
// two PCs go on with one journal, which then goes two ways.
func (a *Agent) MoveCancel() error {
	if err := os.Remove(filepath.Join(a.c.Dir, movedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return a.writeError(err)
	}
	return nil
}

// writeMove writes the file and reads it back.
func (a *Agent) writeMove(ctx context.Context, path string, secret moveSecret, unions []*union.Union) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return bundlefile.WriteError(dir, err)
	}
	sum := sha256.New()
	err := atomicfile.Stream(path, 0o600, func(w io.Writer) error {
		w = io.MultiWriter(w, sum)
		if _, err := io.WriteString(w, moveMagic+secret.id()+"\n"); err != nil {
			return err
		}
		sealed, err := seal.NewStreamWriter(w, secret.key(), a.c.Rand, moveUse)
		if err != nil {
			return err
		}
		out := tar.NewWriter(sealed)
		if err := a.pack(ctx, out, unions); err != nil {
			return err
		}
		return errors.Join(out.Close(), sealed.Close())
	})
	if err != nil {
		var coded *syncproto.Error
		if errors.As(err, &coded) {
			return err
		}
		return bundlefile.WriteError(dir, err)
	}
	return readBackSum(path, sum.Sum(nil))
}

// readBackSum compares a file with the hash of what was written.
func readBackSum(path string, want []byte) error {
	got := sha256.New()
	f, err := os.Open(path)
	if err == nil {
		_, err = io.Copy(got, f)
		err = errors.Join(err, f.Close())
	}
	if err == nil && string(got.Sum(nil)) == string(want) {
		return nil
	}
	return syncproto.Fail(syncproto.CodeStickReadBack, "write move", errors.Join(err, os.Remove(path)), "file", filepath.Base(path))
}

// pack writes the data key, the files beside the unions, and each union.
func (a *Agent) pack(ctx context.Context, out *tar.Writer, unions []*union.Union) error {
	begin := func(name string, size int64) (io.Writer, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return out, out.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600})
	}
	add := func(name string, b []byte) error {
		w, err := begin(name, int64(len(b)))
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	key, err := a.key()
	if err != nil {
		return err
	}
	if err := add(moveKey, key[:]); err != nil {
		return err
	}
	if err := a.packBeside(add); err != nil {
		return err
	}
	for _, u := range unions {
		at := unionsDir + "/" + u.Code() + "/"
		if b, err := os.ReadFile(filepath.Join(a.unionDir(u.Code()), contactFile)); err == nil {
			if err := add(at+contactFile, b); err != nil {
				return err
			}
		}
		if err := u.Copy(func(name string, size int64) (io.Writer, error) { return begin(at+name, size) }); err != nil {
			return err
		}
	}
	return nil
}

// packBeside adds what stands in the folder beside the unions, but for what is of this PC
// alone: the key as it is wrapped here, marks, files of a write that was cut.
func (a *Agent) packBeside(add func(name string, b []byte) error) error {
	return filepath.WalkDir(a.c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(a.c.Dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name == unionsDir:
			return filepath.SkipDir
		case !d.Type().IsRegular() || name == keystore.FileName || name == movedFile || name == partFile || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return add(filepath.ToSlash(name), b)
	})
}

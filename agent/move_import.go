package agent

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"unionsync/agent/keystore"
	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// MoveImport takes a move into this PC's data folder, which must hold no PC's data yet. The
// file with the centre comes last: a crash before it leaves a folder that is not enrolled, and
// the import is made again. The unions moved are given.
func (a *Agent) MoveImport(ctx context.Context, path, code string) ([]string, error) {
	secret, err := parseMoveCode(code)
	if err != nil {
		return nil, err
	}
	if err := a.vacant(); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeStickRead, "import move", err, "file", filepath.Base(path))
	}
	defer func() { _ = f.Close() }() // it was only read
	in, err := openMove(f, secret)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.c.Dir, 0o700); err != nil {
		return nil, a.writeError(err)
	}
	if err := a.write(partFile, nil); err != nil {
		return nil, err
	}
	if err := a.unpack(ctx, in); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(a.c.Dir, partFile)); err != nil {
		return nil, a.writeError(err)
	}
	return a.Unions()
}

// vacant refuses a folder with a PC's data in it, unless an import was cut there.
func (a *Agent) vacant() error {
	if _, err := os.Lstat(filepath.Join(a.c.Dir, partFile)); err == nil {
		return nil
	}
	for _, name := range []string{centreFile, deviceFile, unionsDir, keystore.FileName} {
		if _, err := os.Lstat(filepath.Join(a.c.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return syncproto.Fail(syncproto.CodeMoveTarget, "import move", err, "dir", a.c.Dir)
		}
	}
	return nil
}

// openMove reads the head, which tells whether the code is this file's.
func openMove(f io.Reader, secret moveSecret) (*tar.Reader, error) {
	const op = "import move"
	want := moveMagic + secret.id() + "\n"
	head := make([]byte, len(want))
	n, err := io.ReadFull(f, head)
	switch {
	case !strings.HasPrefix(string(head[:n]), moveMagic):
		return nil, syncproto.Fail(syncproto.CodeBundleForm, op, err)
	case err != nil:
		return nil, syncproto.Fail(syncproto.CodeBundleTruncated, op, err)
	case string(head) != want:
		return nil, syncproto.Fail(syncproto.CodeMoveCode, op, nil)
	}
	sealed, err := seal.NewStreamReader(f, secret.key(), moveUse)
	if err != nil {
		return nil, moveDamage(err)
	}
	return tar.NewReader(sealed), nil
}

// unpack writes the files. Each frame of the stream is checked before anything of it is used.
func (a *Agent) unpack(ctx context.Context, in *tar.Reader) error {
	var centre, key []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return moveDamage(err)
		}
		switch {
		case h.Name == moveKey:
			key, err = io.ReadAll(in)
		case h.Name == centreFile:
			centre, err = io.ReadAll(in)
		case !filepath.IsLocal(filepath.FromSlash(h.Name)):
			err = errors.New("a file outside the folder")
		default:
			err = a.unpackFile(filepath.Join(a.c.Dir, filepath.FromSlash(h.Name)), in)
		}
		if err != nil {
			return moveDamage(err)
		}
	}
	if len(key) != seal.KeySize || len(centre) == 0 {
		return moveDamage(errors.New("it is not whole"))
	}
	k := (*[seal.KeySize]byte)(key)
	if err := keystore.Rewrap(a.c.Dir, k); err != nil {
		return a.writeError(err)
	}
	a.dataKey = k
	return a.write(centreFile, centre)
}

func (a *Agent) unpackFile(path string, in io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return a.writeError(err)
	}
	err := atomicfile.Stream(path, 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
	if errors.Is(err, seal.ErrOpen) || err == nil {
		return err
	}
	return a.writeError(err)
}

// moveDamage names what no writing of ours explains.
func moveDamage(err error) error {
	var coded *syncproto.Error
	if errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return err
	}
	return syncproto.Fail(syncproto.CodeBundleDamaged, "import move", err)
}

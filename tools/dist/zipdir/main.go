// Command zipdir packs folders into zip files: zipdir OUT.zip DIR. The same files give the
// same bytes.
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// moment is that of every entry; zip knows no time before 1980.
var moment = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: zipdir OUT.zip DIR")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(out, dir string) error {
	f, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	z := zip.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return add(z, filepath.Dir(dir), path)
	})
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return f.Close()
}

func add(z *zip.Writer, base, path string) error {
	name, err := filepath.Rel(base, path)
	if err != nil {
		return err
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: moment})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	_, err = io.Copy(w, f)
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"unionsync/internal/proc"
)

// env is what the benches share: a folder, the programs and one centre, each made when the
// first bench needs it.
type env struct {
	o        options
	dir      string
	began    time.Time
	progress io.Writer
	programs proc.Programs
	city     *centre
	small    *pc // of the average union
	large    *pc // of a union with many members
	folders  int
}

func newEnv(o options, progress io.Writer) (*env, error) {
	dir, err := os.MkdirTemp(o.dir, "unionsync-bench-")
	if err != nil {
		return nil, fmt.Errorf("make the temporary folder: %w", err)
	}
	return &env{o: o, dir: dir, began: time.Now(), progress: progress}, nil
}

// close ends the centre and removes the folder.
func (e *env) close() error {
	var err error
	if e.city != nil {
		err = e.city.close()
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// say reports progress.
func (e *env) say(format string, args ...any) {
	fmt.Fprintf(e.progress, "%5.1fs  %s\n", time.Since(e.began).Seconds(), fmt.Sprintf(format, args...))
}

// folder names a folder that nobody has used.
func (e *env) folder(name string) string {
	e.folders++
	return filepath.Join(e.dir, fmt.Sprintf("%s-%d", name, e.folders))
}

// pick gives a size, or the small one for a quick run.
func (e *env) pick(size, quick int) int {
	if e.o.quick {
		return quick
	}
	return size
}

// built gives the two programs.
func (e *env) built(ctx context.Context) (proc.Programs, error) {
	if e.programs.Agent != "" {
		return e.programs, nil
	}
	e.say("building the programs")
	root, err := proc.Root()
	if err != nil {
		return e.programs, err
	}
	dir := filepath.Join(e.dir, "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return e.programs, fmt.Errorf("make a folder for the programs: %w", err)
	}
	e.programs, err = proc.Build(ctx, root, dir)
	return e.programs, err
}

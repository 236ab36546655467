package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Programs are the paths of the two programs.
type Programs struct {
	Agent, Server string
}

// Build builds both programs from the module at root into dir, without cgo. Paths are not
// trimmed, as in a release: so this shares its compiled packages with `go run` and `go test`.
func Build(ctx context.Context, root, dir string) (Programs, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator),
		"./cmd/union-agent", "./cmd/union-server")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return Programs{}, fmt.Errorf("build the programs: %w\n%s", err, out.Bytes())
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	return Programs{
		Agent:  filepath.Join(dir, "union-agent"+suffix),
		Server: filepath.Join(dir, "union-server"+suffix),
	}, nil
}

// BuildServer builds union-server alone into a file, with further flags for the linker: a
// program that is unlike the others, as an older one.
func BuildServer(ctx context.Context, root, file, ldflags string) error {
	return buildServer(ctx, root, file, "-ldflags", "-s -w "+ldflags)
}

// BuildTagged builds union-server alone into a file, with what a build tag adds to it.
func BuildTagged(ctx context.Context, root, file, tag string) error {
	return buildServer(ctx, root, file, "-tags", tag)
}

func buildServer(ctx context.Context, root, file string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", file, "./cmd/union-server")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build union-server: %w\n%s", err, out)
	}
	return nil
}

// Root gives the folder of the module that the current folder lies in.
func Root() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		above := filepath.Dir(at)
		if above == at {
			return "", errors.New("find the module: no go.mod here or above; run this inside the project")
		}
		at = above
	}
}

package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mutant is one fault to be planted.
type mutant struct {
	Name   string
	File   string
	Old    string // stands once in the file
	New    string
	Breaks string // what a person would lose by it
	By     string // "sim", or the package whose tests find it
	Run    string // of tests: which; default all
	Args   string // of tests: more arguments
	Seed   int    // of the simulation: the first seed; default 1
	Unions int    // default 24
	Nights int    // default 60
}

//go:embed mutants.txt
var list string

// load reads the list: "== name", lines "key: value", then "-- old" and "-- new" with text
// up to an empty line. A line that begins with "#" outside a text is for people.
func load() ([]mutant, error) {
	var all []mutant
	var text *string
	for n, line := range strings.Split(list, "\n") {
		var m *mutant
		if len(all) > 0 {
			m = &all[len(all)-1]
		}
		name, begins := strings.CutPrefix(line, "== ")
		key, value, pair := strings.Cut(line, ": ")
		switch {
		case begins:
			all, text = append(all, mutant{Name: name}), nil
		case line == "":
			text = nil
		case line == "-- old" && m != nil:
			text = &m.Old
		case line == "-- new" && m != nil:
			text = &m.New
		case text != nil:
			*text += line + "\n"
		case strings.HasPrefix(line, "#"):
		case m == nil || !pair || !m.set(key, value):
			return nil, fmt.Errorf("read mutants.txt: line %d: %q", n+1, line)
		}
	}
	names := map[string]bool{}
	for _, m := range all {
		if m.File == "" || m.Old == "" || m.By == "" || m.Breaks == "" || names[m.Name] {
			return nil, fmt.Errorf("read mutants.txt: %q is not complete, or stands there twice", m.Name)
		}
		names[m.Name] = true
	}
	return all, nil
}

// set sets one value by its name in the list.
func (m *mutant) set(key, value string) bool {
	texts := map[string]*string{"file": &m.File, "breaks": &m.Breaks, "by": &m.By, "run": &m.Run, "args": &m.Args}
	numbers := map[string]*int{"seed": &m.Seed, "unions": &m.Unions, "nights": &m.Nights}
	if to := texts[key]; to != nil {
		*to = value
		return true
	}
	to := numbers[key]
	if to == nil {
		return false
	}
	n, err := strconv.Atoi(value)
	*to = n
	return err == nil
}

// result is what came of a mutant.
type result struct {
	ran    bool // the catcher came to its end
	caught bool
	how    string
	took   time.Duration
}

func (r result) line(m mutant) string {
	verdict := "SURVIVED"
	if r.caught {
		verdict = "caught"
	}
	return fmt.Sprintf("%-8s %-44s by %-22s %4.0f s  %s", verdict, m.Name, m.By, r.took.Seconds(), r.how)
}

// patience bounds what one mutant may take: one that makes the product go round and round
// is found by that.
const patience = 10 * time.Minute

// sound reports what a catcher says of the product as it is: one that fails by itself catches
// nothing.
func (m *mutant) sound(ctx context.Context) error {
	none := mutant{By: m.By, Run: m.Run, Args: m.Args, Seed: m.Seed, Unions: m.Unions, Nights: m.Nights}
	r := none.plant(ctx)
	if r.caught || !r.ran {
		return fmt.Errorf("%s %s fails without a fault: %s", m.By, m.Run, r.how)
	}
	return nil
}

// plant makes a program with the fault in it and lets the catcher run.
func (m *mutant) plant(ctx context.Context) result {
	ctx, end := context.WithTimeout(ctx, patience)
	defer end()
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return result{how: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	overlay, err := m.overlay(dir)
	if err != nil {
		return result{how: err.Error()}
	}
	program := filepath.Join(dir, "catcher")
	build := exec.CommandContext(ctx, "go", m.build(overlay, program)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return result{how: "it does not build: " + firstLine(out)}
	}
	return m.catch(ctx, program)
}

// overlay writes the file with the fault, and the map that puts it in place of the real one.
func (m *mutant) overlay(dir string) (string, error) {
	if m.File == "" {
		overlay := filepath.Join(dir, "overlay.json")
		return overlay, os.WriteFile(overlay, []byte("{}"), 0o600)
	}
	src, err := os.ReadFile(filepath.FromSlash(m.File))
	if err != nil {
		return "", err
	}
	old := strings.TrimRight(m.Old, "\n")
	if n := strings.Count(string(src), old); n != 1 {
		return "", fmt.Errorf("its old text stands %d times in %s", n, m.File)
	}
	mutated := filepath.Join(dir, filepath.Base(m.File))
	text := strings.Replace(string(src), old, strings.TrimRight(m.New, "\n"), 1)
	if err := os.WriteFile(mutated, []byte(text), 0o600); err != nil {
		return "", err
	}
	file, err := filepath.Abs(filepath.FromSlash(m.File))
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o600)
}

func (m *mutant) build(overlay, program string) []string {
	if m.By == "sim" {
		return []string{"build", "-overlay", overlay, "-o", program, "./internal/sim/play"}
	}
	return []string{"test", "-vet=off", "-overlay", overlay, "-c", "-o", program, "./" + m.By}
}

// catch runs the catcher. What counts is that it failed by itself.
func (m *mutant) catch(ctx context.Context, program string) result {
	c := exec.CommandContext(ctx, program)
	if m.By == "sim" {
		c.Env = append(os.Environ(), "STOP=1", "WORKERS=1", fmt.Sprint("SEED=", cmp.Or(m.Seed, 1)),
			fmt.Sprint("UNIONS=", cmp.Or(m.Unions, 24)), fmt.Sprint("NIGHTS=", cmp.Or(m.Nights, 60)))
	} else {
		c.Dir = filepath.FromSlash(m.By)
		c.Args = append(c.Args, "-test.failfast", "-test.run", cmp.Or(m.Run, "."))
		c.Args = append(c.Args, strings.Fields(m.Args)...)
	}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return result{ran: true, caught: true, how: "by its time"}
	case err == nil:
		return result{ran: true, how: "nobody noticed: " + m.Breaks}
	case !errors.As(err, &exit) || exit.ExitCode() > 2:
		return result{how: err.Error()}
	}
	return result{ran: true, caught: true, how: reason(out)}
}

// reason finds what the catcher said.
func reason(out []byte) string {
	for line := range bytes.Lines(out) {
		text := strings.TrimSpace(string(line))
		for _, sign := range []string{"FAILED seed", "--- FAIL", "panic:", "the simulation itself failed"} {
			if strings.HasPrefix(text, sign) {
				return text[:min(len(text), 140)]
			}
		}
	}
	return firstLine(out)
}

func firstLine(out []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return string(line[:min(len(line), 140)])
}

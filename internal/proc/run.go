package proc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Result is what a command that has ended left.
type Result struct {
	Command        string // as a person would type it
	Stdout, Stderr []byte
	Status         int // exit status; -1 if a signal ended it
}

// Failed is a command's own error, as --json prints it.
type Failed struct {
	Code     int    `json:"code"`
	Sentence string `json:"sentence"`
	Hint     string `json:"hint"`
	Detail   string `json:"detail"`
}

// Run runs a program to its end. Only a program that could not be started or waited for is
// an error here; its status is for the caller to judge.
func Run(ctx context.Context, path string, args ...string) (Result, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	detach(cmd)
	err := cmd.Run()
	r := Result{Command: Line(path, args...), Stdout: out.Bytes(), Stderr: errs.Bytes()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("run %s: %w", r.Command, err)
	}
	r.Status = cmd.ProcessState.ExitCode()
	if ctx.Err() != nil {
		return r, fmt.Errorf("run %s: %w\n%s", r.Command, ctx.Err(), r.words())
	}
	return r, nil
}

// Want gives an error, with what the command wrote, unless its status is one of those given.
func (r Result) Want(statuses ...int) error {
	for _, s := range statuses {
		if r.Status == s {
			return nil
		}
	}
	return fmt.Errorf("%s: exit status %d, want %v\n%s", r.Command, r.Status, statuses, r.words())
}

// Read decodes the command's JSON; an error may stand behind it.
func (r Result) Read(v any) error {
	if err := json.NewDecoder(bytes.NewReader(r.Stdout)).Decode(v); err != nil {
		return fmt.Errorf("%s: read its JSON: %w\n%s", r.Command, err, r.words())
	}
	return nil
}

// Failure gives the error that the command printed with --json; its code is 0 if there was
// none.
func (r Result) Failure() Failed {
	for d := json.NewDecoder(bytes.NewReader(r.Stdout)); ; {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return Failed{} // no such object
		}
		type failed struct {
			Error Failed `json:"error"`
		}
		var one failed
		var all []failed // of several unions
		if json.Unmarshal(raw, &one) != nil && json.Unmarshal(raw, &all) != nil {
			continue
		}
		for _, v := range append(all, one) {
			if v.Error.Code != 0 {
				return v.Error
			}
		}
	}
}

func (r Result) words() string { return strings.TrimSpace(string(r.Stdout) + "\n" + string(r.Stderr)) }

// Line writes a command so that it can be pasted into a shell.
func Line(path string, args ...string) string {
	words := []string{quote(path)}
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

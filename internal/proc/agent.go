package proc

import "context"

// Agent is a PC with union-agent: a folder, and commands that run one after the other.
type Agent struct {
	Union, Data string
	program     string
}

// NewAgent gives a PC for a union with its folder; nothing is written yet.
func NewAgent(programs Programs, union, data string) *Agent {
	return &Agent{Union: union, Data: data, program: programs.Agent}
}

// Enrol enrols the PC at a centre's address with a one-time code.
func (a *Agent) Enrol(ctx context.Context, url, code string) error {
	return a.Ask(ctx, nil, "enrol", "--centre", url, "--code", code)
}

// Run runs a command of union-agent, with --json and English words.
func (a *Agent) Run(ctx context.Context, args ...string) (Result, error) {
	return Run(ctx, a.program, a.args(args)...)
}

// Words runs a command of union-agent as a clerk does: in Chinese words, without --json.
func (a *Agent) Words(ctx context.Context, args ...string) (Result, error) {
	return Run(ctx, a.program, append(append([]string{}, args...), "--data", a.Data, "--lang", "zh")...)
}

// Ask runs a command that must succeed, and reads its JSON into v, which may be nil.
func (a *Agent) Ask(ctx context.Context, v any, args ...string) error {
	r, err := a.Run(ctx, args...)
	if err != nil {
		return err
	}
	return r.asked(v)
}

// Begin starts a command and does not wait for its end.
func (a *Agent) Begin(args ...string) (*Process, error) {
	return Start("union-agent "+args[0], "", a.program, a.args(args)...)
}

// Line gives a command as a person would type it.
func (a *Agent) Line(args ...string) string {
	return Line(a.program, append(args, "--data", a.Data)...)
}

func (a *Agent) args(args []string) []string {
	return append(append([]string{}, args...), "--data", a.Data, "--json", "--lang", "en")
}

func (r Result) asked(v any) error {
	if err := r.Want(0); err != nil || v == nil {
		return err
	}
	return r.Read(v)
}

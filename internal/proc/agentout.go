package proc

import (
	"context"
	"fmt"
)

// AgentStatus is what the harness reads of `union-agent status --json`.
type AgentStatus struct {
	Union     string         `json:"union"`
	Saved     int            `json:"saved"`
	Waiting   int            `json:"waiting"`
	Delivered int            `json:"delivered"`
	Held      int            `json:"held"`
	Conflicts int            `json:"conflicts"`
	Records   map[string]int `json:"records"`
	Fetched   bool           `json:"fetched"`
	Proved    bool           `json:"proved"`
}

// Synced is what the harness reads of `union-agent sync --json`.
type Synced struct {
	Union     string `json:"union"`
	Sent      int    `json:"sent"`
	Received  int    `json:"received"`
	Held      int    `json:"held"`
	Conflicts int    `json:"conflicts"`
	Complete  bool   `json:"complete"`
	Equal     bool   `json:"equal"`
	Records   int    `json:"records"`
	Rounds    int    `json:"rounds"`

	BytesSent     int64 `json:"bytes_sent"` // of HTTP, TLS excluded
	BytesReceived int64 `json:"bytes_received"`
}

// Imported is what the harness reads of `union-agent import --json`.
type Imported struct {
	Applied   bool `json:"applied"`
	Rows      int  `json:"rows"`
	Accept    int  `json:"accept"`
	Normalise int  `json:"normalise"`
	Refuse    int  `json:"refuse"`
	Unchanged int  `json:"unchanged"`
	Saved     int  `json:"saved"`
	New       int  `json:"new"`
	Verdicts  []struct {
		Row      int    `json:"row"`
		Serial   string `json:"serial"`
		Verdict  string `json:"verdict"`
		Findings []struct {
			Code     int    `json:"code"`
			Sentence string `json:"sentence"`
		} `json:"findings"`
	} `json:"verdicts"`
}

// Saved is what the harness reads of what a save prints.
type Saved struct {
	Record struct {
		ID string `json:"id"`
	} `json:"record"`
	Seq int `json:"seq"`
}

// exitRefusedRows is the status of an import that refused rows.
const exitRefusedRows = 3

// Import imports a file, or only looks; rows may be refused.
func (a *Agent) Import(ctx context.Context, file string, apply bool) (Imported, error) {
	args := []string{"import", file}
	if apply {
		args = append(args, "--apply")
	}
	var v Imported
	r, err := a.Run(ctx, args...)
	if err != nil {
		return v, err
	}
	if err := r.Want(0, exitRefusedRows); err != nil {
		return v, err
	}
	return v, r.Read(&v)
}

// Sync syncs the PC's union; everything must go well.
func (a *Agent) Sync(ctx context.Context) (Synced, error) {
	var v []Synced
	if err := a.Ask(ctx, &v, "sync"); err != nil {
		return Synced{}, err
	}
	return one(a.Union, v)
}

// Status asks how the PC's union stands, whatever the exit status says of it.
func (a *Agent) Status(ctx context.Context) (AgentStatus, error) {
	r, err := a.Run(ctx, "status")
	if err != nil {
		return AgentStatus{}, err
	}
	var v []AgentStatus
	if err := r.Read(&v); err != nil {
		return AgentStatus{}, err
	}
	return one(a.Union, v)
}

// Save runs add or set, which must succeed.
func (a *Agent) Save(ctx context.Context, args ...string) (Saved, error) {
	var v Saved
	err := a.Ask(ctx, &v, args...)
	return v, err
}

func one[T any](union string, all []T) (T, error) {
	if len(all) != 1 {
		var none T
		return none, fmt.Errorf("%s: %d unions in the answer, want one", union, len(all))
	}
	return all[0], nil
}

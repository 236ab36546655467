package agent

import (
	"context"

	"unionsync/agent/union"
)

// kindFinding is the kind of what the centre's rules find on records after a merge.
const kindFinding = "finding"

// Finding is what a rule of the newest kind files found on a record. Its JSON form is stable.
type Finding struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Record   string `json:"record"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"` // A must be corrected, C wants an explanation
	State    string `json:"state"`    // open or closed
	Zh       string `json:"zh"`
	En       string `json:"en"`
	Source   string `json:"source"`
}

// Findings lists what the centre's rules found on the union's records, as of the newest sync:
// those that are open, or all. An agent that does not know the kind has none to show.
func (a *Agent) Findings(ctx context.Context, u *union.Union, closed bool) ([]Finding, error) {
	out := []Finding{}
	if _, ok := u.Kinds().Kind(kindFinding); !ok {
		return out, nil
	}
	err := u.Each(ctx, union.Query{Kind: kindFinding}, func(r union.Row) error {
		text := func(name string) string {
			f, ok := r.Kind.Field(name)
			if !ok {
				return ""
			}
			return r.Values.Text(f)
		}
		f := Finding{ID: r.ID.String(), Kind: text("kind"), Record: text("record"), Rule: text("rule"), Severity: text("severity"),
			State: text("state"), Zh: text("zh"), En: text("en"), Source: text("source")}
		if closed || f.State == "open" {
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

//go:build !windows

package e2e

import (
	"path/filepath"
	"testing"

	"unionsync/internal/testcity"
)

// TestStick: a clerk's PC that has no network after its enrolment delivers by stick, through
// another PC that carries it, and gets its receipt; the counts at the centre have it.
func TestStick(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, testcity.Options{Counties: 2, Unions: 2, Members: 30})
	c.enrol(c.centre.Any())
	clerk, carrier := c.pcs[0], c.pcs[1]
	clerk.relay.point("127.0.0.1:1") // nobody answers any more
	c.enter(0, 0)
	home, stick := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "stick")
	c.do(clerk.Ask(c.ctx, nil, "bundle", "export", "--to", home))
	c.do(carrier.Ask(c.ctx, nil, "bundle", "carry", "--from", home, "--to", stick))
	var worked []struct {
		Answer string
		Report struct{ Changes, Held int }
	}
	c.do(c.centre.Any().Ask(c.ctx, &worked, "bundle", "import", stick))
	if len(worked) != 1 || worked[0].Report.Changes != clerk.saved || worked[0].Answer == "" {
		t.Fatalf("%+v of %d changes", worked, clerk.saved)
	}
	c.do(carrier.Ask(c.ctx, nil, "bundle", "carry", "--from", stick, "--to", home))
	var taken []struct {
		Sent  int
		Equal bool
	}
	c.do(clerk.Ask(c.ctx, &taken, "bundle", "import", home))
	if s := c.status(clerk); s.Waiting != 0 || s.Delivered != clerk.saved || s.Held != 0 {
		t.Errorf("%+v", s)
	}
}

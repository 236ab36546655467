package cluster

import (
	"errors"
	"slices"
	"testing"

	"unionsync/syncproto"
)

// recoverAlone recovers a member that was killed, under another log id.
func recoverAlone(m *member, logID string, entries ...string) (*Recovered, error) {
	cfg := m.config()
	cfg.LogID = []byte(logID)
	return Recover(cfg, m.machine, func(Recovered) ([][]byte, error) {
		var out [][]byte
		for _, e := range entries {
			out = append(out, []byte(e))
		}
		return out, nil
	})
}

// TestRecover: one node of three goes on alone with all that it had, and what was to be
// written first stands first. A crash in the middle is a recovery made twice.
func TestRecover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why      string
		snapshot bool
		keep     int // entries that the machine's disk still has; -1: all
		twice    bool
	}{
		{"from the log alone", false, -1, false},
		{"from the log alone, the machine's disk lost a tail", false, 3, false},
		{"behind a snapshot", true, -1, false},
		{"behind a snapshot, the machine's disk lost more than it has", true, 3, false},
		{"again, after a crash at the end", false, -1, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := newRing(t)
			r.cluster("a", "b", "c")
			r.proposeAll(numbered("x", 10))
			if c.snapshot {
				if err := r.nodes["a"].node.TakeSnapshot(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.proposeAll(numbered("y", 5))
			want := r.settle()
			for _, id := range []string{"b", "c", "a"} {
				r.nodes[id].kill()
			}
			a := r.nodes["a"]
			a.machine = a.machine.reborn(c.keep)
			if c.twice {
				if _, err := recoverAlone(a, "two", "first of another try"); err != nil {
					t.Fatal(err)
				}
				want = append(want, "first of another try")
			}
			got, err := recoverAlone(a, "two", "first")
			if err != nil {
				t.Fatal(err)
			}
			if !c.twice && len(got.Members) != 3 || got.Index != a.machine.Applied() {
				t.Errorf("%+v", got)
			}
			if a.machine.pins != 0 {
				t.Errorf("%d snapshots are still pinned", a.machine.pins)
			}
			delete(r.nodes, "b")
			delete(r.nodes, "c")
			cfg := a.config()
			cfg.LogID = []byte("two")
			if err := a.tryStart(cfg); err != nil {
				t.Fatal(err)
			}
			r.propose("second")
			wantData(t, r.settle(), append(want, "first", "second"))
			if s := a.node.Servers(); len(s) != 1 || s[0].ID != "a" {
				t.Errorf("members %+v", s)
			}
		})
	}
}

// TestRecoverNothing: an empty folder is no node that could be recovered.
func TestRecoverNothing(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	_, err := recoverAlone(r.add("a"), "two", "first")
	wantCode(t, "an empty folder", err, syncproto.CodeNothingToRecover)
}

// TestRecoverWhileRunning: the folder of a node that runs is left alone.
func TestRecoverWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("a")
	_, err := recoverAlone(r.nodes["a"], "two")
	wantCode(t, "a node that runs", err, syncproto.CodeRaftLog)
}

// TestRecoveredIsLeftAlone: the nodes that were given up come back, a majority among
// themselves, with entries of their own and a higher term. They never reach the one that was
// recovered: without the log's new id they overwrite it.
func TestRecoveredIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("a", "b", "c")
	r.proposeAll(numbered("x", 5))
	want := r.settle()
	a := r.nodes["a"]
	a.kill()
	if _, err := recoverAlone(a, "two", "new life"); err != nil {
		t.Fatal(err)
	}
	delete(r.nodes, "a")
	r.proposeAll(numbered("old", 5)) // b and c
	cfg := a.config()
	cfg.LogID = []byte("two")
	if err := a.tryStart(cfg); err != nil {
		t.Fatal(err)
	}
	defer a.kill()
	eventually(t, "the recovered node leads", func() bool { _, ok := a.node.Leading(); return ok })
	r.proposeAll(numbered("older", 3))
	if _, _, err := a.node.Propose(t.Context(), []byte("newer")); err != nil && !errors.Is(err, ErrUnknownOutcome) {
		t.Fatal(err)
	}
	eventually(t, "the recovered node has its own entry", func() bool { return slices.Contains(a.machine.data(), "newer") })
	wantData(t, a.machine.data(), append(want, "new life", "newer"))
}

package cluster

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// TestSeed: a cluster that begins with a state that it never had in its log. The state
// stays through restarts, and members that join have it too.
func TestSeed(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	n1 := r.add("n1")
	n1.machine.state = []toyEntry{{SeedIndex, "all that was restored"}}
	if err := Seed(n1.config(), "127.0.0.1:1", n1.machine); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "seeded twice", Seed(n1.config(), "127.0.0.1:1", n1.machine), syncproto.CodeBootstrapped)
	n1.start()
	r.propose("first")
	n1.kill()
	n1.start()
	r.propose("second")
	for _, id := range []string{"n2", "n3"} {
		m := r.add(id).start()
		if err := r.leader().node.AddVoter(t.Context(), id, m.addr); err != nil {
			t.Fatal(err)
		}
	}
	r.propose("third")
	wantData(t, r.settle(), []string{"all that was restored", "first", "second", "third"})
}

// TestSeedNeedsItsIndex: at 0 a new node would be taken for one that has the state.
func TestSeedNeedsItsIndex(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	n1 := r.add("n1")
	if err := Seed(n1.config(), "127.0.0.1:1", n1.machine); err == nil {
		t.Error("seeded with a machine at 0")
	}
}

// TestEntries: what comes out is what went in, without raft's own entries, and what was cut
// off in front is said to be.
func TestEntries(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.space.TrailingBytes = 1
	r.cluster("n1")
	r.proposeAll(numbered("e", 5))
	n := r.leader().node
	var got []string
	last := uint64(0)
	read := func(after, to uint64) error {
		got = nil
		return n.Entries(after, to, func(index uint64, data []byte) error {
			if index <= last && last != 0 {
				t.Errorf("entry %d behind %d", index, last)
			}
			got, last = append(got, string(data)), index
			return nil
		})
	}
	applied := n.Stats().Applied
	if err := read(0, applied); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbered("e", 5), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stop := errors.New("enough")
	if err := n.Entries(0, applied, func(uint64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("do's error: %v", err)
	}
	if n.Behind(0) <= n.Behind(applied) {
		t.Errorf("%d bytes behind 0, %d behind %d", n.Behind(0), n.Behind(applied), applied)
	}
	r.proposeAll(numbered("f", 3))
	if err := n.TakeSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := read(0, applied); !errors.Is(err, ErrCompacted) {
		t.Errorf("behind a compaction: %v, %q", err, got)
	}
}

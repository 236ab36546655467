package union_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

const exchangeUnion = "330702-00001"

// station is one PC of a union in a test.
type station struct {
	t      *testing.T
	dir    string
	u      *union.Union
	centre *agenttest.Centre
	seed   byte
	opened byte
	now    time.Time
	stick  string // its second place
}

func exchangeCentre(t *testing.T) *agenttest.Centre {
	t.Helper()
	c, err := agenttest.New(1)
	if err != nil {
		t.Fatal(err)
	}
	c.Time = 1780000000
	return c
}

func newStation(t *testing.T, c *agenttest.Centre, seed byte) *station {
	t.Helper()
	p := stationIn(t, c, seed, t.TempDir())
	t.Cleanup(func() { _ = p.u.Close() })
	return p
}

func stationIn(t *testing.T, c *agenttest.Centre, seed byte, dir string) *station {
	t.Helper()
	p := &station{t: t, dir: dir, centre: c, seed: seed, now: time.Unix(1780000000, 0)}
	u, err := union.Create(p.dir, exchangeUnion, p.options())
	if err != nil {
		t.Fatal(err)
	}
	p.u = u
	return p
}

// options never give the same randomness twice: a PC that was started again would draw ids
// that it has given already.
func (p *station) options() union.Options {
	p.opened++
	return union.Options{
		Key: &uniontest.Key, Kinds: kind.Embedded(), Actor: "王芳", Rand: uniontest.Rand(p.seed + 16*p.opened),
		Now: func() time.Time { return p.now }, Second: p.stick,
	}
}

func (p *station) party() union.Party {
	key := ed25519.NewKeyFromSeed(append(make([]byte, 31), p.seed))
	return union.Party{CA: p.centre.CA, Sign: func(m []byte) []byte { return seal.Sign(key, syncproto.DomainSegment, m) }}
}

func (p *station) sync() (union.Result, error) {
	return p.u.Exchange(context.Background(), p.centre, p.party())
}

func (p *station) mustSync() union.Result {
	p.t.Helper()
	r, err := p.sync()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *station) members(from, n int) {
	p.t.Helper()
	if _, err := uniontest.Members(context.Background(), p.u, from, n); err != nil {
		p.t.Fatal(err)
	}
}

// equal compares the digests of both ends.
func (p *station) equal() {
	p.t.Helper()
	st, err := p.u.State()
	if err != nil {
		p.t.Fatal(err)
	}
	want, err := p.centre.Union(exchangeUnion).Digest()
	if err != nil {
		p.t.Fatal(err)
	}
	if st.Digest != want {
		p.t.Errorf("digest %x, the centre's is %x", st.Digest[:4], want[:4])
	}
}

func TestExchange(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	if _, err := uniontest.Members(context.Background(), p.u, 0, 1); syncproto.CodeOf(err) != syncproto.CodeFirstFetch {
		t.Fatalf("saving before the first fetch: %v", err)
	}
	r := p.mustSync()
	if !r.Complete || !r.Equal || r.Records != 0 || r.Rounds != 2 { // the first asks for the lives of the centre
		t.Fatalf("first fetch of an empty union: %+v", r)
	}
	p.members(0, 111)
	r = p.mustSync()
	want := union.Result{Rounds: 1, Sent: 222, Complete: true, Equal: true, Records: 222, CentreTime: c.Time, Slot: c.Slot, Recipient: r.Recipient}
	if r.Recipient == "" {
		t.Error("the centre's public key for bundles did not come")
	}
	if diff := cmp.Diff(want, r, cmp.Comparer(func(a, b *syncpb.Slot) bool { return a.GetMinute() == b.GetMinute() })); diff != "" {
		t.Errorf("111 members (-want +got):\n%s", diff)
	}
	p.equal()
	st, err := p.u.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if st.Waiting != 0 || st.Delivered != 222 || !st.Proved || !st.Fetched || st.Last.Unix() != p.now.Unix() {
		t.Errorf("status %+v", st)
	}
	if r = p.mustSync(); r.Rounds != 1 || r.Sent+r.Received != 0 || !r.Equal {
		t.Errorf("idle: %+v", r)
	}
	other := newStation(t, c, 2)
	if r = other.mustSync(); r.Received != 222 || !r.Equal || r.Records != 222 {
		t.Errorf("a second PC fetches: %+v", r)
	}
	other.equal()
}

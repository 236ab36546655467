package archive

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// centre is a node that leads alone: a ledger and the log that made it.
type centre struct {
	t      testing.TB
	city   *trust.City
	own    tlsid.Own
	ledger *ledger.Ledger

	mu    sync.Mutex
	index uint64
	log   map[uint64][]byte
	first uint64 // what is below was cut off in front
	place syncproto.Place
	now   time.Time
	term  uint64
}

func newCity(t testing.TB) *trust.City {
	t.Helper()
	city, _, err := trust.Found(rand.Reader, "test", time.Unix(1_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return city
}

// newCentre founds a centre with a state in memory.
func newCentre(t testing.TB) *centre {
	t.Helper()
	return foundAt(t, newCity(t), ledger.Config{Memory: true})
}

func foundAt(t testing.TB, city *trust.City, cfg ledger.Config) *centre {
	t.Helper()
	l, err := ledger.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := newNode(t, city, l)
	gen := syncproto.Generation{Number: 1, Random: 77, Operator: "test", Reason: "founded"}
	g := &entrypb.Genesis{LogId: []byte("log id 012345678"), Time: 1000, Ca: city.Certificate().Raw, Sealed: city.Sealed(), Generation: c.entryOf(gen)}
	for _, f := range kind.Embedded().Files() {
		g.Kinds = append(g.Kinds, &entrypb.KindFile{Name: f.Name, Yaml: f.Data})
	}
	c.apply(g)
	return c
}

// newNode is a node of the city with a ledger.
func newNode(t testing.TB, city *trust.City, l *ledger.Ledger) *centre {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := city.SignNode(pub, "n1", nil, time.Unix(1_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	c := &centre{
		t: t, city: city, own: tlsid.Own{Key: priv, Cert: cert, CA: city.Certificate()}, ledger: l, index: l.Applied(),
		log: map[uint64][]byte{}, place: syncproto.Place{Journal: 5}, now: time.Unix(2_000_000, 0), term: 1,
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *centre) entryOf(g syncproto.Generation) *entrypb.Generation {
	return &entrypb.Generation{Number: uint32(g.Number), Random: g.Random, Base: uint64(g.Base), Operator: g.Operator, Reason: g.Reason,
		Signature: c.city.Sign(syncproto.DomainGeneration, g.Message())}
}

// apply commits an entry. Every third index is raft's own, as where members change.
func (c *centre) apply(m proto.Message) {
	c.t.Helper()
	b, err := ledger.Entry(m)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.Propose(context.Background(), b); err != nil {
		c.t.Fatal(err)
	}
}

// Propose implements Log.
func (c *centre) Propose(_ context.Context, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index++; c.index%3 == 0 {
		c.index++
	}
	c.log[c.index] = b
	_, err := c.ledger.Apply(c.index, b)
	return err
}

// Leading implements Log.
func (c *centre) Leading() (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term, c.term != 0
}

// Behind implements Log.
func (c *centre) Behind(index uint64) (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, b := range c.log {
		if i > index {
			n += int64(len(b))
		}
	}
	return n
}

// Entries implements Log.
func (c *centre) Entries(after, to uint64, do func(uint64, []byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := after + 1; i <= to; i++ {
		if i < c.first {
			return ErrGone
		}
		if b, ok := c.log[i]; ok {
			if err := do(i, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// members commits n new members of a union, ten an entry.
func (c *centre) members(n int) {
	c.t.Helper()
	k, err := kind.Embedded().Find("member")
	if err != nil {
		c.t.Fatal(err)
	}
	name, err := k.Find("name")
	if err != nil {
		c.t.Fatal(err)
	}
	for n > 0 {
		s := &entrypb.Segment{Journal: 5, First: c.place.Seq + 1, Signature: make([]byte, 65)}
		if c.place.Seq > 0 {
			s.Previous = c.place.Hash.Wire()
		}
		for range min(n, 10) {
			ch := syncproto.Change{Union: "u1", Kind: k.Number, Actor: "clerk", Edits: []syncproto.Edit{
				{Field: name.Number, Value: fmt.Appendf(nil, "somebody %d", c.place.Seq)}}}
			binary.BigEndian.PutUint64(ch.ID[:], c.place.Seq+1)
			s.Changes = append(s.Changes, ch.Encode(5))
			c.place = c.place.Next(s.Changes[len(s.Changes)-1])
			n--
		}
		c.apply(&entrypb.Batch{Time: 2000, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
	}
}

func (c *centre) keys() Keys { return Keys{CA: c.city.Certificate(), City: c.city.ArchiveKey()} }

// writer keeps on a target in small parts and segments, so that there are some of each.
func (c *centre) writer(target Target) *Writer {
	c.t.Helper()
	w, err := NewWriter(target, c.keys(), c.own, c.city.Sealed())
	if err != nil {
		c.t.Fatal(err)
	}
	w.partBytes, w.segmentBytes = 64<<10, 2<<10
	return w
}

func (c *centre) stream(w *Writer) *stream { return &stream{w: w, log: c, ledger: c.ledger} }

// backup makes one; a second later it is a second later.
func (c *centre) backup(w *Writer) *Manifest {
	c.t.Helper()
	c.now = c.now.Add(time.Second)
	m, err := w.Backup(c.t.Context(), c.ledger, Making{Rand: rand.Reader, Now: c.now, Version: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *centre) catchUp(s *stream) {
	c.t.Helper()
	if err := s.catchUp(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// dump is the whole state.
func dump(t testing.TB, l *ledger.Ledger) []byte {
	t.Helper()
	s, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var b bytes.Buffer
	if err := s.Stream(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digest(t testing.TB, l *ledger.Ledger) string {
	t.Helper()
	sum := sumOf(dump(t, l))
	return hex.EncodeToString(sum[:])
}

// rebuild puts a backup back in memory.
func rebuild(t testing.TB, r *Reader, m *Manifest, how Rebuilding) *Rebuilt {
	t.Helper()
	b, err := r.Rebuild(t.Context(), m, ledger.Config{Memory: true}, how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	return &folder{dir: t.TempDir()}
}

func drilling(t testing.TB) Drilling {
	return Drilling{Scratch: t.TempDir(), Key: new([32]byte), Now: time.Now}
}

func wantCode(t testing.TB, why string, err error, want syncproto.Code) {
	t.Helper()
	if err == nil || syncproto.CodeOf(err) != want {
		t.Errorf("%s: %v, want E%d", why, err, want)
	}
}

var discard = slog.New(slog.DiscardHandler)

type ctxT = context.Context

func recipientOf(t testing.TB, key *[32]byte) string {
	t.Helper()
	r, err := seal.Recipient(key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

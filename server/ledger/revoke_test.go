package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// author is a device's journal of one union, as its changes reach a node.
type author struct {
	id      []byte
	union   string
	journal syncproto.JournalID
	places  []syncproto.Place
	changes [][]byte
}

func newAuthor(id byte, union string) *author {
	return &author{id: bytes.Repeat([]byte{id}, 16), union: union, journal: syncproto.JournalID(id)}
}

// save appends n changes to records of their own.
func (d *author) save(n int) {
	for range n {
		at := syncproto.Place{Journal: d.journal}
		if len(d.places) > 0 {
			at = d.places[len(d.places)-1]
		}
		c := &syncproto.Change{Union: d.union, Kind: 900, ID: syncproto.RecordID{byte(d.journal), byte(len(d.places)), byte(len(d.places) >> 8)},
			Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}}
		b := c.Encode(d.journal)
		d.places, d.changes = append(d.places, at.Next(b)), append(d.changes, b)
	}
}

// fork is the same journal gone another way from a change on, to records of a kind of its own.
func (d *author) fork(from int, kind syncproto.KindNumber) *author {
	out := newAuthor(d.id[0], d.union)
	out.places, out.changes = slices.Clone(d.places[:from-1]), slices.Clone(d.changes[:from-1])
	for i := range d.changes[from-1:] {
		c := &syncproto.Change{Union: d.union, Kind: kind, ID: syncproto.RecordID{byte(i)}, Edits: []syncproto.Edit{{Field: 20, Value: []byte("x")}}}
		b := c.Encode(d.journal)
		out.places, out.changes = append(out.places, out.places[len(out.places)-1].Next(b)), append(out.changes, b)
	}
	return out
}

// segment is changes from..to (numbers, both included), signed by somebody.
func (d *author) segment(from, to int, signer []byte) *entrypb.Segment {
	s := &entrypb.Segment{Journal: uint64(d.journal), First: uint64(from), Changes: d.changes[from-1 : to], Signer: signer, Signature: []byte("s")}
	if from > 1 {
		s.Previous = d.places[from-2].Hash.Wire()
	}
	return s
}

// bring applies one segment that a device carries, and gives its verdicts as words.
func (n *node) bring(union string, carrier []byte, s *entrypb.Segment) []string {
	n.t.Helper()
	res := n.apply(&entrypb.Batch{Time: 2000, Items: []*entrypb.Item{{Union: union, Device: carrier, Segments: []*entrypb.Segment{s}}}})
	o := outcomes(res)[0][0]
	if o.Refused != 0 {
		return []string{fmt.Sprintf("E%d", o.Refused)}
	}
	var out []string
	for _, v := range o.Verdicts {
		out = append(out, v.Kind.String()+v.Reason.String())
	}
	return out
}

func (n *node) register(d *author, unions ...string) any {
	return n.apply(&entrypb.Registered{Time: 5, Device: d.id, PublicKey: []byte("key" + string(d.id[:1])), Unions: unions, Certificate: []byte("cert")})
}

// revocation is what the leader would have the CA sign now.
func (n *node) revocation(d *author, union string) *entrypb.Revocation {
	n.t.Helper()
	_, places, err := n.l.Revocable(d.id)
	if err != nil {
		n.t.Fatal(err)
	}
	r := &syncproto.Revocation{Device: d.id, Union: union, Places: places[union], Time: 7, Operator: "o", Reason: "r"}
	m, err := EntryRevocation(session.WireRevocation(r, []byte("sig")))
	if err != nil {
		n.t.Fatal(err)
	}
	return m
}

// replayed fails unless another replica comes to the very same state.
func (n *node) replayed() {
	n.t.Helper()
	other := newNode(n.t, Config{Memory: true})
	for i, b := range n.log {
		if _, err := other.l.Apply(uint64(i+1), b); err != nil {
			n.t.Fatal(err)
		}
	}
	if !bytes.Equal(n.dump(), other.dump()) {
		n.t.Error("replicas differ")
	}
}

func want(t *testing.T, why string, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", why, d)
	}
}

// TestRevokedDevice: what stands up to the places named is answered as before, whoever
// brings it; what the device signs beyond is held, whoever brings it; others go on.
func TestRevokedDevice(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d, other := newAuthor(1, "u1"), newAuthor(2, "u1")
	n.register(d, "u1", "u2")
	n.register(other, "u1")
	d.save(6)
	other.save(2)
	want(t, "before", n.bring("u1", d.id, d.segment(1, 2, nil)), "applied", "applied")
	n.apply(&entrypb.Revoke{Time: 7, Revocation: n.revocation(d, "u1")})
	want(t, "what was here is answered", n.bring("u1", d.id, d.segment(1, 2, nil)), "applied", "applied")
	want(t, "the rest of a longer run is held", n.bring("u1", d.id, d.segment(1, 3, nil)), "applied", "applied", "heldrevoked")
	want(t, "whoever brings it", n.bring("u1", other.id, d.segment(4, 4, d.id)), "heldrevoked")
	want(t, "and if a node signed in the middle of the run", n.bring("u1", other.id, d.segment(5, 5, []byte("n1"))), "heldrevoked")
	want(t, "what another device signs is that device's", n.bring("u1", d.id, other.segment(1, 1, other.id)), "applied")
	v := n.l.View("u1")
	defer v.Done()
	if tips, err := v.Tips(d.journal); err != nil || len(tips) != 1 || tips[0].Seq != 5 {
		t.Errorf("held changes move the tip: %v, %v", tips, err)
	}
	if r, err := v.Read(syncproto.RecordKey{Kind: 900, ID: syncproto.RecordID{1, 2}}); err != nil || r.Text(20) != "" {
		t.Errorf("a held change touched its record: %v, %v", r, err)
	}
	fresh := newAuthor(3, "u1")
	fresh.id = d.id
	fresh.save(1)
	want(t, "a journal that the device begins afterwards", n.bring("u1", d.id, fresh.segment(1, 1, nil)), "heldrevoked")
	dev, err := n.l.Device(d.id)
	if err != nil || !dev.GetRevoked() || dev.GetHeldChanges() != 4 {
		t.Errorf("%v, %v", dev, err)
	}
	n.replayed()
}

// TestRevokedAfterRestore: a centre that lost changes and gets the revocation back first
// takes what leads to the places named, and nothing of another branch or beyond.
func TestRevokedAfterRestore(t *testing.T) {
	old := begun(t, Config{Memory: true})
	d, carrier := newAuthor(1, "u1"), newAuthor(2, "u1")
	old.register(d, "u1")
	d.save(6)
	old.bring("u1", d.id, d.segment(1, 4, nil))
	rev := old.revocation(d, "u1")

	n := begun(t, Config{Memory: true}) // as restored from a backup without all that
	n.register(carrier, "u1")
	if res := n.apply(&entrypb.Revoke{Time: 7, Revocation: rev}); res.(*entrypb.Device).GetRevoked() != true {
		t.Fatal(res)
	}
	if res := n.register(d, "u1"); !res.(*entrypb.Device).GetRevoked() {
		t.Error("registering took the revocation away")
	}
	forged, other := d.fork(3, 901), d.fork(3, 902)
	want(t, "up to the place, in parts", n.bring("u1", carrier.id, d.segment(1, 2, d.id)), "applied", "applied")
	want(t, "another branch that reaches past the place", n.bring("u1", carrier.id, forged.segment(3, 4, d.id)), "heldrevoked", "heldrevoked")
	want(t, "over the place", n.bring("u1", carrier.id, d.segment(3, 5, d.id)), "applied", "applied", "heldrevoked")
	want(t, "another branch, short, now that the place is here", n.bring("u1", carrier.id, other.segment(3, 3, d.id)), "heldrevoked")
	n.replayed()
}

// TestRevokedQuota: a revoked device cannot fill the centre.
func TestRevokedQuota(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d := newAuthor(1, "u1")
	n.register(d, "u1")
	n.apply(&entrypb.Revoke{Time: 7, Revocation: n.revocation(d, "u1")})
	d.save(revokedChanges + 1)
	step := syncproto.MaxBatchChanges
	for at := 1; at+step <= revokedChanges+1; at += step {
		if got := n.bring("u1", d.id, d.segment(at, at+step-1, nil)); got[0] != "heldrevoked" {
			t.Fatalf("from %d: %s", at, got[0])
		}
	}
	want(t, "one more", n.bring("u1", d.id, d.segment(revokedChanges+1, revokedChanges+1, nil)), "E504")
	if got := n.bring("u1", d.id, d.segment(1, 1, nil)); got[0] != "heldrevoked" {
		t.Errorf("what is here is answered for ever: %v", got)
	}
	n.replayed()
}

// TestRevokedQuotaInParts: an entry that is cut into several transactions, and comes again
// after a crash between them, counts no change twice.
func TestRevokedQuotaInParts(t *testing.T) {
	d := newAuthor(1, "u1")
	d.save(20)
	state := func(cut bool) *entrypb.Device {
		n := begun(t, Config{Memory: true})
		n.register(d, "u1")
		n.apply(&entrypb.Revoke{Time: 7, Revocation: n.revocation(d, "u1")})
		if cut { // the first part as a crash leaves it: committed, without the entry's index
			a := n.l.newApplier(0)
			if _, err := a.segment("u1", d.id, d.segment(1, 9, nil)); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(a.flush(), n.l.commit(a.txn, a.meta, nil)); err != nil {
				t.Fatal(err)
			}
		}
		n.bring("u1", d.id, d.segment(1, 20, nil))
		dev, err := n.l.Device(d.id)
		if err != nil {
			t.Fatal(err)
		}
		return dev
	}
	if a, b := state(false), state(true); a.GetHeldChanges() != 20 || a.GetHeldChanges() != b.GetHeldChanges() || a.GetHeldBytes() != b.GetHeldBytes() {
		t.Errorf("%d and %d changes", a.GetHeldChanges(), b.GetHeldChanges())
	}
}

// TestRevocationIsToldOnce: it has a position of its own, stands in the first form that
// came, and each union has its own.
func TestRevocationIsToldOnce(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d := newAuthor(1, "u1")
	n.register(d, "u1", "u2")
	d.save(2)
	n.bring("u1", d.id, d.segment(1, 1, nil))
	before := n.l.Head()
	first := n.revocation(d, "u1")
	n.apply(&entrypb.Revoke{Time: 7, Revocation: first})
	again := n.revocation(d, "u1")
	again.Places[0].Seq++
	n.apply(&entrypb.Revoke{Time: 8, Revocation: again})
	n.apply(&entrypb.Revoke{Time: 8, Revocation: n.revocation(d, "u2")})
	if n.l.Head() != before+2 {
		t.Errorf("head %s after %s", n.l.Head(), before)
	}
	for _, row := range []struct {
		why         string
		union       string
		after, upTo syncproto.Position
		want        int
	}{
		{"the page that goes past it", "u1", before, before + 1, 1},
		{"a page that ends before", "u1", 0, before, 0},
		{"a cursor that stands on it", "u1", before + 1, before + 2, 0},
		{"another union", "u2", before, before + 1, 0},
		{"the other union's own", "u2", 0, before + 2, 1},
	} {
		v := n.l.View(row.union)
		got, err := v.Revocations(row.after, row.upTo)
		v.Done()
		if err != nil || len(got) != row.want {
			t.Errorf("%s: %v, %v", row.why, got, err)
		}
		for _, r := range got {
			if r.GetPlaces()[0].GetUnion() != row.union {
				t.Errorf("%s: hears of %s", row.why, r.GetPlaces()[0].GetUnion())
			}
		}
	}
	if res, ok := n.apply(&entrypb.Revoke{Revocation: &entrypb.Revocation{Device: d.id}}).(error); !ok || syncproto.CodeOf(res) != syncproto.CodeInvalid {
		t.Errorf("a revocation of no union: %v", res)
	}
	n.replayed()
}

// TestRegistered: a device is taken in by its certificate, keeps its key, and gains unions.
func TestRegistered(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d := newAuthor(1, "u1")
	if got := n.register(d, "u1").(*entrypb.Device); !got.HasUnion("u1") || got.GetEnrolled() == 0 {
		t.Errorf("%v", got)
	}
	if got := n.register(d, "u1", "u2").(*entrypb.Device); len(got.GetUnions()) != 2 {
		t.Errorf("%v", got)
	}
	res := n.apply(&entrypb.Registered{Device: d.id, PublicKey: []byte("another key"), Unions: []string{"u3"}})
	if err, ok := res.(error); !ok || syncproto.CodeOf(err) != syncproto.CodeDeviceUnknown {
		t.Errorf("another key under a known id: %v", res)
	}
	if got, err := n.l.Device(d.id); err != nil || got.HasUnion("u3") || string(got.GetPublicKey()) != "key\x01" {
		t.Errorf("%v, %v", got, err)
	}
	n.replayed()
}

// TestVoidCodes: a restore makes open enrolment codes void; the device that had used one
// may use it again.
func TestVoidCodes(t *testing.T) {
	n := begun(t, Config{Memory: true})
	for _, h := range []string{"open", "used"} {
		n.apply(&entrypb.Code{Time: 10, Hash: []byte(h), Union: "u1", Expires: 5000})
	}
	enrol := func(hash, device string) syncproto.Code {
		err, _ := n.apply(&entrypb.Enrolled{Time: 20, Hash: []byte(hash), Device: []byte(device), PublicKey: []byte("k")}).(error)
		if err == nil {
			return 0
		}
		return syncproto.CodeOf(err)
	}
	if got := enrol("used", "d1"); got != 0 {
		t.Fatal(got)
	}
	if res := n.apply(&entrypb.NewGeneration{Time: 30, Next: &entrypb.Generation{Number: 2, Random: 9, Base: 1 << 48}}); res != nil {
		t.Fatal(res)
	}
	for _, row := range []struct {
		why, hash, device string
		want              syncproto.Code
	}{
		{"an open one is void", "open", "d2", syncproto.CodeEnrolVoid},
		{"its device again, as after a lost answer", "used", "d1", 0},
		{"another device", "used", "d2", syncproto.CodeEnrolUsed},
	} {
		if got := enrol(row.hash, row.device); got != row.want {
			t.Errorf("%s: E%d, want E%d", row.why, got, row.want)
		}
	}
}

// TestDroppedBeyondRights: what was dropped before it came still says that it is a revoked
// device's, so that a node signs for it as that; another dropped change says nothing.
func TestDroppedBeyondRights(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d, other := newAuthor(1, "u1"), newAuthor(2, "u1")
	n.register(d, "u1")
	n.register(other, "u1")
	n.apply(&entrypb.Revoke{Time: 7, Revocation: n.revocation(d, "u1")})
	d.save(1)
	other.save(1)
	for _, a := range []*author{d, other} {
		n.apply(&entrypb.Staff{Time: 8, Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
			Union: "u1", Kind: 900, Id: append([]byte{byte(a.journal)}, make([]byte, 15)...), Verb: uint32(syncproto.VerbDrop),
			Resolves: []*entrypb.FieldDot{{Journal: uint64(a.journal), Seq: 1, Tag: a.places[0].Dot().Tag}},
		}}})
	}
	want(t, "a revoked device's", n.bring("u1", d.id, d.segment(1, 1, nil)), "droppedrevoked")
	want(t, "another's", n.bring("u1", other.id, other.segment(1, 1, nil)), "dropped")
	n.replayed()
}

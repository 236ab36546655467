package server

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// shown makes a device that this centre does not know, with a certificate of its city.
func (c *testCity) shown(at time.Time, unions ...string) *pc {
	c.t.Helper()
	city := c.nodes[0].trust.City
	key, id := ed25519.NewKeyFromSeed(random(ed25519.SeedSize)), random(16)
	cert, err := city.SignDevice(key.Public().(ed25519.PublicKey), hex.EncodeToString(id), at, unions...)
	if err != nil {
		c.t.Fatal(err)
	}
	gen, err := c.nodes[0].ledger.Generation()
	if err != nil {
		c.t.Fatal(err)
	}
	union := "u1"
	if len(unions) > 0 {
		union = unions[0]
	}
	return newPC(c.t, c.nodes[0].ready.API, id, key, &unionrpc.EnrolResponse{
		Union: union, Certificate: cert.Raw, Ca: city.Certificate().Raw,
		Generation: &syncpb.GenerationRef{Number: gen.GetNumber(), Random: gen.GetRandom()},
	})
}

// ask makes one request at a node and gives the answer, which is not taken.
func (p *pc) ask(n *running, change func(*syncpb.Request)) (*syncpb.Response, error) {
	p.t.Helper()
	q, _, err := p.Ask()
	if err != nil {
		p.t.Fatal(err)
	}
	if change != nil {
		change(q)
	}
	return p.exchange(n.ready.API)(q)
}

// TestRegisteredByCertificate: a centre that lost an enrolment takes the device in again,
// also through a node that does not lead; nobody else gets in that way.
func TestRegisteredByCertificate(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	p := c.shown(time.Now(), "u1", "u2")
	p.Save(note(1, "x"))
	if u := p.sync(n); !u.Equal {
		t.Fatalf("%+v", u)
	}
	known, err := n.ledger.Device(p.id)
	if err != nil || !slices.Equal(known.GetUnions(), []string{"u1", "u2"}) {
		t.Fatalf("%v, %v", known, err)
	}
	before := n.ledger.Applied()
	if _, err := p.ask(n, nil); err != nil || n.ledger.Applied() != before {
		t.Errorf("a device that is known costs %d entries, %v", n.ledger.Applied()-before, err)
	}
	old := c.shown(time.Now())
	_, err = old.ask(n, nil)
	wantCode(t, err, syncproto.CodeDeviceUnknown)
	other := c.shown(time.Now(), "u2")
	_, err = other.ask(n, func(q *syncpb.Request) { q.Union = "u1" })
	wantCode(t, err, syncproto.CodeNotYourUnion)
	thief := c.shown(time.Now(), "u1")
	cert, err := n.trust.City.SignDevice(thief.Key.Public().(ed25519.PublicKey), hex.EncodeToString(p.id), time.Now(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	thief.own.Cert, thief.id = cert, p.id
	_, err = thief.ask(n, nil)
	wantCode(t, err, syncproto.CodeDeviceUnknown)
}

// TestReturnedCertificate: what a device signed that the centre forgot can be checked, and
// stays refused without its certificate.
func TestReturnedCertificate(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	carrier, author, stranger := c.enrolPC(n, "u1"), c.shown(time.Now(), "u1"), c.shown(time.Now(), "u2")
	run := func(p *pc) *syncpb.Segment {
		agent := sessiontest.NewAgent("u1", p.State.Journal, nil)
		agent.Key = p.Key
		agent.Save(note(byte(p.State.Journal>>8), "v"))
		q, _, err := agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		s := q.GetBatch()[0]
		s.Journal, s.Signer = uint64(p.State.Journal), p.id
		return s
	}
	bring := func(p *pc, returned ...*syncpb.Returned) []*syncpb.Refusal {
		r, err := carrier.ask(n, func(q *syncpb.Request) { q.Batch, q.Returned = []*syncpb.Segment{run(p)}, returned })
		if err != nil {
			t.Fatal(err)
		}
		return r.GetRefused()
	}
	if got := bring(author); len(got) != 1 || got[0].GetCode() != uint32(syncproto.CodeSignerUnknown) {
		t.Fatalf("without the certificate: %v", got)
	}
	if got := bring(author, &syncpb.Returned{Certificate: author.own.Cert.Raw}); len(got) != 0 {
		t.Errorf("with the certificate: %v", got)
	}
	if got := bring(stranger, &syncpb.Returned{Certificate: stranger.own.Cert.Raw}); len(got) != 1 {
		t.Error("a device of another union signed for this one")
	}
	if d, err := n.ledger.Device(stranger.id); err != nil || d != nil {
		t.Errorf("a device of another union was taken in: %v, %v", d, err)
	}
}

// TestRenewal: an answer carries a certificate when the one shown has less than half its
// life left or lacks a union, and not else; a lost answer costs no second entry.
func TestRenewal(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{Contacts: patience})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	now := time.Now()
	for _, row := range []struct {
		why    string
		at     time.Time
		unions []string // of the certificate; the list has u1 and u2
		want   bool
	}{
		{"new", now, []string{"u1", "u2"}, false},
		{"four years old", now.AddDate(-4, 0, 0), []string{"u1", "u2"}, false},
		{"six years old", now.AddDate(-6, 0, 0), []string{"u1", "u2"}, true},
		{"expired for ten years", now.AddDate(-20, 0, 0), []string{"u1", "u2"}, true},
		{"made by a clock of 2090", time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC), []string{"u1", "u2"}, false},
		{"without the second union", now, []string{"u1"}, true},
		{"of the old form", now, nil, true},
	} {
		p := c.shown(now, "u1", "u2")
		if _, err := p.ask(n, nil); err != nil { // registers it
			t.Fatal(err)
		}
		id := hex.EncodeToString(p.id)
		cert, err := n.trust.City.SignDevice(p.Key.Public().(ed25519.PublicKey), id, row.at, row.unions...)
		if err != nil {
			t.Fatal(err)
		}
		p.own.Cert = cert
		r, err := p.ask(n, nil)
		if err != nil {
			t.Fatalf("%s: %v", row.why, err)
		}
		if got := len(r.GetCertificate()) > 0; got != row.want {
			t.Errorf("%s: renewed %v, want %v", row.why, got, row.want)
		}
		if !row.want {
			continue
		}
		before := n.ledger.Applied()
		again, err := p.ask(n, nil)
		if err != nil || n.ledger.Applied() != before || !slices.Equal(again.GetCertificate(), r.GetCertificate()) {
			t.Errorf("%s: after a lost answer %d entries, %v", row.why, n.ledger.Applied()-before, err)
		}
		fresh, err := x509.ParseCertificate(r.GetCertificate())
		if err != nil {
			t.Fatal(err)
		}
		who, err := tlsid.Verify(fresh, n.trust.City.Certificate(), tlsid.RoleDevice)
		if err != nil || who.ID != id || !who.Key.Equal(p.Key.Public()) || !slices.Equal(who.Unions, []string{"u1", "u2"}) {
			t.Errorf("%s: renewed to %+v, %v", row.why, who, err)
		}
		p.own.Cert = fresh
		if r, err := p.ask(n, nil); err != nil || len(r.GetCertificate()) > 0 {
			t.Errorf("%s: renewed once more, %v", row.why, err)
		}
	}
}

// TestSecondUnionKeepsTheFirst: a device that enrols for another union at a centre that lost
// its first enrolment gets a certificate with both.
func TestSecondUnionKeepsTheFirst(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	p := c.shown(time.Now(), "u1")
	again, err := enrolShowing(t, tlsid.ClientTLS(p.own), n.ready.API, c.code("u2"), p.id, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	who, err := again.own.Identity()
	if err != nil || !slices.Equal(who.Unions, []string{"u1", "u2"}) {
		t.Errorf("%v, %v", who.Unions, err)
	}
	known, err := n.ledger.Device(p.id)
	if err != nil || len(known.GetUnions()) != 2 {
		t.Errorf("%v, %v", known, err)
	}
	fresh := c.enrolPC(n, "u1")
	if who, err := fresh.own.Identity(); err != nil || !slices.Equal(who.Unions, []string{"u1"}) {
		t.Errorf("a first enrolment: %v, %v", who.Unions, err)
	}
}

// TestRestoreVoidsCodes: a code given out before another life of the centre began is told
// by name, and changes nothing.
func TestRestoreVoidsCodes(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	used := c.code("u1")
	first, err := enrolWith(t, n.ready.API, used, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := c.code("u1")
	if _, err := c.admin(n).BeginGeneration(t.Context(), &unionrpc.BeginGenerationRequest{Operator: "o", Reason: "restored"}); err != nil {
		t.Fatal(err)
	}
	_, err = enrolWith(t, n.ready.API, open, nil, nil)
	wantCode(t, err, syncproto.CodeEnrolVoid)
	if _, err := enrolWith(t, n.ready.API, used, first.id, first.Key); err != nil {
		t.Errorf("the device that had used its code: %v", err)
	}
	if _, err := enrolWith(t, n.ready.API, c.code("u1"), nil, nil); err != nil {
		t.Errorf("a new code: %v", err)
	}
}

// TestRevokedDeviceIsTaken: what a revoked device has is taken and held, it learns why under
// the CA's signature, and it gets nothing of the union.
func TestRevokedDeviceIsTaken(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	p, other := c.enrolPC(n, "u1"), c.enrolPC(n, "u1")
	p.Save(note(1, "before"))
	p.sync(n)
	other.sync(n)
	prefix := hex.EncodeToString(p.id)[:8]
	got, err := c.admin(n).Revoke(t.Context(), &unionrpc.RevokeRequest{Device: prefix, Operator: "李", Reason: "电脑丢失"})
	if err != nil || got.Before || len(got.Unions) != 1 || len(got.Unions[0].Places) != 1 || got.Unions[0].Places[0].Seq != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, err := c.admin(n).Revoke(t.Context(), &unionrpc.RevokeRequest{Device: prefix, Operator: "李", Reason: "again"}); err != nil || !again.Before {
		t.Errorf("%+v, %v", again, err)
	}
	p.Save(note(2, "after"))
	r, err := p.ask(n, func(q *syncpb.Request) { q.Want = []*syncpb.RecordRef{{Kind: 900, Id: make([]byte, 16)}} })
	if err != nil {
		t.Fatal(err)
	}
	if r.GetPage() != nil || len(r.GetWanted())+len(r.GetKinds()) > 0 || len(r.GetCertificate()) > 0 {
		t.Errorf("it was given %v", r)
	}
	if len(r.GetVerdicts()) != 1 || r.GetVerdicts()[0].GetKinds()[0] != byte(syncproto.VerdictHeld)|byte(syncproto.HeldRevoked)<<4 {
		t.Errorf("verdicts %v", r.GetVerdicts())
	}
	if len(r.GetTips()) != 1 || r.GetTips()[0].GetSeq() != 2 || r.GetReceipt().GetPlace().GetSeq() != 2 {
		t.Errorf("tips %v, receipt %v", r.GetTips(), r.GetReceipt())
	}
	if len(r.GetRevocations()) != 1 {
		t.Fatalf("revocations %v", r.GetRevocations())
	}
	rev, err := session.ReadRevocation(r.GetRevocations()[0])
	ca := n.trust.City.Certificate().PublicKey.(ed25519.PublicKey)
	if err != nil || !slices.Equal(rev.Device, p.id) ||
		seal.Verify(ca, syncproto.DomainRevocation, rev.Message(), r.GetRevocations()[0].GetSignature()) != nil {
		t.Errorf("%+v, %v", rev, err)
	}
	told, err := other.ask(n, nil)
	if err != nil || len(told.GetRevocations()) != 1 {
		t.Errorf("another PC of the union hears of it: %v, %v", told.GetRevocations(), err)
	}
	other.sync(n)
	if idle, err := other.ask(n, nil); err != nil || len(idle.GetRevocations()) != 0 {
		t.Errorf("and once only: %v, %v", idle.GetRevocations(), err)
	}
	_, err = enrolWith(t, n.ready.API, c.code("u1"), p.id, p.Key)
	wantCode(t, err, syncproto.CodeDeviceRevoked)
	list, err := c.admin(n).ListDevices(t.Context(), "u1")
	if err != nil || len(list.Devices) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, d := range list.Devices {
		if d.Revoked != (d.Device == hex.EncodeToString(p.id)) || d.Heard == 0 || d.Until == 0 || d.Revoked && (d.Held != 1 || d.Reason != "电脑丢失") {
			t.Errorf("%+v", d)
		}
	}
	if list, err := c.admin(n).ListDevices(t.Context(), "u2"); err != nil || len(list.Devices) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestRevokeRefuses: what cannot be meant changes nothing.
func TestRevokeRefuses(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	p, q := c.shown(time.Now(), "u1"), c.shown(time.Now(), "u1")
	for i := range p.id[:4] {
		q.id[i] = p.id[i]
	}
	cert, err := n.trust.City.SignDevice(q.Key.Public().(ed25519.PublicKey), hex.EncodeToString(q.id), time.Now(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	q.own.Cert = cert
	p.sync(n)
	q.sync(n)
	for _, row := range []struct {
		why, device, reason string
		want                syncproto.Code
	}{
		{"an id of nobody", "00000000000000000000000000000000ff", "r", syncproto.CodeDeviceNotFound},
		{"too few digits to be meant", hex.EncodeToString(p.id)[:3], "r", syncproto.CodeDeviceNotFound},
		{"no digits", "all of them", "r", syncproto.CodeDeviceNotFound},
		{"digits of two", hex.EncodeToString(p.id)[:8], "r", syncproto.CodeDeviceUnclear},
		{"no reason", hex.EncodeToString(p.id), "", syncproto.CodeInvalid},
	} {
		_, err := c.admin(n).Revoke(t.Context(), &unionrpc.RevokeRequest{Device: row.device, Operator: "o", Reason: row.reason})
		if syncproto.CodeOf(err) != row.want || err == nil {
			t.Errorf("%s: %v, want E%d", row.why, err, row.want)
		}
	}
	if d, err := n.ledger.Device(p.id); err != nil || d.GetRevoked() {
		t.Errorf("%v, %v", d, err)
	}
}

// TestRevocationComesBack: a centre that was restored without a revocation gets it from
// another PC of the union, and holds what the device signs from then on. A forged one, and
// one of another union, count for nothing.
func TestRevocationComesBack(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1", "u2")
	p, other, third := c.enrolPC(n, "u1"), c.enrolPC(n, "u1"), c.enrolPC(n, "u2")
	p.Save(note(1, "before"))
	p.sync(n)
	rev := &syncproto.Revocation{Device: p.id, Union: "u1", Places: []syncproto.Place{p.State.Head}, Time: 7, Operator: "o", Reason: "r"}
	signed := session.WireRevocation(rev, n.trust.City.Sign(syncproto.DomainRevocation, rev.Message()))
	forged := session.WireRevocation(rev, seal.Sign(p.Key, syncproto.DomainRevocation, rev.Message()))
	hand := func(by *pc, r *syncpb.Revocation) {
		t.Helper()
		if _, err := by.ask(n, func(q *syncpb.Request) { q.Returned = []*syncpb.Returned{{Revocation: r}} }); err != nil {
			t.Fatal(err)
		}
	}
	hand(other, forged)
	hand(third, signed)
	if d, err := n.ledger.Device(p.id); err != nil || d.GetRevoked() {
		t.Fatalf("%v, %v", d, err)
	}
	hand(other, signed)
	before := n.ledger.Applied()
	hand(other, signed)
	if n.ledger.Applied() != before {
		t.Error("the same once more costs an entry")
	}
	p.Save(note(2, "after"))
	r, err := p.ask(n, nil)
	if err != nil || len(r.GetVerdicts()) != 1 || len(r.GetVerdicts()[0].GetKinds()) != 1 || len(r.GetRevocations()) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	// The device cannot get rid of it by having its enrolment forgotten.
	forgotten := c.shown(time.Now(), "u1")
	rev = &syncproto.Revocation{Device: forgotten.id, Union: "u1", Time: 7, Operator: "o", Reason: "r"}
	hand(other, session.WireRevocation(rev, n.trust.City.Sign(syncproto.DomainRevocation, rev.Message())))
	forgotten.Save(note(3, "v"))
	r, err = forgotten.ask(n, nil)
	if err != nil || r.GetPage() != nil || len(r.GetVerdicts()) != 1 || len(r.GetVerdicts()[0].GetKinds()) != 1 {
		t.Errorf("%v, %v", r, err)
	}
}

// TestFollowerRegisters: a follower hands the certificate on, so that the leader can take the
// device in.
func TestFollowerRegisters(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{})
	c.importUnions("u1")
	leader := c.leader()
	for _, n := range c.nodes {
		if n == leader {
			continue
		}
		p := c.shown(time.Now().AddDate(-20, 0, 0), "u1")
		r, err := p.ask(n, nil)
		if err != nil || len(r.GetCertificate()) == 0 {
			t.Fatalf("%v, %v", r, err)
		}
	}
	_, err := callExchange(t, tlsid.ClientTLS(c.shown(time.Now(), "u1").own), leader.ready.API, &syncpb.Request{Union: "u1"},
		map[string]string{"Unionsync-Certificate": "AAAA"})
	wantCode(t, err, syncproto.CodeInvalid)
}

// TestLongAway: certificates that ended long ago, or begin in decades, meet a centre of today
// over real TLS, both ways.
func TestLongAway(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, gate.Capacity{})
	n := c.nodes[0]
	c.importUnions("u1")
	for why, at := range map[string]time.Time{
		"expired three years ago":  time.Now().AddDate(-13, 0, 0),
		"of before the Unix epoch": time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		"of a clock in 2090":       time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		p := c.shown(at, "u1")
		p.Save(note(1, why))
		// The PC's own clock, wherever TLS would look at it.
		for _, clock := range []time.Time{time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)} {
			config := tlsid.ClientTLS(p.own)
			config.Time = func() time.Time { return clock }
			p.syncBy(config, n)
		}
	}
}

func (p *pc) syncBy(config *tls.Config, n *running) {
	p.t.Helper()
	u, err := p.Sync(func(q *syncpb.Request) (*syncpb.Response, error) {
		q.Client = &syncpb.Client{Time: config.Time().Unix()}
		return callExchange(p.t, config, n.ready.API, q, nil)
	})
	if err != nil || !u.Equal || p.State.Receipt != p.State.Head {
		p.t.Fatalf("%+v, %v", u, err)
	}
	if d := cmp.Diff(0, len(p.Notices)); d != "" {
		p.t.Fatalf("notices %v", p.Notices)
	}
}

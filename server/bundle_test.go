package server

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// bundled is a request bundle of a PC and what it takes to use the answer.
type bundled struct {
	file []byte
	sent session.Sent
}

func (p *pc) key32() *[32]byte { return seal.Derive(p.own.Key.Seed(), "test") }

// bundle puts the PC's next request into a bundle.
func (c *testCity) bundle(p *pc, n *running) bundled {
	c.t.Helper()
	q, sent, err := p.Ask()
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := proto.Marshal(q)
	if err != nil {
		c.t.Fatal(err)
	}
	reply, err := seal.Recipient(p.key32())
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := p.exchange(n.ready.API)(&syncpb.Request{ProtocolMin: 1, ProtocolMax: 1, Union: q.GetUnion(), Journal: q.GetJournal(), Generation: q.GetGeneration()})
	if err != nil || r.GetRecipient() == "" {
		c.t.Fatalf("no recipient: %v", err)
	}
	b := &bundle.Bundle{
		Kind: bundle.KindRequest, ID: bundle.ID{1}, City: bundlefile.CityOf(p.own.CA), Union: q.GetUnion(), Device: bundle.Device(p.id),
		ReplyTo: reply, Messages: [][]byte{m}, Certificate: p.own.Cert.Raw,
	}
	file, err := bundlefile.Make(b, r.GetRecipient(), func(msg []byte) []byte { return seal.Sign(p.own.Key, syncproto.DomainBundle, msg) })
	if err != nil {
		c.t.Fatal(err)
	}
	return bundled{file, sent}
}

// take opens an answer bundle and uses its answers.
func (p *pc) takeBundle(b bundled, file []byte) *session.Update {
	p.t.Helper()
	o := bundlefile.Opener{CA: p.own.CA, Key: p.key32(), Kind: bundle.KindAnswer, Device: bundle.Device(p.id)}
	got, signer, err := o.Open(file)
	if err != nil || signer.ID != got.Node {
		p.t.Fatal(signer, err)
	}
	r := new(syncpb.Response)
	if err := proto.Unmarshal(got.Messages[0], r); err != nil {
		p.t.Fatal(err)
	}
	u, err := p.Take(b.sent, r)
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

// TestImportBundle: a bundle is worked in at the leader, whichever node is asked, as if it had
// come over the network; twice and after a network sync it changes nothing.
func TestImportBundle(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{})
	c.importUnions("u1")
	n := c.nodes[0]
	a := c.enrolPC(n, "u1")
	for i := range 20 {
		a.Save(note(byte(i+1), "甲"))
	}
	b := c.bundle(a, n)
	file, report, err := c.admin(c.nodes[2]).ImportBundle(t.Context(), b.file)
	if err != nil || report.Changes != 20 || report.Requests != 1 || len(report.Refused) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if u := a.takeBundle(b, file); !u.Equal || a.State.Receipt != a.State.Head {
		t.Fatalf("receipt %v of %v", a.State.Receipt, a.State.Head)
	}
	head := c.leader().ledger.Head()
	a.sync(n)
	again, _, err := c.admin(c.nodes[1]).ImportBundle(t.Context(), b.file)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.leader().ledger.Head(); got != head {
		t.Errorf("the same bundle again moved the head from %s to %s", head, got)
	}
	a.takeBundle(b, again)
	if len(a.Refused)+len(a.Notices) != 0 {
		t.Errorf("%v, %v", a.Refused, a.Notices)
	}
}

// TestImportBundleRefuses: what is not whole, not for this city or not of a device it knows is
// refused by name and changes nothing.
func TestImportBundleRefuses(t *testing.T) {
	t.Parallel()
	c, other := newCity(t, 1, gate.Capacity{}), newCity(t, 1, gate.Capacity{})
	c.importUnions("u1", "u2")
	other.importUnions("u1")
	n := c.nodes[0]
	a, x := c.enrolPC(n, "u1"), other.enrolPC(other.nodes[0], "u1")
	a.Save(note(1, "甲"))
	x.Save(note(1, "甲"))
	b := c.bundle(a, n)
	head := n.ledger.Head()
	a.State.Union = "u2"
	for _, row := range []struct {
		why  string
		file []byte
		want syncproto.Code
	}{
		{"another city's", other.bundle(x, other.nodes[0]).file, syncproto.CodeBundleCity},
		{"cut", b.file[:len(b.file)-1], syncproto.CodeBundleTruncated},
		{"changed", append(slices.Clone(b.file[:len(b.file)-1]), b.file[len(b.file)-1]^1), syncproto.CodeBundleDamaged},
		{"nothing", nil, syncproto.CodeBundleTruncated},
		{"another file", bytes.Repeat([]byte("x"), 999), syncproto.CodeBundleForm},
	} {
		if _, _, err := c.admin(n).ImportBundle(t.Context(), row.file); syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if got := n.ledger.Head(); got != head {
		t.Errorf("the head went from %s to %s", head, got)
	}
}

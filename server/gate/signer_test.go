package gate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// nodeKey is a node's key, with its certificate if it has one.
type nodeKey struct {
	key ed25519.PrivateKey
	id  string
	der []byte
}

// certified is a node of the city that the state does not know.
func (b *bench) certified(id string) nodeKey {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	cert, err := b.g.cfg.Node.City.SignNode(pub, id, nil, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return nodeKey{key: key, id: id, der: cert.Raw}
}

// staffChange has staff add a record to union u1.
func (b *bench) staffChange(id byte) {
	b.apply(&entrypb.Staff{Time: 3, Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
		Union: "u1", Kind: 900, Id: bytes.Repeat([]byte{id}, 16), Fields: []*entrypb.FieldValue{{Field: 20, Value: []byte("v")}},
	}}})
}

// TestPageSigned: what staff changed goes out with the signature of the node that answers,
// and with its certificate, once.
func TestPageSigned(t *testing.T) {
	b := newBench(t)
	b.staffChange(1)
	b.staffChange(2)
	q, _, err := b.agent.Ask()
	if err != nil {
		t.Fatal(err)
	}
	p := b.answer(q).GetPage()
	if len(p.GetLog()) != 2 || len(p.GetCertificates()) != 1 || len(p.GetLog()[0].GetSignature()) != 0 {
		t.Fatalf("%d changes, %d certificates", len(p.GetLog()), len(p.GetCertificates()))
	}
	who, err := b.g.certificateOf(p.GetCertificates()[0], tlsid.RoleNode)
	if err != nil || who.ID != string(p.GetLog()[1].GetSigner()) {
		t.Fatalf("certificate of %q: %v", who.ID, err)
	}
	v := b.g.cfg.Ledger.View("u1")
	defer v.Done()
	var last syncproto.Place
	for l, err := range v.Log(0, nil) {
		if err != nil {
			t.Fatal(err)
		}
		last = l.Place
	}
	if err := seal.Verify(who.Key, syncproto.DomainSegment, syncproto.SegmentMessage("u1", last), p.GetLog()[1].GetSignature()); err != nil {
		t.Error(err)
	}
}

// TestSignerOfRun: a run counts on the signature of a device of the union or of a node that
// the city certified, be it by a certificate that is handed back; a staff journal's on a
// node's alone.
func TestSignerOfRun(t *testing.T) {
	b := newBench(t)
	staff, other := ledger.StaffJournal("u1", 0), b.certified("n9")
	now, old := b.certified("n8"), b.certified("n8")
	b.apply(&entrypb.Node{Time: 1, Id: "n8", Certificate: now.der})
	for _, row := range []struct {
		why     string
		journal syncproto.JournalID
		by      nodeKey
		forge   bool
		want    syncproto.Code
	}{
		{"a node that nobody knows", 50, nodeKey{key: other.key, id: "n9"}, false, syncproto.CodeSignerUnknown},
		{"a node whose certificate is handed back", 51, other, false, 0},
		{"the same, forged", 52, other, true, syncproto.CodeSignature},
		{"a listed node, with a key that it had before", 53, old, false, 0},
		{"the same, its certificate not handed back yet", 54, nodeKey{key: old.key, id: old.id}, false, syncproto.CodeSignerUnknown},
		{"the same, forged", 55, old, true, syncproto.CodeSignature},
		{"this device for staff", staff, nodeKey{key: b.agent.Key}, false, syncproto.CodeSignature},
		{"a node for staff", staff, other, false, 0},
	} {
		a := sessiontest.NewAgent("u1", row.journal, b.g.history)
		a.Key = row.by.key
		a.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{7}, Actor: "t", Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}})
		run, _, err := a.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q, _, err := b.agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q.Batch = run.GetBatch()
		q.Batch[0].Journal, q.Batch[0].Signer = uint64(row.journal), []byte(row.by.id)
		if row.forge {
			q.Batch[0].Signature[5] ^= 1
		}
		if row.by.der != nil {
			q.Returned = []*syncpb.Returned{{Certificate: row.by.der}}
		}
		var got syncproto.Code
		if r := b.answer(q); len(r.GetRefused()) > 0 {
			got = syncproto.Code(r.GetRefused()[0].GetCode())
		}
		if got != row.want {
			t.Errorf("%s: code %d, want %d", row.why, got, row.want)
		}
	}
}

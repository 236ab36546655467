package session_test

import (
	"crypto/ed25519"
	"testing"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
)

// TestHeldRunsAreSignedApart: in one run that its device signed at its end alone, what is
// held because of a revocation gets a node's signature of its own kind, also where it begins
// and ends inside the run when the page ends there, so that no run that is handed back mixes
// the two.
func TestHeldRunsAreSignedApart(t *testing.T) {
	c := sessiontest.NewCentre([]byte("history1"))
	c.Hold = func(ch *syncproto.Change) syncproto.HeldReason {
		switch ch.Note {
		case "revoked":
			return syncproto.HeldRevoked
		case "value":
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	a, b := sessiontest.NewAgent("u1", 1, c.History), sessiontest.NewAgent("u1", 2, c.History)
	for i, note := range []string{"", "", "revoked", "revoked", "value", "revoked", ""} {
		a.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{byte(i + 1)}, Note: note, Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}})
	}
	if _, err := a.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sync(c.Exchange); err != nil {
		t.Fatal(err)
	}
	node := c.Key.Public().(ed25519.PublicKey)
	kept := b.AllKept()
	for i, want := range []string{"", syncproto.DomainSegment, "", syncproto.DomainHeldSegment, syncproto.DomainSegment, syncproto.DomainHeldSegment, "device"} {
		p := a.Own()[i].Place
		k, got := kept[p.Dot()], ""
		for _, d := range []string{syncproto.DomainSegment, syncproto.DomainHeldSegment} {
			if seal.Verify(node, d, syncproto.SegmentMessage("u1", p), k.Signature) == nil {
				got = d
			}
		}
		if got == "" && len(k.Signature) > 0 {
			got = "device"
		}
		if got != want {
			t.Errorf("change %d is signed as %q, want %q", i+1, got, want)
		}
	}
}

package gate

import (
	"testing"

	"unionsync/server/ledger/entrypb"
)

// TestContactsKeepComplete: of a device's notes of one second the newest stands, but that
// an exchange came to its end is not undone by the request after it.
func TestContactsKeepComplete(t *testing.T) {
	c := newContacts()
	dev := []byte("device")
	c.note("u1", dev, &entrypb.Contact{Complete: true, Waiting: 0})
	c.note("u1", dev, &entrypb.Contact{Waiting: 3})
	c.note("u2", dev, &entrypb.Contact{Waiting: 1})
	got := c.take()
	if n := got[contactKey{"u1", "device"}]; !n.GetComplete() || n.GetWaiting() != 3 {
		t.Errorf("u1: %v", n)
	}
	if n := got[contactKey{"u2", "device"}]; n.GetComplete() {
		t.Errorf("u2: %v", n)
	}
	if len(c.take()) != 0 {
		t.Error("notes are taken twice")
	}
}

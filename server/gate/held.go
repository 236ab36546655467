package gate

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
)

// heldReasons decides for each change of a segment whether a value in it keeps it from its
// record; nil when none does. What cannot be read, and what depends on the record, is for
// Apply to decide. Rules of a kind never hold a change: they were the agent's to check.
func heldReasons(kinds *kind.Versions, s *session.Segment) []byte {
	var held []byte
	for i, b := range s.Changes {
		c, err := syncproto.DecodeChange(b, s.Journal)
		if err != nil || len(b) == 0 || valuesFit(kinds, c) {
			continue
		}
		if held == nil {
			held = make([]byte, len(s.Changes))
		}
		held[i] = byte(syncproto.HeldValue)
	}
	return held
}

// valuesFit checks that every value is canonical for its field's type, by the kind version
// that the change names: whoever saved it had no other, and newer tables and limits must not
// hold the work of an agent that was away. A kind, a version or a field that is not known
// here is taken as it comes: an agent may be newer. No agent writes version 0; that is
// checked by the version in force.
func valuesFit(kinds *kind.Versions, c *syncproto.Change) bool {
	k, ok := kinds.At(c.Kind, c.KindVersion)
	if c.KindVersion == 0 {
		k, ok = kinds.Newest().ByNumber(c.Kind)
	}
	for i := range c.Edits {
		e := &c.Edits[i]
		switch e.Field {
		case syncproto.FieldVoid:
			if !e.Cleared && !isText(e.Value) {
				return false
			}
		case syncproto.FieldSameAs:
			if !e.Cleared && len(e.Value) != len(syncproto.RecordID{}) {
				return false
			}
		default:
			if f, known := field(k, ok, e.Field); known && !editFits(f, e) {
				return false
			}
		}
	}
	return true
}

func field(k *kind.Kind, ok bool, n syncproto.FieldNumber) (*kind.Field, bool) {
	if !ok {
		return nil, false
	}
	return k.FieldByNumber(n)
}

// editFits checks one edit. The elements of a set travel one by one.
func editFits(f *kind.Field, e *syncproto.Edit) bool {
	if e.Cleared {
		return true
	}
	if f.Type != kind.TypeSet {
		return !e.IsSet() && f.Valid(e.Value) == nil
	}
	for _, a := range e.Add {
		if f.ValidElement(a) != nil {
			return false
		}
	}
	return e.IsSet()
}

// isText reports text in canonical form.
func isText(b []byte) bool {
	return len(b) > 0 && utf8.Valid(b) && norm.NFC.IsNormal(b)
}

package gate

import (
	"testing"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
)

// TestHeldReasons: one byte a change, and none at all when all is well.
func TestHeldReasons(t *testing.T) {
	kinds := kind.Embedded()
	k, ok := kinds.Kind("member")
	if !ok {
		t.Fatal("no members")
	}
	birth, _ := k.Field("birth")
	encode := func(f syncproto.FieldNumber, e syncproto.Edit) []byte {
		e.Field = f
		c := syncproto.Change{Union: "u", Kind: k.Number, KindVersion: k.Version, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{e}}
		return c.Encode(1)
	}
	good := encode(birth.Number, syncproto.Edit{Value: []byte("1990-01-31")})
	bad := encode(birth.Number, syncproto.Edit{Value: []byte("31.1.1990")})
	set := encode(birth.Number, syncproto.Edit{Add: [][]byte{[]byte("1990-01-31")}})
	void := encode(syncproto.FieldVoid, syncproto.Edit{Value: []byte{0xff}})
	unvoid := encode(syncproto.FieldVoid, syncproto.Edit{Cleared: true})
	if held := heldReasons(kind.VersionsOf(kinds), &session.Segment{Journal: 1, Changes: [][]byte{good, unvoid}}); held != nil {
		t.Fatalf("%v", held)
	}
	held := heldReasons(kind.VersionsOf(kinds), &session.Segment{Journal: 1, Changes: [][]byte{good, bad, {1, 2, 3}, nil, set, void, good}})
	const v = byte(syncproto.HeldValue)
	if want := []byte{0, v, 0, 0, v, v, 0}; string(held) != string(want) {
		t.Fatalf("%v, want %v", held, want) // what cannot be read is for Apply to decide
	}
}

// TestSetsTravelByElement: every set of every kind takes its elements one by one.
func TestSetsTravelByElement(t *testing.T) {
	for _, k := range kind.Embedded().All() {
		for _, f := range k.Fields {
			if f.Type != kind.TypeSet {
				continue
			}
			if editFits(f, &syncproto.Edit{Field: f.Number, Value: []byte("x")}) {
				t.Errorf("%s.%s takes a value", k.Name, f.Name)
			}
			if editFits(f, &syncproto.Edit{Field: f.Number, Add: [][]byte{{0xff}}}) {
				t.Errorf("%s.%s takes an element that is no text", k.Name, f.Name)
			}
			if !editFits(f, &syncproto.Edit{Field: f.Number, Remove: []syncproto.ElementDots{{Element: []byte("x")}}}) {
				t.Errorf("%s.%s refuses that an element goes", k.Name, f.Name)
			}
		}
	}
}

// FuzzValuesFit: what no agent of ours wrote must not stop the leader.
func FuzzValuesFit(f *testing.F) {
	c := syncproto.Change{Union: "u", Kind: 2, KindVersion: 1, ID: syncproto.RecordID{1},
		Edits: []syncproto.Edit{{Field: 12, Value: []byte("330102199001011234")}}}
	f.Add(c.Encode(1))
	kinds := kind.Embedded()
	f.Fuzz(func(_ *testing.T, b []byte) {
		heldReasons(kind.VersionsOf(kinds), &session.Segment{Journal: 1, Changes: [][]byte{b}})
	})
}

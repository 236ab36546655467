package syncproto

import (
	"encoding/hex"
	"testing"
)

// TestRevocationMessage: the bytes that the CA signs are permanent, and every part of a
// revocation is under the signature.
func TestRevocationMessage(t *testing.T) {
	base := func() *Revocation {
		return &Revocation{
			Device: []byte{1, 2}, Union: "u1", Places: []Place{{Journal: 5, Seq: 2, Hash: Hash{0xaa, 31: 0xbb}}},
			Time: 7, Operator: "op", Reason: "lost",
		}
	}
	const want = "000000020102" + "000000027531" + "00000001" + "0000000000000005" + "0000000000000002" +
		"aa000000000000000000000000000000000000000000000000000000000000bb" + "0000000000000007" + "000000026f70" + "000000046c6f7374"
	if got := hex.EncodeToString(base().Message()); got != want {
		t.Errorf("message\n%s, want\n%s", got, want)
	}
	for what, change := range map[string]func(*Revocation){
		"device": func(r *Revocation) { r.Device[0]++ }, "union": func(r *Revocation) { r.Union = "u2" },
		"journal": func(r *Revocation) { r.Places[0].Journal++ }, "seq": func(r *Revocation) { r.Places[0].Seq++ },
		"hash": func(r *Revocation) { r.Places[0].Hash[31]++ }, "number of places": func(r *Revocation) { r.Places = nil },
		"time": func(r *Revocation) { r.Time++ }, "operator": func(r *Revocation) { r.Operator = "o" },
		"reason": func(r *Revocation) { r.Reason = "" }, "where a word ends": func(r *Revocation) { r.Operator, r.Reason = "opl", "ost" },
	} {
		r := base()
		change(r)
		if hex.EncodeToString(r.Message()) == want {
			t.Errorf("%s is not under the signature", what)
		}
	}
}

func TestRevocationCheck(t *testing.T) {
	ok := Revocation{Device: []byte{1}, Union: "u1"}
	for _, row := range []struct {
		why    string
		change func(*Revocation)
		good   bool
	}{
		{"a device that signed nothing", func(*Revocation) {}, true},
		{"no device", func(r *Revocation) { r.Device = nil }, false},
		{"no union", func(r *Revocation) { r.Union = "" }, false},
		{"a union code that no key has room for", func(r *Revocation) { r.Union = string(make([]byte, MaxUnionCode+1)) }, false},
		{"a place of no journal", func(r *Revocation) { r.Places = []Place{{Seq: 1}} }, false},
		{"a place before the beginning", func(r *Revocation) { r.Places = []Place{{Journal: 1}} }, false},
		{"more places than an entry has room for", func(r *Revocation) { r.Places = make([]Place, MaxRevokedPlaces+1) }, false},
	} {
		r := ok
		row.change(&r)
		if err := r.Check(); (err == nil) != row.good {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

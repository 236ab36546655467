package seal

import (
	"bytes"
	"errors"
	"testing"
)

func TestEscrow(t *testing.T) {
	key := testKey(3)
	to, err := Recipient(key)
	if err != nil {
		t.Fatal(err)
	}
	box, err := SealFor(to, []byte("data key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenFor(key, box); err != nil || string(got) != "data key" {
		t.Errorf("%q, %v", got, err)
	}
	flipped := bytes.Clone(box)
	flipped[len(flipped)-1] ^= 1
	for why, row := range map[string]struct {
		key *[32]byte
		box []byte
	}{
		"another key":   {testKey(4), box},
		"cut off":       {key, box[:len(box)-1]},
		"a bit flipped": {key, flipped},
		"nothing":       {key, nil},
		"another file":  {key, []byte("hello")},
	} {
		if got, err := OpenFor(row.key, row.box); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: %q, %v", why, got, err)
		}
	}
	if box, err := SealFor("age1nobody", []byte("x")); err == nil {
		t.Errorf("sealed for nobody: %x", box)
	}
}

// TestBech32 checks against the vectors of BIP 173 that carry whole bytes.
func TestBech32(t *testing.T) {
	for _, row := range []struct{ human, want string }{
		{"a", "a12uel5l"},
		{"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
			"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs"},
	} {
		if got := bech32(row.human, nil); got != row.want {
			t.Errorf("%s, want %s", got, row.want)
		}
	}
}

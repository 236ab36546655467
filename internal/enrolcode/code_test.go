package enrolcode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

func sample(t testing.TB) Code {
	t.Helper()
	c, err := NewCode(strings.NewReader("\x00\xffk0Z"), sha256.Sum256([]byte("a city's CA")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCodeForm(t *testing.T) {
	s := sample(t).String()
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		t.Fatalf("%s has %d groups", s, len(groups))
	}
	for _, g := range groups {
		if len(g) != 5 {
			t.Errorf("group %s of %s", g, s)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), CABytes+SecretBytes, CABytes+SecretBytes).Draw(t, "raw")
		c := Code{CA: [CABytes]byte(raw[:CABytes]), Secret: [SecretBytes]byte(raw[CABytes:])}
		got, err := ParseCode(c.String())
		if err != nil || got != c {
			t.Fatalf("%s: got %x, %v; want %x", c, got, err, c)
		}
	})
}

func TestParseForgives(t *testing.T) {
	c := sample(t)
	s := c.String()
	wide := strings.Map(func(r rune) rune { return r + '！' - '!' }, s)
	letters := strings.NewReplacer("0", "O", "1", "l").Replace(s)
	for _, row := range []struct{ why, typed string }{
		{"as printed", s},
		{"in one piece", strings.ReplaceAll(s, "-", "")},
		{"lower case", strings.ToLower(s)},
		{"blanks for dashes, around it too", "  " + strings.ReplaceAll(s, "-", " ") + "\r\n"},
		{"an input method left in full-width mode", wide},
		{"a dash that a word processor made long", strings.ReplaceAll(s, "-", "—")},
		{"letters that look like digits", letters},
		{"the same in the other case", strings.NewReplacer("O", "o", "l", "I").Replace(letters)},
		{"with a byte order mark from a file", "\ufeff" + s},
		{"an ideographic blank", strings.ReplaceAll(s, "-", "\u3000")},
	} {
		if got, err := ParseCode(row.typed); err != nil || got != c {
			t.Errorf("%s: %q gave %x, %v", row.why, row.typed, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	s := sample(t).String()
	for _, row := range []struct {
		why, typed string
		want       *syncproto.Error
	}{
		{"nothing", "", syncproto.Fail(syncproto.CodeEnrolLength, "read enrolment code", nil, "count", "0", "want", "25")},
		{"the last group forgotten", s[:23], syncproto.Fail(syncproto.CodeEnrolLength, "read enrolment code", nil, "count", "20", "want", "25")},
		{"a character twice", s + "A", syncproto.Fail(syncproto.CodeEnrolLength, "read enrolment code", nil, "count", "26", "want", "25")},
		{"a letter that is in no code", "AAAAA-AU", syncproto.Fail(syncproto.CodeEnrolCharacter, "read enrolment code", nil, "character", "U", "group", "2", "place", "2")},
		{"Chinese text", "注册", syncproto.Fail(syncproto.CodeEnrolCharacter, "read enrolment code", nil, "character", "注", "group", "1", "place", "1")},
		{"a letter whose upper case is ASCII in another script's clothes", "Ａ\u212a", nil},
	} {
		_, err := ParseCode(row.typed)
		var got *syncproto.Error
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", row.why, err)
			continue
		}
		if row.want != nil {
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", row.why, diff)
			}
		}
	}
}

// TestChecksumNotices: every code with one character changed, and every code with two
// characters swapped, is refused before anything goes over the network.
func TestChecksumNotices(t *testing.T) {
	plain := strings.ReplaceAll(sample(t).String(), "-", "")
	refused := func(why string, b []byte) {
		if _, err := ParseCode(string(b)); syncproto.CodeOf(err) != syncproto.CodeEnrolChecksum {
			t.Errorf("%s: %s: %v", why, b, err)
		}
	}
	for i := range plain {
		for _, r := range []byte(alphabet) {
			if b := []byte(plain); b[i] != r {
				b[i] = r
				refused(fmt.Sprintf("character %d changed", i), b)
			}
		}
		for j := range i {
			if b := []byte(plain); b[i] != b[j] {
				b[i], b[j] = b[j], b[i]
				refused(fmt.Sprintf("characters %d and %d swapped", j, i), b)
			}
		}
	}
}

func TestMatchesCA(t *testing.T) {
	c := sample(t)
	fp := sha256.Sum256([]byte("a city's CA"))
	if !c.MatchesCA(fp) {
		t.Error("its own CA does not match")
	}
	fp[CABytes-1] ^= 1
	if c.MatchesCA(fp) {
		t.Error("another CA matches")
	}
}

func TestHashDependsOnEverything(t *testing.T) {
	c, key := sample(t), [32]byte{1}
	want := c.Hash(&key)
	other := c
	other.Secret[4] ^= 1
	elsewhere := c
	elsewhere.CA[0] ^= 1
	for why, got := range map[string][32]byte{
		"another secret": other.Hash(&key),
		"another CA":     elsewhere.Hash(&key),
		"another key":    c.Hash(&[32]byte{2}),
	} {
		if got == want {
			t.Errorf("%s gives the same hash", why)
		}
	}
	if c.Hash(&key) != want {
		t.Error("the hash is not stable")
	}
}

func TestNoRandomness(t *testing.T) {
	if c, err := NewCode(strings.NewReader("1234"), [32]byte{}); err == nil {
		t.Errorf("made %x of four random bytes", c.Secret)
	}
}

// TestCodeStaysOutOfLogs: a code in a log would be a way in for whoever reads the log.
func TestCodeStaysOutOfLogs(t *testing.T) {
	var log bytes.Buffer
	c := sample(t)
	slog.New(slog.NewTextHandler(&log, nil)).Info("enrolled", "code", c)
	if strings.Contains(log.String(), c.String()[:5]) {
		t.Errorf("the code is in the log: %s", &log)
	}
}

// TestGolden states codes that must be readable for ever: some are on paper.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/v1.golden")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	key := [32]byte{7}
	for _, c := range []Code{
		{},
		sample(t),
		{CA: [CABytes]byte(bytes.Repeat([]byte{0xff}, CABytes)), Secret: [SecretBytes]byte(bytes.Repeat([]byte{0xff}, SecretBytes))},
		{CA: [CABytes]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23}, Secret: [SecretBytes]byte{1, 2, 3, 4, 5}},
	} {
		hash := c.Hash(&key)
		fmt.Fprintf(&got, "%x %x %s %s\n", c.CA, c.Secret, c, hex.EncodeToString(hash[:]))
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("form changed (-want +got):\n%s", diff)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add(sample(f).String())
	f.Add("o1lI-abcde")
	f.Add("ＡＢＣ１２ 注册")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCode(s)
		if err != nil {
			return
		}
		if again, err := ParseCode(c.String()); err != nil || again != c {
			t.Fatalf("%q was read as %s, which is read as %x, %v", s, c, again, err)
		}
	})
}

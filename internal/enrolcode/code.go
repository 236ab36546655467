package enrolcode

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"unionsync/syncproto"
)

// Sizes of a code's parts.
const (
	CABytes     = 10 // of the CA's fingerprint
	SecretBytes = 5
	Length      = 25 // characters without dashes
	groupLength = 5
)

// alphabet is Crockford's base 32: no I, L, O (read as 1, 1, 0) and no U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Code is a one-time enrolment code. It is a secret: [Code.String] is for the person who
// asked for it, never for a log.
type Code struct {
	CA     [CABytes]byte // the beginning of SHA-256 over the CA's certificate
	Secret [SecretBytes]byte
}

// NewCode draws a code for the centre whose CA has this SHA-256 fingerprint.
func NewCode(rand io.Reader, caFingerprint [sha256.Size]byte) (Code, error) {
	c := Code{CA: [CABytes]byte(caFingerprint[:CABytes])}
	if _, err := io.ReadFull(rand, c.Secret[:]); err != nil {
		return Code{}, fmt.Errorf("draw enrolment code: %w", err)
	}
	return c, nil
}

// String gives the code as a person reads it: five groups of five with dashes.
func (c Code) String() string {
	symbols := c.symbols()
	var b strings.Builder
	for i, s := range symbols {
		if i > 0 && i%groupLength == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[s])
	}
	return b.String()
}

// LogValue keeps the code out of logs.
func (c Code) LogValue() slog.Value { return slog.StringValue("[enrolment code]") }

// MatchesCA says whether the code was made by the centre with this CA fingerprint.
func (c Code) MatchesCA(fingerprint [sha256.Size]byte) bool {
	return hmac.Equal(c.CA[:], fingerprint[:CABytes])
}

// Hash is what the centre keeps of a code, and looks it up by. It is an HMAC under a key
// sealed in the city's secrets and not a plain hash, because 40 secret bits are not enough
// against somebody who reads the state in a backup and tries all of them at home; without
// the key there is nothing to try against. Against guessing through the front door the
// centre limits attempts, and a code lives for days and works once. 40 bits then mean one
// chance in 10^9 for a thousand guesses at one open code.
func (c Code) Hash(key *[32]byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("unionsync enrolment code v1"))
	mac.Write(c.CA[:])
	mac.Write(c.Secret[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

// ParseCode reads a typed code. It forgives lower case, full-width characters of an input
// method, O for 0, I and L for 1, and any spaces and dashes. Whatever else is wrong is told
// here, before anything is sent: [syncproto.CodeEnrolLength], [syncproto.CodeEnrolCharacter]
// and [syncproto.CodeEnrolChecksum].
func ParseCode(s string) (Code, error) {
	symbols := make([]byte, 0, Length)
	for _, r := range s {
		if isSeparator(r) {
			continue
		}
		v := symbolOf(r)
		if v < 0 {
			return Code{}, characterError(r, len(symbols))
		}
		symbols = append(symbols, byte(v))
	}
	if len(symbols) != Length {
		return Code{}, syncproto.Fail(syncproto.CodeEnrolLength, "read enrolment code", nil,
			"count", fmt.Sprint(len(symbols)), "want", fmt.Sprint(Length))
	}
	if checksum(symbols[:Length-1]) != symbols[Length-1] {
		return Code{}, syncproto.Fail(syncproto.CodeEnrolChecksum, "read enrolment code", nil)
	}
	return fromSymbols(symbols), nil
}

func characterError(r rune, at int) error {
	return syncproto.Fail(syncproto.CodeEnrolCharacter, "read enrolment code", nil,
		"character", string(r), "group", fmt.Sprint(at/groupLength+1), "place", fmt.Sprint(at%groupLength+1))
}

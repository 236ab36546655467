package agent

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// moveSecret is what seals a move: 120 random bits. The stick holds the PC's key and all its
// members; whoever finds it must not be able to try codes.
type moveSecret [15]byte

// moveAlphabet is Crockford's base 32: no I, L, O (read as 1, 1, 0) and no U.
const moveAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var moveEncoding = base32.NewEncoding(moveAlphabet).WithPadding(base32.NoPadding)

func newMoveSecret(rand io.Reader) (s moveSecret, err error) {
	if _, err := io.ReadFull(rand, s[:]); err != nil {
		return s, fmt.Errorf("draw code of move: %w", err)
	}
	return s, nil
}

// code gives the secret as a person types it: five groups of five, the last sign checks.
func (s moveSecret) code() string {
	text := moveEncoding.EncodeToString(s[:]) + string(s.check())
	groups := make([]string, 0, 5)
	for ; len(text) > 0; text = text[5:] {
		groups = append(groups, text[:5])
	}
	return strings.Join(groups, "-")
}

func (s moveSecret) check() byte {
	sum := sha256.Sum256(s[:])
	return moveAlphabet[sum[0]&31]
}

// parseMoveCode reads a typed code; it forgives lower case, O for 0, I and L for 1, blanks
// and dashes.
func parseMoveCode(text string) (s moveSecret, err error) {
	bad := func(err error) (moveSecret, error) {
		return moveSecret{}, syncproto.Fail(syncproto.CodeMoveCode, "read code of move", err)
	}
	text = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(text))
	if len(text) != 25 {
		return bad(fmt.Errorf("%d signs", len(text)))
	}
	b, err := moveEncoding.DecodeString(text[:24])
	if err != nil || len(b) != len(s) {
		return bad(err)
	}
	if copy(s[:], b); s.check() != text[24] {
		return bad(errors.New("the last sign does not fit"))
	}
	return s, nil
}

func (s moveSecret) key() *[seal.KeySize]byte { return seal.Derive(s[:], "unionsync move v1") }

// id tells whether a file was sealed with this secret, and nothing of it.
func (s moveSecret) id() string {
	sum := sha256.Sum256(s.key()[:])
	return fmt.Sprintf("%x", sum[:4])
}

// name of the file: another code has another.
func (s moveSecret) name() string { return "unionsync-move-" + s.id() + ".move" }

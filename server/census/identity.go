package census

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"unionsync/internal/cnid"
	"unionsync/syncproto"
)

// personKey names a person: the first half of an HMAC-SHA-256. No document number is kept.
type personKey [16]byte

// identities makes person keys. It is not safe for concurrent use.
type identities struct {
	mac     hash.Hash
	citizen map[string]bool // document types whose numbers GB 11643 checks
	sum     []byte
}

// What is hashed begins with one of these, so that a number never meets a record.
const (
	keyOfDocument = 1
	keyOfRecord   = 2
)

func newIdentities(key []byte, citizen []string) *identities {
	ids := &identities{mac: hmac.New(sha256.New, key), citizen: map[string]bool{}}
	for _, t := range citizen {
		ids.citizen[t] = true
	}
	return ids
}

// key gives the person of a member record: whoever has the same document. A record without
// a usable number is a person of its own.
func (ids *identities) key(union string, id syncproto.RecordID, docType, number string) personKey {
	if n, ok := ids.normal(docType, number); ok {
		return ids.hash([]byte{keyOfDocument}, []byte(docType), []byte{0}, []byte(n))
	}
	return ids.hash([]byte{keyOfRecord}, []byte(union), []byte{0}, id[:])
}

func (ids *identities) hash(parts ...[]byte) personKey {
	ids.mac.Reset()
	for _, p := range parts {
		ids.mac.Write(p) // a hash's Write never fails
	}
	ids.sum = ids.mac.Sum(ids.sum[:0])
	return personKey(ids.sum[:16])
}

// normal gives the one form of a document's number. A citizen's number has 18 characters
// and a right check digit: a wrong one could stand for many people, as 000000000000000000
// does. Of other documents' numbers letters and digits count, with at least minDigits
// digits that are not all the same.
func (ids *identities) normal(docType, number string) (string, bool) {
	n := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, norm.NFKC.String(number))
	if !ids.citizen[docType] {
		return n, usable(n)
	}
	if long, ok := cnid.FromOld(n); ok {
		n = long
	}
	return n, cnid.CheckCitizen(n) == nil
}

const minDigits = 4

func usable(n string) bool {
	digits, first, differ := 0, rune(-1), false
	for _, r := range n {
		if unicode.IsDigit(r) {
			digits++
			differ = differ || first >= 0 && r != first
			first = r
		}
	}
	return digits >= minDigits && differ
}

package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"unionsync/syncproto"
)

// Kind says which way a bundle goes. Numbers and words are permanent.
type Kind uint8

// The kinds.
const (
	KindRequest Kind = 1 // from a device to the centre
	KindAnswer  Kind = 2 // from a node of the centre to the device that asked
)

// String gives the kind's word, as it stands in the head.
func (k Kind) String() string {
	switch k {
	case KindRequest:
		return "request"
	case KindAnswer:
		return "answer"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ID names a request bundle and the answers to it: 8 random bytes of the device.
type ID [8]byte

// String gives the id as 16 hexadecimal digits.
func (i ID) String() string { return hex.EncodeToString(i[:]) }

// City names a centre's history: the first bytes of the SHA-256 over its CA's certificate.
type City [syncproto.HistorySize]byte

// Device is a device's id.
type Device [16]byte

// String gives the id as certificates have it.
func (d Device) String() string { return hex.EncodeToString(d[:]) }

// Head is what stands outside the seal: only what a carrier needs.
type Head struct {
	Kind   Kind
	ID     ID
	City   City
	Device Device // of an answer: for whom it is; zero for a request
	Size   int    // bytes of the sealed part
	Sum    [sha256.Size]byte
}

// Version is the only version of a bundle there is.
const Version = 1

// MaxFileBytes is the largest bundle that is read or written.
const MaxFileBytes = 64 << 20

// The head is text of fixed length, so that a person sees what a file is and a program
// where it ends. The checksum is SHA-256 over the head before its own line and the sealed
// part.
const (
	magic     = "unionsync bundle "
	headLines = magic + "%d\nkind %-8s\nid %x\ncity %x\nto %-32s\nsize %08d\n"
	sumLine   = "sha256 %x\n\n"
	toCentre  = "centre"
)

// HeadSize is the length of a head.
var HeadSize = len(new(Head).lines()) + len(fmt.Sprintf(sumLine, [sha256.Size]byte{}))

func (h *Head) lines() string {
	to := toCentre
	if h.Kind == KindAnswer {
		to = h.Device.String()
	}
	return fmt.Sprintf(headLines, Version, h.Kind, h.ID[:], h.City[:], to, h.Size)
}

// EncodeFile puts a head before a sealed payload; size and checksum are filled in. It fails
// with [syncproto.CodeBundleTooLarge].
func EncodeFile(h Head, sealed []byte) ([]byte, error) {
	if HeadSize+len(sealed) > MaxFileBytes {
		return nil, syncproto.Fail(syncproto.CodeBundleTooLarge, "write bundle", fmt.Errorf("%d bytes", len(sealed)))
	}
	h.Size = len(sealed)
	lines := h.lines()
	h.Sum = checksum(lines, sealed)
	out := make([]byte, 0, HeadSize+len(sealed))
	out = append(out, lines...)
	out = fmt.Appendf(out, sumLine, h.Sum)
	return append(out, sealed...), nil
}

func checksum(lines string, sealed []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(lines))
	h.Write(sealed)
	h.Sum(sum[:0])
	return sum
}

// DecodeFile takes a file apart. It names what is wrong with one: not a bundle, of another
// version, cut short, damaged, too large. sealed is a part of file.
func DecodeFile(file []byte) (h Head, sealed []byte, err error) {
	const op = "read bundle"
	if err := checkMagic(file); err != nil {
		return h, nil, err
	}
	if len(file) > MaxFileBytes {
		return h, nil, syncproto.Fail(syncproto.CodeBundleTooLarge, op, fmt.Errorf("%d bytes", len(file)))
	}
	if len(file) < HeadSize {
		return h, nil, syncproto.Fail(syncproto.CodeBundleTruncated, op, errors.New("the head is cut"))
	}
	if h, err = parseHead(file[:HeadSize]); err != nil {
		return h, nil, syncproto.Fail(syncproto.CodeBundleDamaged, op, err)
	}
	sealed = file[HeadSize:]
	switch {
	case len(sealed) < h.Size:
		return h, nil, syncproto.Fail(syncproto.CodeBundleTruncated, op, fmt.Errorf("%d bytes of %d", len(sealed), h.Size))
	case len(sealed) > h.Size:
		return h, nil, syncproto.Fail(syncproto.CodeBundleDamaged, op, errors.New("bytes behind the end"))
	case checksum(h.lines(), sealed) != h.Sum:
		return h, nil, syncproto.Fail(syncproto.CodeBundleDamaged, op, errors.New("the checksum is wrong"))
	}
	return h, sealed, nil
}

// checkMagic reads the first line.
func checkMagic(file []byte) error {
	const op = "read bundle"
	if n := min(len(file), len(magic)); string(file[:n]) != magic[:n] {
		return syncproto.Fail(syncproto.CodeBundleForm, op, nil)
	}
	rest := file[min(len(file), len(magic)):]
	line, _, whole := bytes.Cut(rest[:min(len(rest), 8)], []byte("\n"))
	switch {
	case !whole && len(rest) < 8:
		return syncproto.Fail(syncproto.CodeBundleTruncated, op, errors.New("the first line is cut"))
	case string(line) != strconv.Itoa(Version):
		return syncproto.Fail(syncproto.CodeBundleVersion, op, fmt.Errorf("version %q", line))
	}
	return nil
}

// parseHead reads a head of the right length; one that would not be written like this is
// refused.
func parseHead(text []byte) (h Head, err error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) != 9 {
		return h, fmt.Errorf("%d lines", len(lines))
	}
	value := func(i int, name string) string {
		v, ok := strings.CutPrefix(lines[i], name+" ")
		if !ok && err == nil {
			err = fmt.Errorf("no line %q", name)
		}
		return strings.TrimRight(v, " ")
	}
	digits := func(i int, name string, into []byte) {
		b, bad := hex.DecodeString(value(i, name))
		if (bad != nil || len(b) != len(into)) && err == nil {
			err = fmt.Errorf("line %q is malformed", name)
		}
		copy(into, b)
	}
	if h.Kind = KindRequest; value(1, "kind") == KindAnswer.String() {
		h.Kind = KindAnswer
		digits(4, "to", h.Device[:])
	}
	digits(2, "id", h.ID[:])
	digits(3, "city", h.City[:])
	digits(6, "sha256", h.Sum[:])
	size, bad := strconv.ParseUint(value(5, "size"), 10, 31)
	if h.Size = int(size); bad != nil && err == nil {
		err = errors.New("the size is malformed")
	}
	if err == nil && h.lines()+fmt.Sprintf(sumLine, h.Sum) != string(text) {
		err = errors.New("it is not written as a head is")
	}
	return h, err
}

// Name is what a bundle's file is called: the same content has the same name, another one
// has another.
func (h *Head) Name() string {
	return fmt.Sprintf("unionsync-%s-%s-%x%s", h.Kind, h.ID, h.Sum[:4], Suffix)
}

// Suffix ends the name of every bundle's file.
const Suffix = ".bundle"

package archive

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
)

// A note is a small text that a node of the city has signed: four lines, of which the
// signature covers the first two.
//
//	unionsync <kind> 1
//	<one line of JSON>
//	certificate <base64 of the node's certificate>
//	signature <base64 of what seal.Sign gives in the domain "unionsync archive <kind> v1">
//
// Fields that a later version adds to the JSON are kept by nobody and hurt nobody; a first
// line that is not as above is refused.
const (
	noteHead = "unionsync %s 1"
	noteKey  = "certificate "
	noteSign = "signature "
)

// Kinds of notes. Permanent.
const (
	noteBackup    = "backup"
	noteSegment   = "log segment"
	noteTip       = "log tip"
	noteWatermark = "watermark"
)

var errNote = errors.New("it is no note of a form known here, or it was changed")

func domainOf(kind string) string { return "unionsync archive " + kind + " v1" }

// signNote makes a note of v.
func signNote(own tlsid.Own, kind string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", kind, err)
	}
	text := fmt.Appendf(nil, noteHead+"\n%s\n", kind, body)
	sig := seal.Sign(own.Key, domainOf(kind), text)
	return fmt.Appendf(text, "%s%s\n%s%s\n", noteKey, base64.StdEncoding.EncodeToString(own.Cert.Raw),
		noteSign, base64.StdEncoding.EncodeToString(sig)), nil
}

// openNote checks that a node of ca's city has signed a note, and reads it into v.
func openNote(ca *x509.Certificate, kind string, note []byte, v any) error {
	text, cert, sig, err := splitNote(kind, note)
	if err != nil {
		return err
	}
	signer, err := x509.ParseCertificate(cert)
	if err != nil {
		return fmt.Errorf("%w: %w", errNote, err)
	}
	id, err := tlsid.Verify(signer, ca, tlsid.RoleNode)
	if err != nil {
		return err
	}
	if err := seal.Verify(id.Key, domainOf(kind), text, sig); err != nil {
		return err
	}
	_, body, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errNote, err)
	}
	return nil
}

// splitNote gives what is signed, the certificate and the signature.
func splitNote(kind string, note []byte) (text, cert, sig []byte, err error) {
	lines := strings.SplitAfter(string(note), "\n")
	if len(lines) != 5 || lines[4] != "" || lines[0] != fmt.Sprintf(noteHead, kind)+"\n" {
		return nil, nil, nil, errNote
	}
	for _, f := range []struct {
		line, prefix string
		to           *[]byte
	}{{lines[2], noteKey, &cert}, {lines[3], noteSign, &sig}} {
		digits, ok := strings.CutPrefix(f.line, f.prefix)
		if !ok {
			return nil, nil, nil, errNote
		}
		if *f.to, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(digits, "\n")); err != nil {
			return nil, nil, nil, fmt.Errorf("%w: %w", errNote, err)
		}
	}
	return []byte(lines[0] + lines[1]), cert, sig, nil
}

// peekNote reads a note that nobody has checked: to find out who could check it.
func peekNote(kind string, note []byte, v any) error {
	text, _, _, err := splitNote(kind, note)
	if err != nil {
		return err
	}
	_, body, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errNote, err)
	}
	return nil
}

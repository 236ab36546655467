package tlsid

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"unionsync/syncproto"
)

// remoteRefusals are the texts of the TLS alerts by which a server says that it does not
// take the certificate shown, or wants one (RFC 8446, section 6). The alert's own type is
// not exported; these texts come from the same table in crypto/tls.
var remoteRefusals = func() []string {
	var texts []string
	for _, alert := range []tls.AlertError{42, 43, 44, 45, 46, 48, 116} {
		texts = append(texts, alert.Error())
	}
	return texts
}()

// Explain gives an error with a code for a connection that failed because one end did not
// take the other's certificate; any other error is returned as it is. A clerk then reads
// what to do instead of "remote error: tls: bad certificate".
func Explain(err error) error {
	var coded *syncproto.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil &&
		slices.Contains(remoteRefusals, op.Err.Error()) {
		return syncproto.Fail(syncproto.CodeCertRefused, "connect", err)
	}
	return err
}

package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
)

var errNoAddress = errors.New("no address of the centre is known")

// dialError is a failure before anything of a request left.
type dialError struct{ err error }

func (e dialError) Error() string { return "connect: " + e.err.Error() }
func (e dialError) Unwrap() error { return e.err }

// handshakeError is a failure of a line that a node had taken, before both knew each other.
type handshakeError struct{ err error }

func (e handshakeError) Error() string { return "handshake: " + e.err.Error() }
func (e handshakeError) Unwrap() error { return e.err }

// brokeOff reports whether the line was cut in a handshake. One in which nothing came is not
// meant: there the node may hang.
func brokeOff(err error) bool {
	var h handshakeError
	var wait net.Error
	return errors.As(err, &h) && isCut(h.err) && !(errors.As(h.err, &wait) && wait.Timeout())
}

// lineError is a failure of a line that had been made, before an answer came.
type lineError struct{ err error }

func (e lineError) Error() string { return "line broke: " + e.err.Error() }
func (e lineError) Unwrap() error { return e.err }

// explain gives an error of a call the code that a person reads. Errors of the caller's own
// context were looked at before.
func explain(op string, err error) error {
	coded := wire.Decode(op, err)
	code := syncproto.CodeOf(coded)
	if code == syncproto.CodeTooSlow { // less goes with the next round, as after any cut
		return syncproto.Fail(syncproto.CodeCut, op, coded)
	}
	if code != syncproto.CodeUnreachable && !errors.Is(coded, context.DeadlineExceeded) && !errors.Is(coded, context.Canceled) {
		return coded
	}
	var dial dialError
	switch {
	case errors.As(err, &dial):
		return syncproto.Fail(syncproto.CodeUnreachable, op, err)
	case isCut(err):
		return syncproto.Fail(syncproto.CodeCut, op, err)
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return syncproto.Fail(syncproto.CodeUnreachable, op, err)
	}
	return syncproto.Fail(syncproto.CodeAnswer, op, err)
}

// isCut reports whether a line broke that had been made, before an answer or inside one.
func isCut(err error) bool {
	var line lineError
	var part *net.OpError
	return errors.As(err, &line) || errors.As(err, &part) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// gravity orders the errors for which another node may do better: the one with the highest
// number tells most about why none answered.
var gravity = map[syncproto.Code]int{
	syncproto.CodeUnreachable: 1,
	syncproto.CodeProxy:       2,
	syncproto.CodeInternal:    2,
	syncproto.CodeNodeStopped: 2,
	syncproto.CodeNotLeader:   3,
	syncproto.CodeNoLeader:    3,
	syncproto.CodeNotReady:    3,
	// The outcome of what was sent is open: the same request is answered with what became
	// of it.
	syncproto.CodeUnknownOutcome: 3,
	syncproto.CodeBusy:           4,
	syncproto.CodeMemoryFull:     4,
	// One node of another city, or with a broken certificate, does not speak for the centre;
	// if it is the only one that answers, it must be told.
	syncproto.CodeWrongCentre: 5,
	syncproto.CodeWrongRole:   5,
	syncproto.CodeCertificate: 5,
}

// elsewhere reports whether another node may do better.
func elsewhere(err error) bool { return gravity[syncproto.CodeOf(err)] > 0 }

func graver(a, b error) error {
	if a == nil || gravity[syncproto.CodeOf(b)] > gravity[syncproto.CodeOf(a)] {
		return b
	}
	return a
}

// Address checks an address of the centre as a person types it, https:// added where it is
// missing, and gives its one form: scheme, host and port, nothing behind.
func Address(s string) (string, error) {
	text := strings.TrimSpace(s)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", badAddress(s, errors.New("not a URL"))
	case u.Scheme != "https":
		return "", badAddress(s, fmt.Errorf("scheme %q, want https", u.Scheme))
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return "", badAddress(s, errors.New("want a host and a port, nothing else"))
	}
	return "https://" + strings.ToLower(u.Host), nil
}

func badAddress(s string, err error) error {
	return syncproto.Fail(syncproto.CodeAddress, "read address", err, "address", s)
}

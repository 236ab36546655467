package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// Headers of an answer that is an error. Permanent.
const (
	HeaderCode  = "Unionsync-Code" // the code's number
	HeaderArgs  = "Unionsync-Args" // what fills the code's sentence, as a URL's query
	HeaderRetry = "Retry-After"    // seconds after which to come again
	headerLimit = 1 << 10          // bytes of arguments that are sent or read
)

// Encode turns an error into what the other end gets: the code and its arguments. The text
// of the cause stays here; an error without a code is an internal one.
func Encode(err error) error {
	if err == nil {
		return nil
	}
	code, args := syncproto.CodeOf(err), map[string]string(nil)
	var coded *syncproto.Error
	if errors.As(err, &coded) {
		args = coded.Args
	}
	out := connect.NewError(statusOf(code), fmt.Errorf("E%d", code))
	out.Meta().Set(HeaderCode, strconv.Itoa(int(code)))
	if q := encodeArgs(args); q != "" {
		out.Meta().Set(HeaderArgs, q)
	}
	if s := args[argRetry]; s != "" {
		out.Meta().Set(HeaderRetry, s)
	}
	return out
}

// argRetry is the argument that becomes [HeaderRetry] too.
const argRetry = "seconds"

func encodeArgs(args map[string]string) string {
	v := url.Values{}
	for k, s := range args {
		v.Set(k, s)
	}
	if q := v.Encode(); len(q) <= headerLimit {
		return q
	}
	return ""
}

// Decode gives an error of a call the code that the other end sent. What never reached the
// other end, or came from something between, is [syncproto.CodeUnreachable]; a certificate
// that was not taken has its own codes. Errors of a context stay what they are.
func Decode(op string, err error) error {
	if err == nil {
		return nil
	}
	var coded *syncproto.Error
	if errors.As(err, &coded) { // of our own end, as a certificate of another city
		return coded
	}
	var answer *connect.Error
	if errors.As(err, &answer) {
		if code, args, ok := codeIn(answer.Meta()); ok {
			return syncproto.Fail(code, op, err, args...)
		}
	}
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if e := tlsid.Explain(err); errors.As(e, &coded) {
		return coded
	}
	return syncproto.Fail(syncproto.CodeUnreachable, op, err)
}

func codeIn(h http.Header) (syncproto.Code, []string, bool) {
	n, err := strconv.ParseUint(h.Get(HeaderCode), 10, 16)
	if err != nil || n == 0 {
		return 0, nil, false
	}
	var args []string
	if raw := h.Get(HeaderArgs); len(raw) <= headerLimit {
		q, err := url.ParseQuery(raw)
		if err != nil {
			q = nil // a sentence with gaps is better than none
		}
		for k := range q {
			args = append(args, k, q.Get(k))
		}
	}
	return syncproto.Code(n), args, true
}

// statuses give the nearest status of Connect, which decides the one of HTTP: proxies and
// logs understand those. The first row that holds the code wins.
var statuses = []struct {
	from, to syncproto.Code
	status   connect.Code
}{
	{syncproto.CodeInternal, syncproto.CodeInternal, connect.CodeInternal},
	{syncproto.CodeNotFound, syncproto.CodeNotFound, connect.CodeNotFound},
	{syncproto.CodeEnrolAttempts, syncproto.CodeEnrolAttempts, connect.CodeResourceExhausted},
	{syncproto.CodeNoCertificate, syncproto.CodeNoCertificate, connect.CodeUnauthenticated},
	{400, 499, connect.CodePermissionDenied},
	{syncproto.CodeNotYourUnion, syncproto.CodeDeviceRevoked, connect.CodePermissionDenied},
	{syncproto.CodeUnreachable, syncproto.CodeNoLeader, connect.CodeUnavailable},
	{syncproto.CodeDeviceBusy, syncproto.CodeDeviceBusy, connect.CodeResourceExhausted},
	{syncproto.CodeQueueFull, syncproto.CodeStrangers, connect.CodeUnavailable},
	{syncproto.CodeNotReady, syncproto.CodeNotReady, connect.CodeUnavailable},
	{syncproto.CodeCountNotReady, syncproto.CodeCountNotReady, connect.CodeUnavailable},
}

func statusOf(code syncproto.Code) connect.Code {
	for _, s := range statuses {
		if s.from <= code && code <= s.to {
			return s.status
		}
	}
	return connect.CodeInvalidArgument
}

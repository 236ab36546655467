package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// TestErrorsTravel: code and arguments arrive, the text of the cause does not.
func TestErrorsTravel(t *testing.T) {
	secret := errors.New("open /var/lib/secret: permission denied")
	rows := []struct {
		why    string
		err    error
		code   syncproto.Code
		args   map[string]string
		status connect.Code
	}{
		{"a code alone", syncproto.Fail(syncproto.CodeDeviceRevoked, "op", secret), syncproto.CodeDeviceRevoked, nil, connect.CodePermissionDenied},
		{"arguments with anything in them", syncproto.Fail(syncproto.CodeUnionUnknown, "op", nil, "union", "a&b=c 工会%\n"),
			syncproto.CodeUnionUnknown, map[string]string{"union": "a&b=c 工会%\n"}, connect.CodeInvalidArgument},
		{"wrapped", fmt.Errorf("outer: %w", syncproto.Fail(syncproto.CodeEnrolAttempts, "op", secret, "minutes", "6")),
			syncproto.CodeEnrolAttempts, map[string]string{"minutes": "6"}, connect.CodeResourceExhausted},
		{"no code", secret, syncproto.CodeInternal, nil, connect.CodeInternal},
		{"arguments that are too long are left out", syncproto.Fail(syncproto.CodeInvalid, "op", nil, "what", strings.Repeat("x", 2000)),
			syncproto.CodeInvalid, nil, connect.CodeInvalidArgument},
		{"not the leader", syncproto.Fail(syncproto.CodeNoLeader, "op", nil), syncproto.CodeNoLeader, nil, connect.CodeUnavailable},
	}
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			out := Encode(r.err)
			var c *connect.Error
			if !errors.As(out, &c) || c.Code() != r.status || strings.Contains(c.Message(), "secret") {
				t.Fatalf("%v", out)
			}
			var got *syncproto.Error
			if !errors.As(Decode("call", out), &got) || got.Code != r.code {
				t.Fatalf("%v, want E%d", got, r.code)
			}
			if d := cmp.Diff(r.args, got.Args); d != "" {
				t.Fatal(d)
			}
		})
	}
	if Encode(nil) != nil || Decode("call", nil) != nil {
		t.Fatal("nothing became something")
	}
}

// TestDecodeOfWhatNoNodeSent: proxies, cut lines, and what a hostile other end makes up.
func TestDecodeOfWhatNoNodeSent(t *testing.T) {
	forged := func(code, args string) error {
		e := connect.NewError(connect.CodeUnknown, errors.New("x"))
		e.Meta().Set(HeaderCode, code)
		e.Meta().Set(HeaderArgs, args)
		return e
	}
	rows := []struct {
		why  string
		err  error
		want syncproto.Code
	}{
		{"a proxy's page", connect.NewError(connect.CodeUnknown, errors.New("502 Bad Gateway")), syncproto.CodeUnreachable},
		{"a line that was cut", errors.New("connection reset by peer"), syncproto.CodeUnreachable},
		{"a code that is no number", forged("abc", ""), syncproto.CodeUnreachable},
		{"a code out of range", forged("70000", ""), syncproto.CodeUnreachable},
		{"code zero", forged("0", ""), syncproto.CodeUnreachable},
		{"a code that is not known here", forged("6543", ""), 6543},
		{"arguments that are none", forged("503", "%zz;"), syncproto.CodeDeviceUnknown},
		{"an error of our own end", fmt.Errorf("dial: %w", syncproto.Fail(syncproto.CodeWrongCentre, "verify", nil)), syncproto.CodeWrongCentre},
	}
	for _, r := range rows {
		if got := syncproto.CodeOf(Decode("call", r.err)); got != r.want {
			t.Errorf("%s: E%d, want E%d", r.why, got, r.want)
		}
	}
	if err := Decode("call", connect.NewError(connect.CodeCanceled, context.Canceled)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// FuzzCodeIn: no header makes the other end panic, or hold more than the limit.
func FuzzCodeIn(f *testing.F) {
	f.Add("503", "union=1")
	f.Add("", "%")
	f.Fuzz(func(t *testing.T, code, args string) {
		h := http.Header{}
		h.Set(HeaderCode, code)
		h.Set(HeaderArgs, args)
		c, pairs, ok := codeIn(h)
		if ok && c == 0 || !ok && pairs != nil || len(pairs)%2 != 0 {
			t.Fatalf("%d %q %v", c, pairs, ok)
		}
	})
}

// TestAddressesHash is permanent: agents compare it.
func TestAddressesHash(t *testing.T) {
	if got := AddressesHash([]string{"https://b:1", "https://a:1"}); got != AddressesHash([]string{"https://a:1", "https://b:1"}) || got != 0x8028edf2 {
		t.Errorf("%#x", got)
	}
	if AddressesHash(nil) != 0 {
		t.Error("none is not 0")
	}
}

package agenttest

import (
	"context"
	"errors"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// Address is what a [Line] says that the centre's address is.
const Address = "https://centre.test:8443"

// Line is a line to the centre without a network. What hangs up is a cut.
type Line struct {
	c              *Centre
	sent, received atomic.Int64
}

// Line makes a line to the centre.
func (c *Centre) Line() *Line { return &Line{c: c} }

// Exchange makes one round.
func (l *Line) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	l.sent.Add(int64(proto.Size(q)))
	r, err := l.c.Exchange(ctx, q)
	l.received.Add(int64(proto.Size(r)))
	return r, cut(err)
}

// Enrol turns a code into a certificate.
func (l *Line) Enrol(_ context.Context, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
	r, err := l.c.Enrol(q)
	return r, cut(err)
}

func cut(err error) error {
	if errors.Is(err, ErrHangUp) {
		return syncproto.Fail(syncproto.CodeCut, "test", err)
	}
	return err
}

// Addresses gives the one address that there is.
func (l *Line) Addresses() []string { return []string{Address} }

// Bytes counts messages, unpacked.
func (l *Line) Bytes() (sent, received int64) { return l.sent.Load(), l.received.Load() }

// Close does nothing.
func (l *Line) Close() {}

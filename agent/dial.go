package agent

import (
	"context"
	"crypto/tls"

	"unionsync/agent/link"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto/syncpb"
)

// Line is a line to the centre, as agent/link makes it.
type Line interface {
	// Exchange makes one round; see union.Transport for its errors.
	Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error)
	// Enrol turns a one-time code into a certificate.
	Enrol(ctx context.Context, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error)
	// Addresses gives the centre's addresses, the one that answered last first.
	Addresses() []string
	// Bytes gives the bytes sent and received so far, HTTP included, TLS excluded.
	Bytes() (sent, received int64)
	// Close gives the connections back.
	Close()
}

// Dialer makes a line over which nothing has gone yet.
type Dialer func(config *tls.Config, addresses []string) (Line, error)

func dialLink(config *tls.Config, addresses []string) (Line, error) {
	l, err := link.New(link.Config{TLS: config, Addresses: addresses})
	if err != nil {
		return nil, err
	}
	return l, nil
}

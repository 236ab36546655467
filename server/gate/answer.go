package gate

import (
	"context"

	"unionsync/syncproto/syncpb"
)

// Device is the device that an exchange is of, as its certificate names it.
type Device struct {
	ID  []byte
	Key string // id of its public key, in hexadecimal digits
	// Certificate is the one that it shows, DER; nil: none came along.
	Certificate []byte
}

// Answer is Exchange without HTTP: the request is checked, committed and answered, and the
// receipt is signed by this node. The node must lead.
func (g *Gate) Answer(ctx context.Context, d Device, q *syncpb.Request) (*syncpb.Response, error) {
	r, err := g.exchange(ctx, device{id: d.ID, key: d.Key, cert: d.Certificate}, q)
	if err != nil {
		return nil, err
	}
	g.signReceipt(q, r)
	return r, nil
}

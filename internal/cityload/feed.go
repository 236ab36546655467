package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// verifyEvery is of how many receipts one is verified.
const verifyEvery = 64

// feed delivers the city to a node and gives how many requests had to be sent again. say is told how many
// records are in.
func (c *city) feed(ctx context.Context, url string, say func(records int64)) (again int64, err error) {
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan *device)
	g.Go(func() error {
		defer close(next)
		for _, d := range c.devices {
			select {
			case next <- d:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var in, retried atomic.Int64
	for range min(leastDevices, len(c.devices)) {
		g.Go(func() error {
			for d := range next {
				for _, u := range d.unions {
					n, err := c.deliver(ctx, d, u, url)
					if err != nil {
						return fmt.Errorf("deliver union %d: %w", u, err)
					}
					retried.Add(int64(n))
					say(in.Add(int64(c.parts[u].records)))
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return retried.Load(), err
}

// deliver delivers a union, and checks that every change was applied.
func (c *city) deliver(ctx context.Context, d *device, union int, url string) (again int, err error) {
	body, err := c.body(union)
	if err != nil {
		return 0, err
	}
	r, again, err := d.insist(ctx, url, body)
	if err != nil {
		return again, err
	}
	applied := 0
	for _, v := range r.GetVerdicts() {
		if len(v.GetKinds()) > 0 { // left out when all are applied
			return again, fmt.Errorf("not all are applied: %v", v.GetKinds())
		}
		applied += len(v.GetHashes()) / syncproto.RecordHashSize
	}
	if want := c.parts[union].records; applied != want || len(r.GetRefused()) > 0 {
		return again, fmt.Errorf("%d of %d changes are applied, refused %v", applied, want, r.GetRefused())
	}
	if union%verifyEvery == 0 {
		return again, c.verify(d, body, r)
	}
	return again, nil
}

// verify verifies a receipt.
func (c *city) verify(d *device, body []byte, r *syncpb.Response) error {
	b, err := unpack.DecodeAll(body, nil)
	if err != nil {
		return fmt.Errorf("verify receipt: %w", err)
	}
	q := new(syncpb.Request)
	if err := proto.Unmarshal(b, q); err != nil {
		return fmt.Errorf("verify receipt: %w", err)
	}
	cert, err := x509.ParseCertificate(r.GetReceipt().GetCertificate())
	if err != nil {
		return fmt.Errorf("verify receipt: %w", err)
	}
	node, err := tlsid.Verify(cert, d.own.CA, tlsid.RoleNode)
	if err != nil {
		return fmt.Errorf("verify receipt: %w", err)
	}
	return seal.Verify(node.Key, syncproto.DomainReceipt, session.ReceiptMessage(q, r), r.GetReceipt().GetSignature())
}

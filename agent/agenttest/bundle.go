package agenttest

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/syncpb"
)

// WorkIn takes a request bundle and gives the answer, as a node does: each request as if it
// had come over the network, and the further pages of the first one.
func (c *Centre) WorkIn(ctx context.Context, file []byte) ([]byte, error) {
	o := bundlefile.Opener{CA: c.CA, Key: c.BundleKey, Kind: bundle.KindRequest}
	b, signer, err := o.Open(file)
	if err != nil {
		return nil, err
	}
	if err := c.admit(context.WithValue(ctx, peerKey{}, signer), b.Union); err != nil {
		return nil, err
	}
	var answers [][]byte
	for _, m := range b.Messages {
		q := new(syncpb.Request)
		if err := proto.Unmarshal(m, q); err != nil {
			return nil, fmt.Errorf("work bundle in: %w", err)
		}
		r, err := c.Exchange(ctx, q)
		if err != nil {
			return nil, err
		}
		answers = append(answers, packed(r))
	}
	if answers, err = c.further(ctx, b.Messages[0], answers); err != nil {
		return nil, err
	}
	id, err := c.Own.Identity()
	if err != nil {
		return nil, err
	}
	return bundlefile.Make(&bundle.Bundle{
		Kind: bundle.KindAnswer, ID: b.ID, City: b.City, Union: b.Union, Device: b.Device, Node: id.ID,
		Generation: syncproto.Generation{Number: 1, Random: 42}, MadeAt: c.Time, Messages: answers, Certificate: c.Own.Cert.Raw,
	}, b.ReplyTo, func(msg []byte) []byte { return seal.Sign(c.Own.Key, syncproto.DomainBundle, msg) })
}

// further adds the pages behind that of the first answer.
func (c *Centre) further(ctx context.Context, first []byte, answers [][]byte) ([][]byte, error) {
	q, r := new(syncpb.Request), new(syncpb.Response)
	if err := proto.Unmarshal(first, q); err != nil {
		return nil, fmt.Errorf("work bundle in: %w", err)
	}
	if err := proto.Unmarshal(answers[0], r); err != nil {
		return nil, fmt.Errorf("work bundle in: %w", err)
	}
	q.Batch, q.Want, q.Proved = nil, nil, nil
	for r.GetPage().GetMore() {
		q.Cursor = r.GetPage().GetNext()
		var err error
		if r, err = c.Exchange(ctx, q); err != nil {
			return nil, err
		}
		answers = append(answers, packed(r))
	}
	return answers, nil
}

func packed(r *syncpb.Response) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		panic(err) // of a message that was just made
	}
	return b
}

package union

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/agent/agenttest"
	"unionsync/syncproto/syncpb"
)

// FuzzReceipt: no receipt, however made, passes for one that a node of the city signed, and
// none crashes the agent, also where the certificate beside it is none.
func FuzzReceipt(f *testing.F) {
	c, err := agenttest.New(1)
	if err != nil {
		f.Fatal(err)
	}
	r := &syncpb.Receipt{Generation: 1, Position: 7, Signer: []byte("n1"), Signature: make([]byte, 64), Certificate: c.Own.Cert.Raw}
	b, err := receiptBytes(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, []byte("message"))
	r.Certificate = c.CA.Raw
	if b, err = receiptBytes(r); err != nil {
		f.Fatal(err)
	}
	f.Add(b, []byte{})
	f.Fuzz(func(t *testing.T, b, msg []byte) {
		r := new(syncpb.Receipt)
		if proto.Unmarshal(b, r) != nil {
			return
		}
		if verifyReceipt(c.CA, r, msg) == nil {
			t.Fatalf("%x is a receipt", b)
		}
		kept, err := receiptBytes(r)
		if err != nil {
			t.Fatal(err)
		}
		again := new(syncpb.Receipt)
		if err := proto.Unmarshal(kept, again); err != nil || !proto.Equal(r, again) {
			t.Fatalf("what is kept of a receipt is another one: %v", err)
		}
	})
}

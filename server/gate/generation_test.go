package gate

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestChosenBase: a centre went back without anybody saying so, and gave a position a second
// time. A life whose base lies below that brings everything together again; one above the
// head, or one that this state never had, is refused. Seen to fail with the base that was
// chosen passed over for the head: what stood at the position first is lost.
func TestChosenBase(t *testing.T) {
	for _, row := range []struct {
		why  string
		base func(back syncproto.Position) syncproto.Position
	}{
		{"where it went back to", func(p syncproto.Position) syncproto.Position { return p }},
		{"nothing is certain", func(syncproto.Position) syncproto.Position { return 0 }},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBench(t)
			other, third := b.second(9), b.second(10)
			for _, x := range []*bench{b, other, third} {
				x.agent.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
			}
			b.apply(&entrypb.Node{Time: 3, Id: "n1", Certificate: b.g.cfg.Node.Own.Cert.Raw})
			b.save(1)
			b.sync()
			third.sync()
			backup := b.backup()
			back := b.log.l.Head()
			b.save(2)
			b.sync()
			other.sync()                               // only this one has it from now on
			b.putBack(bytes.NewReader(backup.Bytes())) // and nobody begins a life
			third.save(3)
			third.sync()
			if _, err := b.g.beginGeneration(t.Context(), &unionrpc.BeginGenerationRequest{Reason: "r", Base: proto.Uint64(uint64(row.base(back)))}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				for _, x := range []*bench{other, third} {
					x.sync()
				}
			}
			v := b.log.l.View("u1")
			defer v.Done()
			d, err := v.Digest()
			for i, x := range []*bench{other, third} {
				if err != nil || x.agent.State.Digest != d || len(x.agent.Layer()) != 3 || len(x.agent.State.Confirms) > 0 {
					t.Errorf("device %d has %d records, %d to confirm, %v", i, len(x.agent.Layer()), len(x.agent.State.Confirms), err)
				}
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		b := newBench(t)
		b.save(1)
		b.sync()
		b.restored(b.backup())
		for _, base := range []syncproto.Position{b.log.l.Head() + 1, syncproto.MakePosition(1, 2), syncproto.MakePosition(9, 1)} {
			_, err := b.g.beginGeneration(t.Context(), &unionrpc.BeginGenerationRequest{Reason: "r", Base: proto.Uint64(uint64(base))})
			if syncproto.CodeOf(err) != syncproto.CodeGenerationBase || b.log.l.Head().Generation() != 2 {
				t.Errorf("base %s: %v", base, err)
			}
		}
	})
	t.Run("a case that stood before is left out too, until all have come", func(t *testing.T) {
		b := newBench(t)
		other := b.second(9)
		other.agent.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
		b.name("v")
		other.name("w")
		b.syncs()
		other.syncs()
		if _, err := b.g.beginGeneration(t.Context(), &unionrpc.BeginGenerationRequest{Reason: "r", Base: proto.Uint64(0)}); err != nil {
			t.Fatal(err)
		}
		if got := b.cases(); got != [3]int{0, 1, 1} {
			t.Errorf("listed, left out, marked: %v", got)
		}
	})
}

package gate

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
)

// cases counts the cases that are listed, that are left out, and those marked among all.
func (b *bench) cases() (out [3]int) {
	b.t.Helper()
	for _, all := range []bool{false, true} {
		l, err := b.g.listCases(&unionrpc.ListCasesRequest{Union: "u1", All: all})
		if err != nil {
			b.t.Fatal(err)
		}
		if !all {
			out[0], out[1] = len(l.Cases), l.LeftOut
			continue
		}
		for _, c := range l.Cases {
			if c.Unconfirmed {
				out[2]++
			}
		}
	}
	return out
}

// name saves a value of one field of record 1.
func (b *bench) name(value string) {
	b.agent.Save(syncproto.Change{Kind: 900, ID: syncproto.RecordID{1}, Actor: "t", Edits: []syncproto.Edit{{Field: 20, Value: []byte(value)}}})
}

// syncs syncs and has the contact noted.
func (b *bench) syncs() {
	b.t.Helper()
	b.sync()
	if err := b.g.flushContacts(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// TestCasesOfARefill: after a restore a case is left out until every device of the union has
// sent what it has, 14 days have passed, or who has not come is revoked, also one that stood
// open in the backup: it may have been decided since. Seen to fail with a union taken for
// confirmed at once; the last is what the simulation of a city found.
func TestCasesOfARefill(t *testing.T) {
	for _, row := range []struct {
		why   string
		after func(b, other *bench)
		want  [3]int // listed, left out, marked among all
	}{
		{"the other device may still come", func(*bench, *bench) {}, [3]int{0, 1, 1}},
		{"the one that came says so again", func(b, _ *bench) { b.syncs() }, [3]int{0, 1, 1}},
		{"the other comes, and says so", func(b, other *bench) { b.syncs(); other.syncs(); other.syncs() }, [3]int{1, 0, 0}},
		{"14 days are almost over", func(b, _ *bench) {
			b.apply(&entrypb.Code{Time: b.began() + 14*24*3600 - 1, Hash: []byte("x"), Union: "u1", Expires: 1})
		}, [3]int{0, 1, 1}},
		{"14 days are over", func(b, _ *bench) {
			b.apply(&entrypb.Code{Time: b.began() + 14*24*3600, Hash: []byte("x"), Union: "u1", Expires: 1})
		}, [3]int{1, 0, 0}},
		{"the other is revoked", func(b, other *bench) {
			b.syncs()
			if _, err := b.g.revoke(b.t.Context(), &unionrpc.RevokeRequest{Device: hex.EncodeToString(other.id), Reason: "lost"}); err != nil {
				t.Fatal(err)
			}
		}, [3]int{1, 0, 0}},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBench(t)
			other := b.second(9)
			for _, a := range []*sessiontest.Agent{b.agent, other.agent} {
				a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
			}
			b.apply(&entrypb.Node{Time: 3, Id: "n1", Certificate: b.g.cfg.Node.Own.Cert.Raw})
			backup := b.backup()
			b.name("v")
			other.name("w")
			b.syncs()
			other.syncs()
			b.syncs()
			if got := b.cases(); got != [3]int{1, 0, 0} {
				t.Fatalf("in the first life: %v", got)
			}
			b.restored(backup)
			b.syncs()
			row.after(b, other)
			if got := b.cases(); got != row.want {
				t.Errorf("listed, left out, marked: %v, want %v", got, row.want)
			}
		})
	}
	t.Run("it stood open in the backup, and was decided in what was lost", func(t *testing.T) {
		b := newBench(t)
		other := b.second(9)
		for _, a := range []*sessiontest.Agent{b.agent, other.agent} {
			a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
		}
		b.apply(&entrypb.Node{Time: 3, Id: "n1", Certificate: b.g.cfg.Node.Own.Cert.Raw})
		b.name("v")
		other.name("w")
		b.syncs()
		other.syncs()
		b.syncs()
		backup := b.backup()
		list, err := b.g.listCases(&unionrpc.ListCasesRequest{Union: "u1"})
		if err != nil || len(list.Cases) != 1 {
			t.Fatal(list, err)
		}
		if _, err := b.g.decide(t.Context(), &unionrpc.DecideRequest{Union: "u1", Case: list.Cases[0].ID, Verb: verbChoose, Choice: 2}); err != nil {
			t.Fatal(err)
		}
		other.syncs()
		b.restored(backup)
		if got := b.cases(); got != [3]int{0, 1, 1} {
			t.Errorf("before it comes back: listed, left out, marked: %v", got)
		}
		for range 2 {
			b.syncs()
			other.syncs()
		}
		if got := b.cases(); got != [3]int{0, 0, 0} {
			t.Errorf("when it has come back: listed, left out, marked: %v", got)
		}
	})
}

// began is when the newest life began.
func (b *bench) began() int64 {
	g, err := b.log.l.Generation()
	if err != nil || g.GetTime() == 0 {
		b.t.Fatal(g, err)
	}
	return g.GetTime()
}

// reconfirming tells whether counts of union u1, and of all, are marked, as a question to the
// gate is given to the census; known is what the question asks for.
func (b *bench) reconfirming(known syncproto.Position) bool {
	b.t.Helper()
	if err := b.g.flushContacts(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	q, err := b.g.query(&unionrpc.CountsRequest{Known: uint64(known)})
	if err != nil {
		b.t.Fatal(err)
	}
	if on := len(q.Reconfirming) > 0; on != q.Reconfirming["u1"] || on && q.ReconfirmingSince != b.began() {
		b.t.Errorf("%v since %d", q.Reconfirming, q.ReconfirmingSince)
	}
	return q.Reconfirming["u1"]
}

// TestReconfirmingCounts: counts are marked from the moment that a life begins until every
// device that was there before has said in it that both ends are equal, and no longer: not by
// the clock, and not for a device that joined since. Seen to fail with one device of two taken
// for enough, with the end after 14 days, with new devices waited for, and with the newest word
// of a device taken instead of what it once said.
func TestReconfirmingCounts(t *testing.T) {
	b := newBench(t)
	other := b.second(9)
	for _, a := range []*sessiontest.Agent{b.agent, other.agent} {
		a.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
	}
	b.apply(&entrypb.Node{Time: 3, Id: "n1", Certificate: b.g.cfg.Node.Own.Cert.Raw})
	b.name("v")
	b.sync()
	backup := b.backup()
	b.name("w")
	b.sync()
	other.sync()
	said := func(who ...*bench) func() {
		return func() {
			for range 2 {
				for _, x := range who {
					x.sync()
				}
			}
		}
	}
	nothing := func() {}
	for _, step := range []struct {
		why   string
		do    func()
		known syncproto.Position
		want  bool
	}{
		{"in the first life", nothing, 0, false},
		{"restored, and nobody has come", func() { b.restored(backup) }, 0, true},
		{"what was known in the life before is not in doubt", nothing, syncproto.MakePosition(1, 1), false},
		{"one has said so, the other has not come", said(b), 0, true},
		{"15 days later", func() {
			b.apply(&entrypb.Code{Time: b.began() + 15*24*3600, Hash: []byte("later"), Union: "u1", Expires: 1})
		}, 0, true},
		{"both have said so", said(b, other), 0, false},
		{"one of them has its store made again, and says nothing for a night", func() {
			b.agent.State.Proved = session.Proof{}
			q, _, err := b.agent.Ask()
			if err != nil {
				t.Fatal(err)
			}
			b.answer(q)
		}, 0, false},
		{"another device joins", func() {
			now, code := b.log.l.Time(), []byte("new")
			b.apply(&entrypb.Code{Time: now, Hash: code, Union: "u1", Expires: now + 60})
			b.apply(&entrypb.Enrolled{Time: now, Hash: code, Device: bytes.Repeat([]byte{7}, deviceIDSize), PublicKey: b.agent.Key.Public().(ed25519.PublicKey)})
		}, 0, false},
		{"another life begins, and nothing was lost: the third counts now", func() { b.restored(b.backup()) }, 0, true},
		{"two of three have said so", said(b, other), 0, true},
		{"the third is revoked", func() {
			if _, err := b.g.revoke(t.Context(), &unionrpc.RevokeRequest{Device: strings.Repeat("07", deviceIDSize), Reason: "lost"}); err != nil {
				t.Fatal(err)
			}
		}, 0, false},
	} {
		step.do()
		if got := b.reconfirming(step.known); got != step.want {
			t.Errorf("%s: marked %v", step.why, got)
		}
	}
}

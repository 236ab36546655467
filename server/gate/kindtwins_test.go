package gate

import (
	"encoding/json"
	"fmt"
	"testing"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// visitFile is a small kind with a field of a name and type.
func visitFile(version int, field, typ string) []byte {
	return fmt.Appendf(nil, "kind: visit\nnumber: 60\nversion: %d\nlabel: {zh: 走访, en: Visit}\ntitle: name\nfields:\n"+
		"  - {number: 10, name: name, label: {zh: 名称, en: Name}, type: text}\n  - {number: 11, name: %s, label: {zh: 新, en: New}, type: %s}\n", version, field, typ)
}

// publishFile gives what became of a publication: 0, or the code of the first problem.
func (b *bench) publishFile(data []byte) syncproto.Code {
	b.t.Helper()
	r, err := b.g.publishKinds(b.t.Context(), &unionrpc.PublishKindsRequest{Files: map[string][]byte{"visit.yaml": data}})
	if err != nil {
		b.t.Fatal(err)
	}
	var p Published
	readJSON(b.t, r.GetJson(), &p)
	if len(p.Problems) > 0 {
		return p.Problems[0].Code
	}
	return 0
}

// TestTwoFilesOfOneVersion: a restore made the centre forget a kind file that PCs have, and
// somebody publishes another of the same version. If the first came back before, the second
// is refused; if not, the second is in force, who has the first gets it, once, and what was
// saved by the first is taken and at worst held.
func TestTwoFilesOfOneVersion(t *testing.T) {
	first, second := visitFile(2, "day", "text"), visitFile(2, "count", "integer")
	forgot := func(t *testing.T) (*bench, *syncpb.KindFile) {
		b := newBench(t)
		b.agent.VerifyRun = func([]byte, [][]byte, []byte, []byte) error { return nil }
		backup := b.backup()
		if code := b.publishFile(first); code != 0 {
			t.Fatal(code)
		}
		f, err := b.log.l.KindFile("visit", 2)
		if err != nil {
			t.Fatal(err)
		}
		b.restored(backup)
		return b, &syncpb.KindFile{Name: f.GetName(), Version: 2, Yaml: f.GetYaml(), Signature: f.GetSignature()}
	}
	ask := func(b *bench, c *syncpb.Client, back *syncpb.KindFile) *syncpb.Response {
		q, _, err := b.agent.Ask()
		if err != nil {
			t.Fatal(err)
		}
		q.Client = c
		if back != nil {
			q.Returned = append(q.Returned, &syncpb.Returned{Kind: back})
		}
		return b.answer(q)
	}
	t.Run("the first comes back before", func(t *testing.T) {
		b, f := forgot(t)
		b.sync()
		ask(b, nil, f)
		if code := b.publishFile(second); code != syncproto.CodeKindSame {
			t.Errorf("the second: code %d", code)
		}
		if code := b.publishFile(visitFile(3, "day", "text")); code != 0 {
			t.Errorf("the next number: code %d", code)
		}
	})
	t.Run("the second is published before", func(t *testing.T) {
		b, f := forgot(t)
		b.sync()
		if code := b.publishFile(second); code != 0 {
			t.Fatal(code)
		}
		have := func(data []byte) *syncpb.Client {
			c := &syncpb.Client{HaveKinds: b.log.l.Kinds().Pairs()}
			for _, k := range b.log.l.Kinds().All() {
				f, err := b.log.l.KindFile(k.Name, k.Version)
				if err != nil {
					t.Fatal(err)
				}
				if k.Number == 60 {
					f.Yaml = data
				}
				c.HaveContents = append(c.HaveContents, kind.ContentOf(f.GetYaml()))
			}
			return c
		}
		for _, row := range []struct {
			why  string
			say  *syncpb.Client
			want bool
		}{
			{"who has the first", have(first), true},
			{"who has the second", have(second), false},
			{"who says nothing of contents", &syncpb.Client{HaveKinds: b.log.l.Kinds().Pairs()}, false},
		} {
			got := false
			for _, x := range ask(b, row.say, f).GetKinds() {
				got = got || x.GetName() == "visit.yaml" && string(x.GetYaml()) == string(second)
			}
			if got != row.want {
				t.Errorf("%s gets it: %v", row.why, got)
			}
		}
		if k, _ := b.log.l.Kinds().Kind("visit"); k == nil || k.Version != 2 || k.Fields[1].Name != "count" {
			t.Errorf("in force is %+v", k)
		}
		for i, value := range []string{"明天", "7"} {
			b.agent.Save(syncproto.Change{Kind: 60, KindVersion: 2, ID: syncproto.RecordID{byte(i + 1)}, Actor: "t", Edits: []syncproto.Edit{{Field: 11, Value: []byte(value)}}})
		}
		b.sync()
		v := b.agent.Verdicts()
		if v[1].Reason != syncproto.HeldValue || v[2].Kind != syncproto.VerdictApplied {
			t.Errorf("saved by the first: %v", v)
		}
		if cases, err := b.log.l.Cases("u1", false); err != nil || len(cases) != 1 || cases[0].Type != ledger.CaseHeld {
			t.Errorf("cases %v, %v", cases, err)
		}
	})
}

func readJSON(t testing.TB, b []byte, to any) {
	t.Helper()
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
}

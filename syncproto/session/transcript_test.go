package session_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts anew")

// TestTranscripts plays the commands of each file in testdata (lines that begin with "> ")
// and compares what both ends say with what stands below them.
//
//	> agent A [budget]        > save A rN name=v phone=v +tag -tag void=reason
//	> sync A [lose request|lose response]   > crash A   > base A   > show A rN
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlayer(t)
			for line := range strings.Lines(string(want)) {
				switch {
				case strings.HasPrefix(line, "#"):
					p.out.WriteString(line)
				case strings.HasPrefix(line, "> "):
					p.out.WriteString(line)
					p.play(strings.Fields(line[2:]))
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(p.out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), p.out.String()); diff != "" {
				t.Errorf("(-file +now):\n%s", diff)
			}
		})
	}
}

type player struct {
	t      *testing.T
	centre *sessiontest.Centre
	agents map[string]*sessiontest.Agent
	bases  map[string]*sessiontest.Base
	out    strings.Builder
}

func newPlayer(t *testing.T) *player {
	p := &player{t: t, centre: sessiontest.NewCentre(history), agents: map[string]*sessiontest.Agent{}, bases: map[string]*sessiontest.Base{}}
	p.centre.Class = classes
	p.centre.Hold = func(c *syncproto.Change) syncproto.HeldReason {
		if e := c.Edit(fieldName); e != nil && string(e.Value) == "bad" {
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	return p
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "  "+format+"\n", args...) }

func (p *player) play(w []string) {
	a := p.agents[w[1]]
	switch w[0] {
	case "agent":
		a = sessiontest.NewAgent("u1", syncproto.JournalID(0xa0+len(p.agents)), history)
		a.Class = classes
		if len(w) > 2 {
			n, err := strconv.Atoi(w[2])
			if err != nil {
				p.t.Fatal(err)
			}
			a.State.Budget = n
		}
		p.agents[w[1]], p.bases[w[1]] = a, a.Base()
	case "save":
		placed := a.Save(p.change(a, w[2:]))
		p.say("change %d", placed.Place.Seq)
	case "sync":
		p.sync(a, strings.Join(w[2:], " "))
	case "crash":
		a.Rebuild(p.bases[w[1]])
	case "base":
		p.bases[w[1]] = a.Base()
	case "show":
		p.show(a.View(key(w[2])))
	default:
		p.t.Fatalf("no command %q", w)
	}
}

func key(s string) syncproto.RecordKey {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "r"))
	if err != nil {
		panic(err)
	}
	return syncproto.RecordKey{Kind: 2, ID: record(n)}
}

func (p *player) change(a *sessiontest.Agent, w []string) syncproto.Change {
	k := key(w[0])
	c := syncproto.Change{Kind: k.Kind, ID: k.ID}
	fields := map[string]syncproto.FieldNumber{"name": fieldName, "phone": fieldPhone, "void": syncproto.FieldVoid}
	for _, x := range w[1:] {
		name, value, ok := strings.Cut(x, "=")
		switch {
		case ok:
			c.Edits = append(c.Edits, syncproto.Edit{Field: fields[name], Value: []byte(value), Cleared: value == ""})
			if name == "void" {
				c.Saw = a.View(k).SawAll()
			}
		case x[0] == '+':
			c.Edits = append(c.Edits, syncproto.Edit{Field: fieldTags, Add: [][]byte{[]byte(x[1:])}})
		case x[0] == '-':
			f := a.View(k).Field(fieldTags)
			i := slices.IndexFunc(f.Elements, func(e merge.Element) bool { return string(e.Value) == x[1:] })
			c.Edits = append(c.Edits, syncproto.Edit{Field: fieldTags, Remove: []syncproto.ElementDots{{Element: f.Elements[i].Value, Dots: f.Elements[i].Dots}}})
		}
	}
	return c
}

func (p *player) sync(a *sessiontest.Agent, lose string) {
	u, err := a.Sync(func(q *syncpb.Request) (*syncpb.Response, error) {
		p.say("-> cursor %s head %d receipt %d%s%s", syncproto.Position(q.GetCursor()), q.GetHead().GetSeq(), q.GetReceipt().GetSeq(), batch(q), wants(q))
		if lose == "lose request" {
			return nil, errCut
		}
		r, err := p.centre.Exchange(q)
		if err != nil {
			return nil, err
		}
		if lose == "lose response" {
			p.say("<- lost")
			return nil, errCut
		}
		p.response(r)
		return r, nil
	})
	if err != nil {
		p.say("%v", err)
		return
	}
	p.say("equal %v, settled %d of %d", u.Equal, a.State.Settled, a.State.Head.Seq)
}

func batch(q *syncpb.Request) string {
	if len(q.GetBatch()) == 0 {
		return ""
	}
	s := q.GetBatch()[0]
	return fmt.Sprintf(" changes %d..%d", s.GetFirst(), s.GetFirst()+uint64(len(s.GetChanges()))-1)
}

func wants(q *syncpb.Request) (out string) {
	for _, w := range q.GetWant() {
		out += fmt.Sprintf(" want r%d", w.GetId()[15])
	}
	return out
}

func (p *player) response(r *syncpb.Response) {
	out := ""
	for _, v := range r.GetVerdicts() {
		for i := range len(v.GetHashes()) / syncproto.RecordHashSize {
			kind := syncproto.VerdictApplied
			if len(v.GetKinds()) > 0 {
				kind = syncproto.VerdictKind(v.GetKinds()[i] & 15)
			}
			out += " " + kind.String()
		}
	}
	if rc := r.GetReceipt(); rc != nil {
		out += fmt.Sprintf(" receipt %d", rc.GetPlace().GetSeq())
	}
	for _, f := range r.GetPage().GetRecords() {
		out += fmt.Sprintf(" r%d", f.GetId()[15])
	}
	for _, f := range r.GetWanted() {
		out += fmt.Sprintf(" wanted r%d", f.GetId()[15])
	}
	p.say("<-%s next %s more %v", out, syncproto.Position(r.GetPage().GetNext()), r.GetPage().GetMore())
}

func (p *player) show(r *merge.Record) {
	if r == nil {
		p.say("no record")
		return
	}
	for _, f := range r.Fields {
		var vals []string
		for _, e := range f.Entries {
			vals = append(vals, fmt.Sprintf("%q", e.Value))
		}
		for _, e := range f.Elements {
			vals = append(vals, "+"+string(e.Value))
		}
		p.say("field %d: %s", f.Number, strings.Join(vals, " "))
	}
}

//go:build !windows

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// TestPeople: what people are told and can decide, with the real programs: conflicts, changes
// that were sent back, a PC that was revoked, and a PC that was moved and goes on. Each part
// has a union of its own.
func TestPeople(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, testcity.Options{Counties: 2, Unions: 4, Members: 12, Twice: -1, Transfers: -1, Ended: -1})
	for i, part := range []struct {
		name string
		run  func(c *city, union int)
	}{
		{"conflict", (*city).conflict},
		{"held", (*city).heldValue},
		{"revoked", (*city).revoked},
		{"moved", (*city).movedAndUsed},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			of := *c
			of.T = t
			part.run(&of, i)
		})
	}
}

// TestPutBack: a centre is restored twice, with unions that have no network.
func TestPutBack(t *testing.T) {
	t.Parallel()
	newCity(t, 1, testcity.Options{Counties: 2, Unions: 2, Members: 12, Twice: -1, Transfers: -1, Ended: -1}).restored(0)
}

// desk is a clerk at a PC.
type desk struct {
	*proc.Agent
	c   *city
	who string
}

// newDesk enrols a PC for a union, with a clerk who signs what he saves.
func (c *city) newDesk(union int, who string) *desk {
	c.Helper()
	return &desk{Agent: c.newPC(c.model.Rosters[union].Union, c.centre.Any().URL()), c: c, who: who}
}

// device is the PC's id, as its certificate has it.
func (d *desk) device() string {
	d.c.Helper()
	cert, _ := certificate(d.c.T, d.Data)
	return strings.TrimPrefix(cert.Subject.CommonName, "device/")
}

func (c *city) statusOf(d *desk) proc.AgentStatus {
	c.Helper()
	s, err := d.Status(c.ctx)
	c.do(err)
	return s
}

// newRoster enters the roster of a union, all of it.
func (d *desk) newRoster(union int) {
	d.c.Helper()
	r := d.c.model.Rosters[union]
	path := d.c.file("roster.csv", r.Table(), testcity.CSV)
	v := d.asks(nil, 0, "import", path, "--apply")
	if v.Failure().Code != 0 {
		d.c.Fatalf("%+v", v.Failure())
	}
}

// member is the document number of a member of the union.
func (d *desk) member(n int) string {
	for _, r := range d.c.model.Rosters {
		if r.Union == d.Union {
			return r.Rows[n].ID
		}
	}
	return ""
}

// asks runs a command with --json, which must end with one of the statuses, and reads what it
// printed: one value, in front of an error if there is one.
func (d *desk) asks(v any, status int, args ...string) proc.Result {
	d.c.Helper()
	r, err := d.Run(d.c.ctx, append([]string{"--as", d.who}, args...)...)
	d.c.do(err)
	d.c.read(r, v, status)
	return r
}

// says runs a command in words, which must end with the status, and gives all that it printed.
func (d *desk) says(status int, args ...string) string {
	d.c.Helper()
	r, err := d.Words(d.c.ctx, append([]string{"--as", d.who}, args...)...)
	d.c.do(err)
	return d.c.readable(r, status)
}

// staffAsks and staffSays are the same for the centre's staff.
func (c *city) staffAsks(v any, status int, args ...string) proc.Result {
	c.Helper()
	r, err := c.centre.Any().Run(c.ctx, args...)
	c.do(err)
	c.read(r, v, status)
	return r
}

func (c *city) staffSays(status int, args ...string) string {
	c.Helper()
	r, err := c.centre.Any().Words(c.ctx, args...)
	c.do(err)
	return c.readable(r, status)
}

// read checks what a command printed with --json: values and nothing else, and an error that
// says what and, by its status, which kind of thing.
func (c *city) read(r proc.Result, v any, status int) {
	c.Helper()
	c.do(r.Want(status))
	values := 0
	for in := json.NewDecoder(bytes.NewReader(r.Stdout)); ; values++ {
		var raw json.RawMessage
		if err := in.Decode(&raw); err == io.EOF {
			break
		} else if err != nil {
			c.Fatalf("%s: its JSON: %v\n%s", r.Command, err, r.Stdout)
		}
		if values == 0 && v != nil {
			c.do(json.Unmarshal(raw, v))
		}
	}
	f := r.Failure()
	if told := status != 0 && status != exitAttention; values != 1 || told != (f.Code != 0) || told && f.Sentence == "" || f.Detail != "" || f.Code == 1 {
		c.Errorf("%s: %d values, status %d, error %+v\n%s%s", r.Command, values, status, f, r.Stdout, r.Stderr)
	}
}

// exitAttention says that something waits for a person.
const exitAttention = 5

var (
	// goTalk is what no person should ever read.
	goTalk = regexp.MustCompile(`%!|<nil>|panic|goroutine|0x[0-9a-f]{6}|: EOF|no such file|permission denied|context (canceled|deadline)|connection refused|rpc error|failed_precondition|unavailable:|\b(agent|server|cli|word|bundle)\.[a-z_]+\b`)
	codeOf = regexp.MustCompile(`（E(\d+)）`)
)

// readable checks what a command printed in words. What went wrong is a Chinese sentence with
// its code; what to do stands in it or in the hint.
func (c *city) readable(r proc.Result, status int) string {
	c.Helper()
	c.do(r.Want(status))
	all := string(r.Stdout) + string(r.Stderr)
	if bad := goTalk.FindString(all); bad != "" {
		c.Errorf("%s prints %q\n%s", r.Command, bad, all)
	}
	for line := range strings.Lines(all) {
		if line = strings.TrimSpace(line); line != "" && !strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) && strings.Contains(line, " ") {
			if words := regexp.MustCompile(`[a-z]{3,} [a-z]{2,} [a-z]{2,}`).FindString(line); words != "" {
				c.Errorf("%s prints English: %q", r.Command, line)
			}
		}
	}
	if status == 0 || status == exitAttention {
		return all
	}
	if m := codeOf.FindStringSubmatch(all); m == nil || m[1] == "1" || !strings.Contains(all, "请") && !strings.Contains(all, "提示：") {
		c.Errorf("%s ends with %d and does not say what or what to do\n%s", r.Command, status, all)
	}
	return all
}

// mentions checks that a text has all of the words.
func (c *city) mentions(text string, words ...string) {
	c.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// who made a change, as the agent's JSON tells it.
type author struct {
	Dot, Actor, Time string
	Own              bool
}

// deskCase is what is read of `union-agent cases --json`.
type deskCase struct {
	Number, Type, Kind, ID, Title, Field, Centre, Journal string

	Choices []struct {
		Value   string
		Current bool
		By      []author
	}
	Held []struct {
		Seq                 int
		Reason, Actor, Time string
		Changes             []struct{ Field, After string }
	}
	Branches []author
}

// staffCase is what is read of `union-server cases list --json`.
type staffCase struct {
	Union, ID, Type, Kind, Record, Field, Journal string
	Closed                                        bool

	Values []struct {
		Number int
		Value  string
		By     []actor
	}
	Held []struct {
		actor
		Reason string
		Edits  map[string]string
	}
	Branches []actor
}

type actor struct {
	Actor string
	Time  int64
}

// cases gives what waits for a person at a PC.
func (d *desk) cases(want int) (out []deskCase) {
	d.c.Helper()
	d.asks(&out, attention(want), "cases", "--reveal")
	if len(out) != want {
		d.c.Fatalf("%s has %d cases, want %d: %+v", d.who, len(out), want, out)
	}
	return out
}

// attention is the status of a list in which so much waits for a person.
func attention(n int) int {
	if n > 0 {
		return exitAttention
	}
	return 0
}

// staffCases gives what waits for a person in a union, or what was closed too.
func (c *city) staffCases(union string, want int, flags ...string) []staffCase {
	c.Helper()
	var v struct {
		Position uint64
		Cases    []staffCase
	}
	c.staffAsks(&v, 0, append([]string{"cases", "list", "--union", union}, flags...)...)
	if len(v.Cases) != want || v.Position == 0 {
		c.Fatalf("the centre has %d cases, want %d: %+v", len(v.Cases), want, v)
	}
	return v.Cases
}

// news gives what was changed elsewhere, as "field before→after by".
func (d *desk) news(flags ...string) (out []string) {
	d.c.Helper()
	var v []struct {
		Kind, ID string
		New      bool
		Changes  []struct {
			Field, Before, After string
			By                   []author
		}
	}
	d.asks(&v, 0, append([]string{"news", "--reveal"}, flags...)...)
	for _, n := range v {
		if n.New {
			out = append(out, "new "+n.Kind)
			continue
		}
		for _, x := range n.Changes {
			line := x.Field + " " + x.Before + "→" + x.After
			for _, a := range x.By {
				line += " " + a.Actor
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// past is a line of a history: who did what, and what the centre made of it.
type past struct {
	Dot, Actor, Delivery, Verdict, Reason, Position string
	Changes                                         []struct{ Field, Before, After string }
}

func (d *desk) history(member string) (out []past) {
	d.c.Helper()
	d.asks(&out, 0, "history", "member", member, "--reveal")
	return out
}

// field is a member's value.
func (d *desk) field(member, name string) string {
	d.c.Helper()
	var v struct {
		Values map[string]any
	}
	d.asks(&v, 0, "show", "member", member, "--reveal")
	s, _ := v.Values[name].(string)
	return s
}

// syncs lets the PCs sync, and again, so that each has what the others sent.
func syncs(all ...*desk) {
	for range 2 {
		for _, d := range all {
			d.c.Helper()
			r, err := d.Run(d.c.ctx, "sync")
			d.c.do(err)
			d.c.do(r.Want(0, exitAttention))
		}
	}
}

// agree proves that the PCs of a union and the centre have the same: nothing waits, all that
// was saved has a receipt, digests are equal, and a PC that fetches everything anew has the
// very same records.
func (c *city) agree(all ...*desk) {
	c.Helper()
	syncs(all...)
	twin := &desk{Agent: c.newPC(all[0].Union, c.centre.Any().URL()), c: c, who: "新来的"}
	for _, d := range append(slices.Clone(all), twin) {
		var v []proc.Synced
		r, err := d.Run(c.ctx, "sync")
		c.do(err)
		c.do(r.Read(&v))
		if len(v) != 1 || !v[0].Complete || !v[0].Equal || v[0].Sent != 0 || v[0].Received != 0 {
			c.Errorf("%s: after all syncs: %+v", d.who, v)
		}
		s, err := d.Status(c.ctx)
		c.do(err)
		if s.Waiting != 0 || s.Delivered+s.Held != s.Saved || !s.Proved || !s.Fetched {
			c.Errorf("%s: %+v", d.who, s)
		}
		for _, kind := range []string{"member", "membership-event", "case"} {
			if diff := cmp.Diff(c.list(twin.Agent, kind), c.list(d.Agent, kind)); diff != "" {
				c.Errorf("%s: %s records differ (-fetched anew +here)\n%s", d.who, kind, diff)
			}
		}
		for n := range c.model.Rosters[0].Rows[:2] {
			here, there := dots(d.history(d.member(n))), dots(twin.history(d.member(n)))
			if diff := cmp.Diff(there, here); diff != "" {
				c.Errorf("%s: the history of member %d (-fetched anew +here)\n%s", d.who, n, diff)
			}
		}
		c.do(d.Ask(c.ctx, nil, "doctor"))
	}
}

// dots are the changes of a history, each of which must be there once.
func dots(all []past) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.Dot)
	}
	return out
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto"
)

func (p program) status(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "status", Usage: s.T("agent.status_usage"), Action: p.doStatus}
}

// statusOut is a union's status in JSON.
type statusOut struct {
	Union     string         `json:"union"`
	Name      string         `json:"name"`
	Saved     uint64         `json:"saved"`
	Waiting   uint64         `json:"waiting"`
	Oldest    string         `json:"oldest_waiting,omitempty"`
	Again     uint64         `json:"waiting_again"`
	OnlyHere  uint64         `json:"only_here"`
	HereSince string         `json:"oldest_only_here,omitempty"`
	Second    string         `json:"second_place,omitempty"`
	Delivered uint64         `json:"delivered"`
	Archived  uint64         `json:"archived"`
	Held      uint64         `json:"held"`
	Conflicts int            `json:"conflicts"`
	Bundles   int            `json:"bundles_without_receipt"`
	Records   map[string]int `json:"records"`
	Fetched   bool           `json:"fetched"`
	Proved    bool           `json:"proved"`
	Last      string         `json:"last,omitempty"`
	Next      string         `json:"next,omitempty"`
	Failures  int            `json:"failures"`
	Error     int            `json:"error,omitempty"`
	Notices   []int          `json:"notices"`
	Back      []backOut      `json:"sent_back"`
}

// backOut is a change that the centre sent back, in JSON.
type backOut struct {
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind,omitempty"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

func (p program) doStatus(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	all, err := unions(c, a)
	if err != nil {
		return err
	}
	out, worst := []statusOut{}, clikit.ExitOK
	for i, code := range all {
		st, err := a.Status(c.Context, code)
		if err != nil {
			return err
		}
		out = append(out, statusOf(a, st))
		worst = graver(worst, health(st))
		if s.JSON {
			continue
		}
		if i > 0 {
			if err := s.Println(); err != nil {
				return err
			}
		}
		if err := printStatus(s, a, st); err != nil {
			return err
		}
	}
	if err := s.Print(out, func() error { return nil }); err != nil || worst == clikit.ExitOK {
		return err
	}
	return clikit.Outcome(worst)
}

// health is the exit status of one union: what waits for a person first, then whether the
// newest sync went well. Changes that wait for the night are healthy.
func health(st agent.Status) int {
	switch {
	case st.Held > 0 || st.Conflicts > 0 || len(st.Notices) > 0:
		return clikit.ExitAttention
	case st.Failures > 0 && st.Error != 0:
		return clikit.ExitStatus(syncproto.Fail(st.Error, "sync", nil))
	case !st.Fetched:
		return clikit.ExitBusy
	}
	return clikit.ExitOK
}

// graver prefers what a person must do.
func graver(a, b int) int {
	if a == clikit.ExitOK || b == clikit.ExitAttention {
		return b
	}
	return a
}

func statusOf(a *agent.Agent, st agent.Status) statusOut {
	out := statusOut{
		Union: st.Union, Name: st.Name, Saved: st.Saved, Waiting: st.Waiting, Oldest: stamp(st.Oldest), Delivered: st.Delivered,
		Again: st.Again, OnlyHere: st.OnlyHere, HereSince: stamp(st.HereSince), Second: st.Status.Second.Dir, Archived: st.Archived,
		Held: st.Held, Conflicts: st.Conflicts, Bundles: st.Bundles, Records: st.Records, Fetched: st.Fetched, Proved: st.Proved,
		Last: stamp(st.Last), Next: stamp(st.Next), Failures: st.Failures, Error: int(st.Error), Notices: []int{}, Back: []backOut{},
	}
	for _, h := range st.Back {
		b := backOut{Seq: h.Place.Seq, Reason: h.Reason.String()}
		if h.Change != nil {
			b.Kind, b.ID = kindName(a, h.Change.Kind, "name"), h.Change.ID.String()
		}
		out.Back = append(out.Back, b)
	}
	for _, n := range st.Notices {
		out.Notices = append(out.Notices, int(n.Code))
	}
	return out
}

func printStatus(s *clikit.Session, a *agent.Agent, st agent.Status) error {
	pair := func(id, value string) [2]string { return [2]string{s.T(id), value} }
	waiting := s.T("agent.n_changes", "n", fmt.Sprint(st.Waiting))
	if st.Waiting > 0 && !st.Oldest.IsZero() {
		waiting += s.T("agent.since", "time", moment(st.Oldest))
	}
	onlyHere := s.T("agent.n_changes", "n", fmt.Sprint(st.OnlyHere))
	if st.OnlyHere > 0 && !st.HereSince.IsZero() {
		onlyHere += s.T("agent.since", "time", moment(st.HereSince))
	}
	last := moment(st.Last)
	if last == "" {
		last = s.T("word.never")
	}
	pairs := [][2]string{
		pair("agent.union", st.Name+" "+st.Union),
		pair("agent.saved_here", s.T("agent.n_changes", "n", fmt.Sprint(st.Saved))),
		pair("agent.waiting", waiting),
		pair("agent.only_here", onlyHere),
		pair("agent.delivered", s.T("agent.n_changes", "n", fmt.Sprint(st.Delivered))),
		pair("agent.archived", s.T("agent.n_changes", "n", fmt.Sprint(st.Archived))),
		pair("agent.held", s.T("agent.n_changes", "n", fmt.Sprint(st.Held))),
		pair("agent.conflicts", s.T("agent.n_records", "n", fmt.Sprint(st.Conflicts))),
		pair("agent.last", last), pair("agent.next", moment(st.Next)+s.T("agent.next_needs_run")),
	}
	if st.Again > 0 {
		pairs = append(pairs, pair("agent.again", s.T("agent.n_changes", "n", fmt.Sprint(st.Again))))
	}
	if st.Status.Second.Dir != "" {
		pairs = append(pairs, pair("agent.second_place", st.Status.Second.Dir))
	}
	for _, k := range a.Kinds().All() {
		if n := st.Records[k.Name]; n > 0 {
			pairs = append(pairs, [2]string{k.Label.In(string(s.Lang)), s.T("agent.n_records", "n", fmt.Sprint(n))})
		}
	}
	if err := s.PrintFields(pairs); err != nil {
		return err
	}
	if err := printBack(s, a, st.Back); err != nil {
		return err
	}
	return printHealth(s, st)
}

// kindName gives a kind's name, or its label in a language.
func kindName(a *agent.Agent, n syncproto.KindNumber, lang string) string {
	k, ok := a.Kinds().ByNumber(n)
	switch {
	case !ok:
		return fmt.Sprint(n)
	case lang == "name":
		return k.Name
	}
	return k.Label.In(lang)
}

// mostBack is how many changes that were sent back are listed.
const mostBack = 20

// printBack lists the changes that the centre sent back.
func printBack(s *clikit.Session, a *agent.Agent, back []union.HeldChange) error {
	for i, h := range back {
		if i == mostBack {
			return s.Println(s.T("agent.back_more", "n", fmt.Sprint(len(back)-mostBack)))
		}
		why := s.T("agent.held_" + h.Reason.String())
		if h.Change == nil {
			why = s.T("agent.delivery_unread")
			if err := s.Println(s.T("agent.back", "kind", "", "id", fmt.Sprint(h.Place.Seq), "why", why)); err != nil {
				return err
			}
			continue
		}
		kindLabel := kindName(a, h.Change.Kind, string(s.Lang))
		if err := s.Println(s.T("agent.back", "kind", kindLabel, "id", short(h.Change.ID), "why", why)); err != nil {
			return err
		}
	}
	return nil
}

// printHealth says in sentences what a person should know.
func printHealth(s *clikit.Session, st agent.Status) error {
	var errs []error
	say := func(id string) { errs = append(errs, s.Println(s.T(id))) }
	switch {
	case st.Proved:
		say("agent.proved")
	case !st.Fetched:
		say("agent.not_fetched")
	}
	if st.Held > 0 {
		say("agent.held_hint")
	}
	if st.Bundles > 0 {
		errs = append(errs, s.Println(s.T("agent.bundles_open", "n", fmt.Sprint(st.Bundles))))
	}
	if st.Conflicts > 0 {
		say("agent.conflicts_hint")
	}
	for _, n := range st.Notices {
		errs = append(errs, s.Println(moment(n.Since)+" "+text.Sentence(s.Lang, syncproto.Fail(n.Code, "status", nil))))
	}
	if st.Failures > 0 && st.Error != 0 {
		errs = append(errs, s.Println(s.T("agent.newest_failure", "time", moment(st.Tried.Round(time.Second)))+
			text.Sentence(s.Lang, syncproto.Fail(st.Error, "sync", nil))))
	}
	return errors.Join(errs...)
}

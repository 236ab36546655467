package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/schedule"
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
	OnlyHere  uint64         `json:"only_here"`
	HereSince string         `json:"oldest_only_here,omitempty"`
	Second    string         `json:"second_place,omitempty"`
	Delivered uint64         `json:"delivered"`
	Held      uint64         `json:"held"`
	Conflicts int            `json:"conflicts"`
	Cases     int            `json:"cases"` // that wait for a person
	News      int            `json:"news"`  // records changed elsewhere since the person last looked
	Bundles   int            `json:"bundles_without_receipt"`
	Records   map[string]int `json:"records"`
	Fetched   bool           `json:"fetched"`
	Proved    bool           `json:"proved"`
	Archived  uint64         `json:"archived"`         // every backup has them
	Again     uint64         `json:"to_deliver_again"` // a restored centre has lost them
	DaysAlone int            `json:"days_alone"`       // since when the oldest one waiting is on this PC alone
	Last      string         `json:"last,omitempty"`
	Next      string         `json:"next,omitempty"` // while the loop is up
	NextWhy   schedule.Why   `json:"next_why,omitempty"`
	Running   bool           `json:"running"`
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
		out = append(out, statusOf(s, a, st))
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
	case st.Held > 0 || len(st.Cases) > 0 || len(st.Notices) > 0:
		return clikit.ExitAttention
	case st.Failed():
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

func statusOf(s *clikit.Session, a *agent.Agent, st agent.Status) statusOut {
	out := statusOut{
		Union: st.Union, Name: st.Name, Saved: st.Saved, Waiting: st.Waiting, Oldest: stamp(st.Oldest), Delivered: delivered(st),
		OnlyHere: st.OnlyHere, HereSince: stamp(st.HereSince), Second: st.Status.Second.Dir,
		Held: st.Held, Conflicts: st.Conflicts, Cases: len(st.Cases), News: st.News, Bundles: st.Bundles, Records: st.Records, Fetched: st.Fetched, Proved: st.Proved,
		Archived: st.Archived, Again: st.Again, DaysAlone: daysAlone(s.Now(), st),
		Last: stamp(st.Last), Next: stamp(st.Next), NextWhy: st.NextWhy, Running: st.Running, Failures: st.Failures, Error: int(st.Error), Notices: []int{}, Back: []backOut{},
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

// delivered is how many changes the centre has taken: those sent back are not among them.
func delivered(st agent.Status) uint64 { return st.Delivered - min(st.Held, st.Delivered) }

// printStatus says in short lines how a union stands, in the words that every screen uses.
func printStatus(s *clikit.Session, a *agent.Agent, st agent.Status) error {
	pair := func(id, value string) [2]string { return [2]string{s.T(id), value} }
	changes := func(n uint64) string { return s.T("agent.n_changes", "n", fmt.Sprint(n)) }
	pairs := [][2]string{
		pair("agent.union", st.Name+" "+st.Union), pair("agent.saved_here", changes(st.Saved)),
		pair("agent.waiting", changes(st.Waiting)), pair("agent.delivered", changes(delivered(st))),
	}
	if st.Archived > 0 {
		pairs = append(pairs, pair("agent.archived", changes(st.Archived)))
	}
	if st.Again > 0 {
		pairs = append(pairs, pair("agent.again", changes(st.Again)))
	}
	onlyHere := changes(st.OnlyHere)
	if st.OnlyHere > 0 && !st.HereSince.IsZero() {
		onlyHere += s.T("agent.since", "time", moment(st.HereSince))
	}
	if pairs = append(pairs, pair("agent.only_here", onlyHere)); st.Status.Second.Dir != "" {
		pairs = append(pairs, pair("agent.second_place", st.Status.Second.Dir))
	}
	pairs = append(pairs, pair("agent.held", changes(st.Held)),
		pair("agent.conflicts", s.T("agent.n_records", "n", fmt.Sprint(st.Conflicts))),
		pair("agent.last", first(moment(st.Last), s.T("word.never"))), pair("agent.next", nextWords(s, st)))
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

// nextWords says when the next try is and what it waits for. Without the loop there is none.
func nextWords(s *clikit.Session, st agent.Status) string {
	if !st.Running {
		return s.T("agent.next_not_running")
	}
	return s.T("agent.next_at", "time", moment(st.Next), "why", s.T("agent.why_"+string(st.NextWhy)))
}

// aloneDays is from how many days on a change that is only on this PC is warned of.
const aloneDays = 7

// daysAlone is for how many whole days the oldest change without a receipt has been on this
// PC alone, by a clock that may have been set meanwhile.
func daysAlone(now time.Time, st agent.Status) int {
	if st.OnlyHere == 0 || st.HereSince.IsZero() {
		return 0
	}
	return int(now.Sub(st.HereSince) / (24 * time.Hour))
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
	if d := daysAlone(s.Now(), st); d >= aloneDays {
		errs = append(errs, s.Println(s.T("agent.alone", "n", fmt.Sprint(st.OnlyHere), "days", fmt.Sprint(d))))
	}
	if st.Bundles > 0 {
		errs = append(errs, s.Println(s.T("agent.bundles_open", "n", fmt.Sprint(st.Bundles))))
	}
	if st.Again > 0 {
		say("agent.again_hint")
	}
	errs = append(errs, printLeft(s, len(st.Cases), st.News))
	for _, n := range st.Notices {
		errs = append(errs, s.Println(moment(n.Since)+" "+text.Sentence(s.Lang, syncproto.Fail(n.Code, "status", nil))))
	}
	if st.Waits() {
		errs = append(errs, s.Println(s.T("agent.waits_turn", "time", moment(st.Next))))
	}
	if st.Failed() {
		errs = append(errs, s.Println(s.T("agent.newest_failure", "time", moment(st.Tried.Round(time.Second)))+
			text.Sentence(s.Lang, syncproto.Fail(st.Error, "sync", nil))))
	}
	return errors.Join(errs...)
}

// printLeft says what waits for a person, and where to see it.
func printLeft(s *clikit.Session, cases, news int) error {
	var errs []error
	if cases > 0 {
		errs = append(errs, s.Println(s.T("agent.cases_hint", "n", itoa(cases))))
	}
	if news > 0 {
		errs = append(errs, s.Println(s.T("agent.news_hint", "n", itoa(news))))
	}
	return errors.Join(errs...)
}

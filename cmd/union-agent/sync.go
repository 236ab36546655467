package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto"
)

func (p program) sync(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "sync", Usage: s.T("agent.sync_usage"), Action: p.doSync}
}

// syncedOut is a sync in JSON.
type syncedOut struct {
	Union     string           `json:"union"`
	Sent      int              `json:"sent"`
	Left      int              `json:"left"`
	Received  int              `json:"received"`
	Held      int              `json:"held"`
	Conflicts int              `json:"conflicts"`
	Complete  bool             `json:"complete"`
	Equal     bool             `json:"equal"`
	Cases     int              `json:"cases"` // that wait for a person
	News      int              `json:"news"`  // records changed elsewhere since the person last looked
	Records   int              `json:"records"`
	Rounds    int              `json:"rounds"`
	BytesOut  int64            `json:"bytes_sent"`
	BytesIn   int64            `json:"bytes_received"`
	ElapsedMS int64            `json:"elapsed_ms"`
	Notices   []syncproto.Code `json:"notices"`
	Error     *clikit.Failure  `json:"error,omitempty"` // why this union's sync did not end well
}

func syncedOf(code string, r union.Result) syncedOut {
	return syncedOut{
		Union: code, Sent: r.Sent, Left: r.Left, Received: r.Received, Held: r.Held, Conflicts: r.Conflicts, Complete: r.Complete,
		Equal: r.Equal, Cases: r.Cases, News: r.News, Records: r.Records, Rounds: r.Rounds, BytesOut: r.BytesSent, BytesIn: r.BytesReceived,
		ElapsedMS: r.Elapsed.Milliseconds(), Notices: told(r),
	}
}

func (p program) doSync(c *cli.Context) error {
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
	var errs []error
	left := false // to a person
	out := []syncedOut{}
	for _, code := range all {
		bar := s.Progress(s.T("agent.syncing"))
		r, err := syncPatiently(c.Context, s, a, code, bar)
		bar.Done()
		one := syncedOf(code, r)
		if err != nil && s.JSON { // one value on standard output: the error stands in it
			failure := s.ErrorOf(err)
			one.Error, err = &failure, clikit.Outcome(clikit.ExitStatus(err))
		}
		if err != nil && len(errs) > 0 { // the first one is printed at the end
			s.Note(code + " " + text.Sentence(s.Lang, err))
		}
		if err != nil {
			errs = append(errs, err)
		}
		left = left || needsAttention(r)
		if out = append(out, one); s.JSON {
			continue
		}
		if len(all) > 1 {
			if err := s.Println(code); err != nil {
				return err
			}
		}
		if err := printSync(s, r, err); err != nil {
			return err
		}
	}
	if err := s.Print(out, func() error { return nil }); err != nil {
		return err
	}
	if left && len(errs) == 0 {
		return clikit.Outcome(clikit.ExitAttention)
	}
	return errors.Join(errs...)
}

// askedPatience is how long a sync by hand waits in all when the centre asks to come again.
const askedPatience = 5 * time.Minute

// syncPatiently syncs, and again when the centre asks for it: a person who waits for the end
// is shown that it waits, not an error. Beyond its patience the sync ends with the centre's
// word.
func syncPatiently(ctx context.Context, s *clikit.Session, a *agent.Agent, code string, bar *clikit.Progress) (union.Result, error) {
	for left := askedPatience; ; {
		r, err := a.Sync(ctx, code, func(r union.Result) { bar.Say(howFar(s, r)) })
		wait, asked := agent.Asked(err)
		wait += time.Duration(rand.Int64N(int64(wait/4) + 1)) // not together with all that were asked now
		if left -= wait; !asked || left < 0 {
			return r, err
		}
		bar.Say(s.T("agent.waits_seconds", "n", fmt.Sprint(int(wait.Seconds()))))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return r, err
		}
	}
}

// needsAttention reports whether a sync left something to a person.
func needsAttention(r union.Result) bool {
	return r.Held > 0 || r.Conflicts > 0 || r.Cases > 0 || len(told(r)) > 0 || !r.Complete
}

// told is what a sync has to tell a person: not of a fork again whose case was closed.
func told(r union.Result) []syncproto.Code {
	out := []syncproto.Code{}
	for _, code := range slices.Concat(r.Notices, r.Refused) {
		if !slices.Contains(out, code) && (code != syncproto.CodeForked || !r.ForkSettled) {
			out = append(out, code)
		}
	}
	return out
}

// printSync says what a sync did, also one that was cut.
func printSync(s *clikit.Session, r union.Result, cause error) error {
	if cause != nil && r.Rounds == 0 {
		return nil
	}
	say := func(id string, args ...string) error { return s.Println(s.T(id, args...)) }
	err := say("agent.synced", "sent", fmt.Sprint(r.Sent), "received", fmt.Sprint(r.Received))
	if err == nil {
		err = printWaits(s, r)
	}
	switch {
	case err != nil:
	case r.Equal:
		err = say("agent.synced_equal", "n", fmt.Sprint(r.Records))
	case !r.Complete && cause == nil:
		err = say("agent.synced_partly")
	}
	if err == nil {
		err = printLeft(s, r.Cases, r.News)
	}
	if err == nil && r.BytesSent+r.BytesReceived > 0 {
		err = say("agent.synced_cost", "rounds", fmt.Sprint(r.Rounds), "bytes", size(r.BytesSent+r.BytesReceived),
			"ms", fmt.Sprint(r.Elapsed.Milliseconds()))
	}
	return err
}

// printWaits says what an exchange found that a person should look at.
func printWaits(s *clikit.Session, r union.Result) error {
	var errs []error
	if r.Held > 0 {
		errs = append(errs, s.Println(s.T("agent.synced_held", "n", fmt.Sprint(r.Held))))
	}
	if r.Conflicts > 0 {
		errs = append(errs, s.Println(s.T("agent.synced_conflicts", "n", fmt.Sprint(r.Conflicts))))
	}
	for _, code := range told(r) {
		errs = append(errs, s.Println(text.Sentence(s.Lang, syncproto.Fail(code, "sync", nil))))
	}
	return errors.Join(errs...)
}

// howFar says how far a sync is, in changes, records and bytes both ways.
func howFar(s *clikit.Session, r union.Result) string {
	return s.T("agent.how_far", "sent", itoa(r.Sent), "left", itoa(r.Left), "received", itoa(r.Received),
		"up", size(r.BytesSent), "down", size(r.BytesReceived))
}

func size(n int64) string {
	if n < 10_000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d KB", (n+500)/1000)
}

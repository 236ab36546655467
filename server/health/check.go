package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

// Purpose is what a check is asked for. The words stand in URLs and in JSON; they are
// permanent.
type Purpose string

// Purposes of checks.
const (
	ForLife     Purpose = "live"       // fails: the process is beyond help, restart it
	ForExchange Purpose = "exchange"   // fails: send no agents here
	ForCounts   Purpose = "counts"     // fails: ask for no counts here
	ForOperator Purpose = "operations" // fails: it works, and somebody should look at it soon
)

// Check is one thing that must hold.
type Check struct {
	Name string // one word, permanent
	For  Purpose
	// Run gives nil if it holds, else an error with a code; its arguments are shown.
	Run func(ctx context.Context) error
}

// Result is what a check found. Its JSON form is stable: fields are added, never renamed.
type Result struct {
	Name string            `json:"name"`
	For  Purpose           `json:"for"`
	OK   bool              `json:"ok"`
	Code syncproto.Code    `json:"code,omitempty"` // why not
	Args map[string]string `json:"args,omitempty"` // of the code's sentence
}

// Err gives the result as an error, for a sentence in whatever language; nil if it is well.
func (r *Result) Err() error {
	if r.OK {
		return nil
	}
	return &syncproto.Error{Code: r.Code, Op: "check " + r.Name, Args: r.Args}
}

// checkTime is how long a check may take: what takes longer hangs.
const checkTime = 5 * time.Second

// Checks are all checks of a node, in the order in which they are told.
type Checks []Check

// Run makes the checks for some purposes, all of them for none, side by side.
func (c Checks) Run(ctx context.Context, purposes ...Purpose) []Result {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out := []Result{}
	var asked []Check
	for _, k := range c {
		if len(purposes) == 0 || slices.Contains(purposes, k.For) {
			asked, out = append(asked, k), append(out, Result{Name: k.Name, For: k.For})
		}
	}
	answers := make(chan int, len(asked))
	errs := make([]error, len(asked))
	var group errgroup.Group // nobody waits for one that hangs
	for i, k := range asked {
		group.Go(func() error {
			errs[i] = k.Run(ctx)
			answers <- i
			return nil
		})
	}
	for range asked {
		select {
		case i := <-answers:
			out[i].Note(errs[i])
		case <-ctx.Done():
			return hanging(out)
		}
	}
	return out
}

// Note notes what a check gave; nil is well.
func (r *Result) Note(err error) {
	r.OK = err == nil
	var coded *syncproto.Error
	switch {
	case err == nil:
	case errors.As(err, &coded):
		r.Code, r.Args = coded.Code, coded.Args
	default:
		r.Code = syncproto.CodeInternal
	}
}

// hanging marks those that have not answered.
func hanging(out []Result) []Result {
	for i := range out {
		if !out[i].OK && out[i].Code == 0 {
			out[i].Code = syncproto.CodeCheckHangs
			out[i].Args = map[string]string{"name": out[i].Name, "seconds": fmt.Sprint(checkTime.Seconds())}
		}
	}
	return out
}

// Failed reports whether one of the results for a purpose is bad; any purpose for none.
func Failed(results []Result, purposes ...Purpose) bool {
	for i := range results {
		if !results[i].OK && (len(purposes) == 0 || slices.Contains(purposes, results[i].For)) {
			return true
		}
	}
	return false
}

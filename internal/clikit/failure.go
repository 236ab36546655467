package clikit

import (
	"errors"

	"unionsync/internal/text"
	"unionsync/syncproto"
)

// Failure is how an error looks with --json.
type Failure struct {
	Code     syncproto.Code `json:"code"`
	Sentence string         `json:"sentence"`
	Hint     string         `json:"hint,omitempty"`
	Detail   string         `json:"detail,omitempty"`   // the cause, only where it is a bug
	Findings []Finding      `json:"findings,omitempty"` // each thing that is wrong
}

// Finding is one of several things that are wrong with what was given.
type Finding struct {
	Code     syncproto.Code `json:"code"`
	Sentence string         `json:"sentence"`
}

// ErrorOf says an error in the session's language.
func (s *Session) ErrorOf(err error) Failure {
	f := Failure{Code: syncproto.CodeOf(err), Sentence: text.Sentence(s.Lang, err), Hint: text.Hint(s.Lang, err)}
	if f.Code == syncproto.CodeInternal {
		f.Detail = err.Error()
	}
	var all withFindings
	if errors.As(err, &all) {
		for _, e := range all.findings {
			f.Findings = append(f.Findings, Finding{Code: syncproto.CodeOf(e), Sentence: text.Sentence(s.Lang, e)})
		}
	}
	return f
}

// WithFindings adds to an error each thing that is wrong: they are printed below it, and
// stand in its object with --json.
func WithFindings(err error, findings []error) error {
	if err == nil || len(findings) == 0 {
		return err
	}
	return withFindings{error: err, findings: findings}
}

type withFindings struct {
	error
	findings []error
}

func (w withFindings) Unwrap() error { return w.error }

package syncproto

import (
	"errors"
	"fmt"
)

// Code is the permanent number of an error that a person or the other end may meet. The
// wire and the message catalogue carry it; a number is never given a second meaning.
//
//	1xx general   2xx kinds and data   3xx spreadsheets   4xx identity and enrolment
//	5xx exchange  6xx centre           7xx storage        8xx counts   9xx commands
type Code uint16

// General codes.
const (
	CodeInternal Code = 100 // a fault of the program; details stay in the log
	CodeInvalid  Code = 101 // the sender broke a documented limit or form
	CodeUsage    Code = 102 // the command line cannot be understood
	CodeNotFound Code = 103 // what was asked for does not exist
)

// Error is an error with a permanent code. Args fill the placeholders of the code's
// sentence in the catalogue; they never hold names, ids or telephone numbers of members.
type Error struct {
	Code Code
	Op   string            // what was being done, lower case, as in "open journal"
	Args map[string]string // placeholders of the sentence
	Err  error             // the cause; may be nil
}

// Error gives the operation, the code and the cause, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: E%d", e.Op, e.Code)
	}
	return fmt.Sprintf("%s: E%d: %v", e.Op, e.Code, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [Error] of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf gives the code of the first [Error] in err's chain, or [CodeInternal].
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Fail makes an [Error]; args are pairs of placeholder and value.
func Fail(code Code, op string, cause error, args ...string) *Error {
	e := &Error{Code: code, Op: op, Err: cause}
	for i := 0; i+1 < len(args); i += 2 {
		if e.Args == nil {
			e.Args = make(map[string]string, len(args)/2)
		}
		e.Args[args[i]] = args[i+1]
	}
	return e
}

package main

import (
	"errors"
	"os/user"
	"slices"
	"testing"

	"unionsync/agent/union"
	"unionsync/syncproto"
)

// TestTold: each thing once, and a fork no more once people have closed its case.
func TestTold(t *testing.T) {
	fork, lost := syncproto.CodeForked, syncproto.CodeUnknownPrevious
	for _, tc := range []struct {
		why  string
		r    union.Result
		want []syncproto.Code
	}{
		{"nothing", union.Result{}, []syncproto.Code{}},
		{"a refused segment, said twice", union.Result{Refused: []syncproto.Code{lost, lost}}, []syncproto.Code{lost}},
		{"a fork that nobody looked at", union.Result{Notices: []syncproto.Code{fork}, Refused: []syncproto.Code{lost}}, []syncproto.Code{fork, lost}},
		{"a fork that people closed", union.Result{Notices: []syncproto.Code{fork}, ForkSettled: true}, []syncproto.Code{}},
	} {
		if got := told(tc.r); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.why, got, tc.want)
		}
	}
}

// TestAccount: the system's name stands in for one that nothing else gives.
func TestAccount(t *testing.T) {
	for _, tc := range []struct {
		why  string
		user func() (*user.User, error)
		want string
	}{
		{"nobody is asked", nil, ""},
		{"the system does not know", func() (*user.User, error) { return nil, errors.New("unknown") }, ""},
		{"logged in", func() (*user.User, error) { return &user.User{Username: "wang"}, nil }, "wang"},
	} {
		if got := (program{user: tc.user}).account(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.why, got, tc.want)
		}
	}
}

// TestNeedsPerson: an answer that leaves a case open ends with the status that says so.
func TestNeedsPerson(t *testing.T) {
	if needsPerson(union.Result{Sent: 3, Equal: true}) || !needsPerson(union.Result{Cases: 1}) {
		t.Error("the status of an import")
	}
}

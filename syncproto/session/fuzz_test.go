package session_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// asked is an agent with two changes, its request and the honest answer.
func asked(t testing.TB) (*sessiontest.Agent, session.Sent, *syncpb.Request, *syncpb.Response) {
	t.Helper()
	c, a := sessiontest.NewCentre(history), sessiontest.NewAgent("u1", 1, history)
	for i := range 2 {
		a.Save(syncproto.Change{Kind: 2, ID: record(i + 1), Edits: []syncproto.Edit{{Field: fieldName, Value: []byte("x")}}})
	}
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Exchange(q)
	if err != nil {
		t.Fatal(err)
	}
	return a, sent, q, r
}

// FuzzTake: no response, however made, crashes an agent; one that is refused leaves the
// state as it was.
func FuzzTake(f *testing.F) {
	_, _, _, r := asked(f)
	b, err := proto.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(syncpb.Response)
		if proto.Unmarshal(b, r) != nil {
			return
		}
		a, sent, _, _ := asked(t)
		r.History, r.Nonce = a.State.History, sent.Nonce // else the first check ends it
		before := a.State.Settled
		if _, err := a.Take(sent, r); err != nil && (a.State.Settled != before || len(a.Layer()) != 0) {
			t.Fatal("a refused response changed the state")
		}
	})
}

// FuzzRead: no request, however made, crashes the centre; the segments that pass are
// within the limits.
func FuzzRead(f *testing.F) {
	_, _, q, _ := asked(f)
	b, err := proto.Marshal(q)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		q := new(syncpb.Request)
		if proto.Unmarshal(b, q) != nil {
			return
		}
		segments, refused, err := session.Read(q)
		if err != nil {
			return
		}
		for i, s := range segments {
			if (s == nil) != (refused[i] != 0) {
				t.Fatalf("segment %d is %v with code %d", i, s, refused[i])
			}
			if s != nil {
				s.Places(syncproto.Place{Journal: s.Journal, Seq: s.First - 1})
			}
		}
		if _, err := sessiontest.NewCentre(history).Exchange(q); err != nil {
			t.Fatalf("a request that was read is not answered: %v", err)
		}
	})
}

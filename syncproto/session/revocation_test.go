package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// TestRevocationTravels: what was signed is what is read, also where nothing is accepted.
func TestRevocationTravels(t *testing.T) {
	for why, places := range map[string][]syncproto.Place{
		"a journal that went two ways":   {{Journal: 5, Seq: 2, Hash: syncproto.Hash{1}}, {Journal: 5, Seq: 3, Hash: syncproto.Hash{2}}},
		"a device that never signed any": nil,
	} {
		want := &syncproto.Revocation{Device: []byte{1}, Union: "u1", Places: places, Time: 7, Operator: "o", Reason: "r"}
		got, err := ReadRevocation(WireRevocation(want, []byte("sig")))
		if err != nil {
			t.Fatalf("%s: %v", why, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", why, diff)
		}
	}
	hash := make([]byte, 32)
	for why, places := range map[string][]*syncpb.RevokedPlace{
		"no union at all":          nil,
		"two unions":               {{Union: "u1", Journal: 1, Seq: 1, Hash: hash}, {Union: "u2", Journal: 1, Seq: 1, Hash: hash}},
		"a short hash":             {{Union: "u1", Journal: 1, Seq: 1, Hash: hash[:16]}},
		"nothing beside something": {{Union: "u1"}, {Union: "u1", Journal: 1, Seq: 1, Hash: hash}},
		"a union without a code":   {{Journal: 1, Seq: 1, Hash: hash}},
	} {
		if r, err := ReadRevocation(&syncpb.Revocation{Device: []byte{1}, Places: places}); err == nil {
			t.Errorf("%s: taken as %+v", why, r)
		}
	}
}

// FuzzReadRevocation: what is read says the same when it is written again.
func FuzzReadRevocation(f *testing.F) {
	b, err := proto.Marshal(WireRevocation(&syncproto.Revocation{Device: []byte{1}, Union: "u1", Places: []syncproto.Place{{Journal: 5, Seq: 2}}}, nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(syncpb.Revocation)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		r, err := ReadRevocation(m)
		if err != nil {
			return
		}
		again, err := ReadRevocation(WireRevocation(r, m.GetSignature()))
		if err != nil || string(again.Message()) != string(r.Message()) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}

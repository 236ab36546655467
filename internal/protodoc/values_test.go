package protodoc

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// world is what all examples of the page share.
type world struct {
	Union   string `json:"union"`
	History string `json:"history"`
	Seeds   struct {
		Device, Colleague, Node, CA string
	} `json:"seeds"`
	Device             string `json:"device"`
	Colleague          string `json:"colleague"`
	Node               string `json:"node"`
	Journal            string `json:"journal"`
	ColleaguesJournal  string `json:"colleagues journal"`
	GenerationRandom   uint64 `json:"random of generation 1"`
	CertificateStandIn string `json:"stands for a certificate"`
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// key makes a key of a seed that the page gives as one byte, 32 times.
func key(t *testing.T, s string) ed25519.PrivateKey {
	t.Helper()
	return ed25519.NewKeyFromSeed(bytes.Repeat(unhex(t, s), ed25519.SeedSize))
}

func journal(t *testing.T, s string) syncproto.JournalID {
	t.Helper()
	return syncproto.JournalID(binary.BigEndian.Uint64(unhex(t, s)))
}

func signer(k ed25519.PrivateKey, domain string) func([]byte) []byte {
	return func(msg []byte) []byte { return seal.Sign(k, domain, msg) }
}

// position reads generation/count.
func position(t *testing.T, s string) syncproto.Position {
	t.Helper()
	if s == "" {
		return 0
	}
	g, n, _ := strings.Cut(s, "/")
	number, err := strconv.ParseUint(g, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.ParseUint(n, 10, 48)
	if err != nil {
		t.Fatal(err)
	}
	return syncproto.MakePosition(uint16(number), count)
}

// dot reads journal/seq/tag.
func dot(t *testing.T, s string) syncproto.Dot {
	t.Helper()
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		t.Fatalf("dot %q", s)
	}
	seq, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return syncproto.Dot{Journal: journal(t, parts[0]), Seq: seq, Tag: binary.BigEndian.Uint32(unhex(t, parts[2]))}
}

func dots(t *testing.T, all []string) (out []syncproto.Dot) {
	for _, s := range all {
		out = append(out, dot(t, s))
	}
	return out
}

// change is a change as the page writes its values.
type change struct {
	Kind, Version uint32
	ID            string
	Actor, Note   string
	Time          int64
	Group         uint64
	Base          string
	Edits         []edit
	Resolves, Saw []fieldDot
	Verb          uint8
}

type edit struct {
	Field     uint16
	Value     string
	Cleared   bool
	Overwrote []string
	Add       []string
	Remove    []struct {
		Element string
		Dots    []string
	}
}

type fieldDot struct {
	Field uint16
	Dot   string
}

func fieldDots(t *testing.T, all []fieldDot) (out []syncproto.FieldDot) {
	for _, f := range all {
		out = append(out, syncproto.FieldDot{Field: syncproto.FieldNumber(f.Field), Dot: dot(t, f.Dot)})
	}
	return out
}

func (c *change) of(t *testing.T, union string) *syncproto.Change {
	t.Helper()
	out := &syncproto.Change{
		Union: union, Kind: syncproto.KindNumber(c.Kind), ID: syncproto.RecordID(unhex(t, c.ID)), KindVersion: c.Version, Actor: c.Actor,
		Time: c.Time, Group: c.Group, Base: position(t, c.Base), Resolves: fieldDots(t, c.Resolves), Saw: fieldDots(t, c.Saw),
		Verb: syncproto.Verb(c.Verb), Note: c.Note,
	}
	for _, e := range c.Edits {
		x := syncproto.Edit{Field: syncproto.FieldNumber(e.Field), Cleared: e.Cleared, Overwrote: dots(t, e.Overwrote)}
		if e.Value != "" {
			x.Value = []byte(e.Value)
		}
		for _, a := range e.Add {
			x.Add = append(x.Add, []byte(a))
		}
		for _, r := range e.Remove {
			x.Remove = append(x.Remove, syncproto.ElementDots{Element: []byte(r.Element), Dots: dots(t, r.Dots)})
		}
		out.Edits = append(out.Edits, x)
	}
	if err := out.Check(); err != nil {
		t.Fatal(err)
	}
	return out
}

// classes are those of the kinds that the program brings.
func classes(n syncproto.KindNumber) merge.Classes {
	k, ok := kind.Embedded().ByNumber(n)
	if !ok {
		panic(fmt.Sprintf("kind %d", n))
	}
	return k.Class
}

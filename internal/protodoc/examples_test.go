package protodoc

import (
	"fmt"
	"strings"
	"testing"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

// TestPage: whoever writes another agent checks his bytes against the page, so each of its
// examples must be what this code makes of the values that stand beside it.
func TestPage(t *testing.T) {
	p := readPage(t)
	var w world
	p.value("world", &w)
	s := newStory(t, p, &w)
	for _, example := range []func(*testing.T, *page, *world, *story){
		enrolment, changes, signatures, records, verdicts, exchange, cutPage, lineage, revocation, kinds, bundles, names,
	} {
		example(t, p, &w, s)
	}
	p.end()
}

// story is the changes of the page where they stand in their journals.
type story struct {
	own                          syncproto.JournalID
	first, second, full          syncproto.Placed // of the device
	theirs, concurrent           syncproto.Placed // of the colleague
	beforeFirst, beforeColleague syncproto.Place
}

func newStory(t *testing.T, p *page, w *world) *story {
	t.Helper()
	s := &story{own: journal(t, w.Journal)}
	place := func(label string, previous syncproto.Place) syncproto.Placed {
		var c change
		p.value(label, &c)
		x := c.of(t, w.Union)
		b := x.Encode(previous.Journal)
		return syncproto.Placed{Place: previous.Next(b), Bytes: b, Change: x}
	}
	s.beforeFirst = syncproto.Place{Journal: s.own}
	s.beforeColleague = syncproto.Place{Journal: journal(t, w.ColleaguesJournal)}
	s.first = place("first change", s.beforeFirst)
	s.second = place("second change", s.first.Place)
	s.full = place("third change", s.second.Place)
	s.theirs = place("colleagues change", s.beforeColleague)
	s.concurrent = place("concurrent change", s.theirs.Place)
	return s
}

func enrolment(t *testing.T, p *page, _ *world, _ *story) {
	var v struct{ CA, Secret string }
	p.value("code", &v)
	c := enrolcode.Code{CA: [enrolcode.CABytes]byte(unhex(t, v.CA)), Secret: [enrolcode.SecretBytes]byte(unhex(t, v.Secret))}
	p.check("code", c.String()+"\n")
	if got, err := enrolcode.ParseCode(c.String()); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
}

func changes(t *testing.T, p *page, _ *world, s *story) {
	p.check("first change", dump(t, s.first.Bytes, changeParts))
	p.check("places", places(s.first.Place, s.second.Place, s.full.Place, s.theirs.Place, s.concurrent.Place))
	p.check("third change", dump(t, s.full.Bytes, changeParts))
	got, err := syncproto.DecodeChange(s.full.Bytes, s.own)
	if err != nil || string(got.Encode(s.own)) != string(s.full.Bytes) {
		t.Errorf("the third change does not read back: %v", err)
	}
}

func places(all ...syncproto.Place) string {
	var out strings.Builder
	for _, p := range all {
		fmt.Fprintf(&out, "%x  # hash; dot %s\n", p.Hash, p.Dot())
	}
	return out.String()
}

func signatures(t *testing.T, p *page, w *world, s *story) {
	own := key(t, w.Seeds.Device)
	msg := syncproto.SegmentMessage(w.Union, s.second.Place)
	p.check("segment signature", rows("the device's public key", []byte(own[32:]), "message", msg,
		"signature", seal.Sign(own, syncproto.DomainSegment, msg)))
	var v struct {
		Number           uint16
		Random           uint64
		Base             string
		Operator, Reason string
	}
	p.value("generation", &v)
	g := syncproto.Generation{Number: v.Number, Random: v.Random, Base: position(t, v.Base), Operator: v.Operator, Reason: v.Reason}
	g.Signature = seal.Sign(key(t, w.Seeds.CA), syncproto.DomainGeneration, g.Message())
	p.check("generation message", rows("message", g.Message()))
	p.check("generation", dumpMessage(t, session.WireLife(g)))
}

func records(t *testing.T, p *page, _ *world, s *story) {
	key := s.first.Change.Key()
	class := classes(key.Kind)
	at := func(n uint64) syncproto.Position { return syncproto.MakePosition(1, n) }
	r, _ := merge.Merge(class, nil, s.first.Change, s.first.Place.Dot(), at(2))
	if seen := r.SeenDots(10, syncproto.ClassAsk); len(seen) != 1 || seen[0] != s.second.Change.Edits[0].Overwrote[0] {
		t.Errorf("the second change names %v, its author saw %v", s.second.Change.Edits[0].Overwrote, seen)
	}
	before, was := merge.Merge(class, r, s.second.Change, s.second.Place.Dot(), at(3))
	after, is := merge.Merge(class, before, s.concurrent.Change, s.concurrent.Place.Dot(), at(4))
	show := func(label string, r *merge.Record, v syncproto.VerdictKind) {
		h := merge.Hash(key, r)
		p.check(label, dump(t, r.Encode(), recParts)+rows("the record's hash; verdict "+v.String(), h[:]))
	}
	show("record before", before, was.Kind)
	show("record after", after, is.Kind)
	h := merge.Hash(key, after)
	other, _ := merge.Merge(class, nil, s.theirs.Change, s.theirs.Place.Dot(), at(1))
	d := merge.Xor(h, merge.Hash(s.theirs.Change.Key(), other))
	p.check("digest", rows("of both records, to the last byte; a page carries 16", d[:]))
}

func verdicts(t *testing.T, p *page, w *world, s *story) {
	var all []struct {
		Position     string
		Kind, Reason uint8
		Hash         string
	}
	p.value("verdicts", &all)
	var v []syncproto.Verdict
	for _, x := range all {
		v = append(v, syncproto.Verdict{
			Position: position(t, x.Position), Kind: syncproto.VerdictKind(x.Kind), Reason: syncproto.HeldReason(x.Reason),
			Hash: syncproto.RecordHash(unhex(t, x.Hash)),
		})
	}
	r, err := session.AnswerWithout(request(w, s), []session.Outcome{{Verdicts: v}}, emptyCentre(t, w))
	if err != nil {
		t.Fatal(err)
	}
	h := syncproto.VerdictsHash(v)
	p.check("verdicts", dumpMessage(t, r.GetVerdicts()[0])+rows("their hash", h[:]))
}

func lineage(t *testing.T, p *page, _ *world, _ *story) {
	for _, label := range []string{"lives", "twin lives"} {
		var v struct {
			Lives []struct {
				Number uint16
				Random uint64
				Base   string
			}
			Positions []string
			Cuts      []struct {
				Position string
				Life     uint16
			}
		}
		p.value(label, &v)
		var l syncproto.Lineage
		for _, g := range v.Lives {
			l, _ = l.With(syncproto.Generation{Number: g.Number, Random: g.Random, Base: position(t, g.Base)})
		}
		var out strings.Builder
		for _, s := range v.Positions {
			fmt.Fprintf(&out, "holds %-6s %v\n", s, l.Holds(position(t, s)))
		}
		for _, c := range v.Cuts {
			fmt.Fprintf(&out, "cut   %-6s known in life %d: %s\n", c.Position, c.Life, l.Cut(position(t, c.Position), c.Life))
		}
		p.check(label, out.String())
	}
}

func revocation(t *testing.T, p *page, w *world, s *story) {
	var v struct {
		Time             int64
		Operator, Reason string
	}
	p.value("revocation", &v)
	r := &syncproto.Revocation{
		Device: unhex(t, w.Device), Union: w.Union, Places: []syncproto.Place{s.second.Place}, Time: v.Time, Operator: v.Operator, Reason: v.Reason,
	}
	sig := seal.Sign(key(t, w.Seeds.CA), syncproto.DomainRevocation, r.Message())
	p.check("revocation message", rows("message", r.Message()))
	p.check("revocation", dumpMessage(t, session.WireRevocation(r, sig)))
}

func kinds(t *testing.T, p *page, w *world, _ *story) {
	var v struct {
		Pairs      []uint32
		Name, Yaml string
		Version    uint32
	}
	p.value("kinds", &v)
	msg := syncproto.KindFileMessage(v.Name, v.Version, []byte(v.Yaml))
	p.check("kinds", fmt.Sprintf("%08x  # fingerprint, as a fixed32 %d\n", kind.FingerprintOf(v.Pairs), kind.FingerprintOf(v.Pairs))+
		rows("message of the file", msg, "the CA's signature", seal.Sign(key(t, w.Seeds.CA), syncproto.DomainKindFile, msg)))
}

func bundles(t *testing.T, p *page, w *world, _ *story) {
	var v struct {
		ID, ReplyTo, Sealed string
		MadeAt              int64
		Messages            []string
	}
	p.value("bundle", &v)
	b := &bundle.Bundle{
		Kind: bundle.KindRequest, ID: bundle.ID(unhex(t, v.ID)), City: bundle.City(unhex(t, w.History)), Union: w.Union,
		Device: bundle.Device(unhex(t, w.Device)), Generation: syncproto.Generation{Number: 1, Random: w.GenerationRandom},
		MadeAt: v.MadeAt, ReplyTo: v.ReplyTo, Certificate: unhex(t, w.CertificateStandIn),
	}
	for _, m := range v.Messages {
		b.Messages = append(b.Messages, unhex(t, m))
	}
	b.Signature = seal.Sign(key(t, w.Seeds.Device), syncproto.DomainBundle, b.Signed())
	file, err := bundle.EncodeFile(b.Head(), []byte(v.Sealed))
	if err != nil {
		t.Fatal(err)
	}
	p.check("bundle head", string(file)+"\n")
	p.check("bundle payload", dump(t, b.Encode(), bundleParts))
	if _, err := bundle.Decode(b.Encode()); err != nil {
		t.Error(err)
	}
}

func names(t *testing.T, p *page, w *world, _ *story) {
	var v struct {
		Addresses []string
		Recipient string
		Parts     []string
	}
	p.value("names", &v)
	j := ledger.StaffJournal(w.Union, w.GenerationRandom)
	p.check("names", fmt.Sprintf("%08x  # client.addresses\n%08x  # client.recipient\n%s  # id of parts\n%s  # staff journal\n",
		wire.AddressesHash(v.Addresses), wire.RecipientHash(v.Recipient), syncproto.HashedID(v.Parts...), j))
	if !strings.HasPrefix(v.Parts[0], "case") {
		t.Error("the id shown is that of a case")
	}
}

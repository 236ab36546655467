package protodoc

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"iter"
	"strings"
	"testing"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// centre is the page's centre: one union, one node.
type centre struct {
	*sessiontest.Centre
	colleague []byte // id of the device that signs for the colleague's journal
}

// Log implements [session.View]: names of devices stand for the keys that sessiontest has.
func (c centre) Log(after syncproto.Position, bare func(syncproto.Position) bool) iter.Seq2[*session.Logged, error] {
	return func(yield func(*session.Logged, error) bool) {
		for l, err := range c.Centre.Log(after, bare) {
			if err == nil && len(l.Signature) > 0 {
				l.Signer = c.colleague
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

func emptyCentre(t *testing.T, w *world) centre {
	t.Helper()
	c := sessiontest.NewCentre(unhex(t, w.History))
	c.Class = classes
	c.Key = key(t, w.Seeds.Node)
	c.Lineage = syncproto.Lineage{{Number: 1, Random: w.GenerationRandom}}
	return centre{Centre: c, colleague: unhex(t, w.Colleague)}
}

// request is one that says no more than a centre needs.
func request(w *world, s *story) *syncpb.Request {
	return &syncpb.Request{
		ProtocolMin: syncproto.ProtocolMin, ProtocolMax: syncproto.ProtocolMax, Union: w.Union, Journal: uint64(s.own),
		Generation: &syncpb.GenerationRef{Number: 1, Random: w.GenerationRandom},
	}
}

// deliver brings the colleague's changes to the centre, as one segment.
func (c centre) deliver(t *testing.T, w *world, s *story, changes ...syncproto.Placed) {
	t.Helper()
	q := request(w, s)
	q.Journal = uint64(s.beforeColleague.Journal)
	q.Batch = []*syncpb.Segment{session.OwnSegment(w.Union, s.beforeColleague, changes, signer(key(t, w.Seeds.Colleague), syncproto.DomainSegment))}
	if r, err := c.Exchange(q); err != nil || len(r.GetRefused()) > 0 {
		t.Fatalf("%v, %v", r.GetRefused(), err)
	}
}

// answer is what the node n1 says to q, the receipt signed, as the gate does.
func (c centre) answer(t *testing.T, w *world, q *syncpb.Request) *syncpb.Response {
	t.Helper()
	if r, err := c.Exchange(q); err != nil || len(r.GetRefused()) > 0 {
		t.Fatalf("%v, %v", r.GetRefused(), err)
	}
	segments, _, err := session.Read(q)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []session.Outcome
	for _, s := range segments {
		outcomes = append(outcomes, c.stored(t, s))
	}
	node := key(t, w.Seeds.Node)
	r, err := session.Answer(q, outcomes, c, session.Signer{ID: []byte(w.Node), Sign: func(domain string, m []byte) []byte { return seal.Sign(node, domain, m) }})
	if err != nil {
		t.Fatal(err)
	}
	r.History = unhex(t, w.History)
	r.Generation = q.GetGeneration()
	if msg := session.ReceiptMessage(q, r); msg != nil {
		r.Receipt.Signature = seal.Sign(node, syncproto.DomainReceipt, msg)
	}
	return r
}

// stored gives the verdicts on a segment that the centre has by now.
func (c centre) stored(t *testing.T, s *session.Segment) (o session.Outcome) {
	t.Helper()
	if s.First != 1 {
		t.Fatal("the page's segments begin their journals")
	}
	for i, p := range s.Places(syncproto.Place{Journal: s.Journal}) {
		_, v, ok, err := c.Find(p.Journal, p.Seq, p.Hash.Wire())
		if err != nil || !ok {
			t.Fatalf("%s is not there: %v", p.Dot(), err)
		}
		ch, err := syncproto.DecodeChange(s.Changes[i], s.Journal)
		if err != nil {
			t.Fatal(err)
		}
		o.Verdicts, o.Keys, o.Last = append(o.Verdicts, v), append(o.Keys, ch.Key()), p
	}
	return o
}

// exchange is one whole round trip: the device has saved two changes and was never here, the
// colleague has delivered one.
func exchange(t *testing.T, p *page, w *world, s *story) {
	var v struct {
		Nonce, Version, System string
		Budget                 int
		Time, CentresTime      int64
		Slot                   [3]uint32
		SignersName            string
	}
	p.value("exchange", &v)
	a := sessiontest.NewAgent(w.Union, s.own, unhex(t, w.History))
	a.Key, a.Class = key(t, w.Seeds.Device), classes
	a.State.Lineage = syncproto.Lineage{{Number: 1, Random: w.GenerationRandom}}
	a.State.Budget = v.Budget
	for _, c := range []syncproto.Placed{s.first, s.second} {
		if got := a.Append(c.Bytes, c.Change); got.Place != c.Place {
			t.Fatalf("%v at %v", c.Place, got.Place)
		}
	}
	q, sent, err := a.Ask()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(q.GetNonce(), unhex(t, v.Nonce)) {
		t.Fatalf("nonce %x", q.GetNonce())
	}
	q.Client = &syncpb.Client{Version: v.Version, System: v.System, Time: v.Time, Waiting: 2, Kinds: kind.FingerprintOf([]uint32{2, 1})}
	p.check("request", dumpMessage(t, q))

	c := emptyCentre(t, w)
	c.deliver(t, w, s, s.theirs)
	r := c.answer(t, w, q)
	receipt := session.ReceiptMessage(q, r)
	r.Receipt.Signer, r.Receipt.Certificate = unhex(t, v.SignersName), unhex(t, w.CertificateStandIn)
	r.Page.Certificates = [][]byte{unhex(t, w.CertificateStandIn)}
	r.Slot, r.Time = &syncpb.Slot{Minute: v.Slot[0], WindowStart: v.Slot[1], WindowEnd: v.Slot[2]}, v.CentresTime
	p.check("receipt message", rows("message", receipt))
	p.check("response", dumpMessage(t, r))
	take(t, a, w, sent, r)
}

// take works the answer in, all signatures checked: both ends are equal after it.
func take(t *testing.T, a *sessiontest.Agent, w *world, sent session.Sent, r *syncpb.Response) {
	t.Helper()
	a.Verify = func(_ string, rc *syncpb.Receipt, msg []byte) error {
		return seal.Verify(key(t, w.Seeds.Node).Public().(ed25519.PublicKey), syncproto.DomainReceipt, msg, rc.GetSignature())
	}
	a.VerifyRun = func(by []byte, _ [][]byte, msg, sig []byte) error {
		if !bytes.Equal(by, unhex(t, w.Colleague)) {
			return fmt.Errorf("signed by %x", by)
		}
		return seal.Verify(key(t, w.Seeds.Colleague).Public().(ed25519.PublicKey), syncproto.DomainSegment, msg, sig)
	}
	up, err := a.Take(sent, r)
	if err != nil {
		t.Fatal(err)
	}
	if !up.Equal || up.Again || len(up.Notices) > 0 || len(up.Keep) != 1 {
		t.Errorf("the answer is taken as %+v", up)
	}
}

// cutPage is a page that ends inside a run: the node signs where it ends.
func cutPage(t *testing.T, p *page, w *world, s *story) {
	var v struct {
		Budget uint32
		Notes  int
		Times  int
	}
	p.value("cut page", &v)
	c := emptyCentre(t, w)
	place, run := s.beforeColleague, []syncproto.Placed(nil)
	for range v.Times {
		x := *s.theirs.Change
		x.Note = strings.Repeat("x", v.Notes)
		x.Edits = []syncproto.Edit{{Field: 10, Value: []byte(fmt.Sprint("v", place.Seq+1)), Overwrote: before(place)}}
		b := x.Encode(place.Journal)
		place = place.Next(b)
		run = append(run, syncproto.Placed{Place: place, Bytes: b, Change: &x})
	}
	c.deliver(t, w, s, run...)
	q := request(w, s)
	q.Budget = v.Budget
	pg := c.answer(t, w, q).GetPage()
	var out strings.Builder
	fmt.Fprintf(&out, "start %s next %s more %v records %d digest %x\n", syncproto.Position(pg.GetStart()), syncproto.Position(pg.GetNext()),
		pg.GetMore(), len(pg.GetRecords()), pg.GetDigest())
	for i, m := range pg.GetLog() {
		if !bytes.Equal(m.GetChange(), run[i].Bytes) {
			t.Error("another change")
		}
		fmt.Fprintf(&out, "position %s seq %d change of %d bytes, hash %x\n", syncproto.Position(m.GetPosition()), m.GetSeq(), len(m.GetChange()), run[i].Place.Hash)
		fmt.Fprintf(&out, "  previous %x kind %d signer %q\n  signature %x\n", m.GetPrevious(), m.GetKind(), m.GetSigner(), m.GetSignature())
	}
	p.check("cut page", out.String())
	end := pg.GetLog()[len(pg.GetLog())-1]
	msg := syncproto.SegmentMessage(w.Union, run[len(pg.GetLog())-1].Place)
	if err := seal.Verify(key(t, w.Seeds.Node).Public().(ed25519.PublicKey), syncproto.DomainSegment, msg, end.GetSignature()); err != nil {
		t.Error(err)
	}
}

func before(p syncproto.Place) []syncproto.Dot {
	if p.Seq == 0 {
		return nil
	}
	return []syncproto.Dot{p.Dot()}
}

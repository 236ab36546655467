package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// unionService is the agents' service.
type unionService struct{ g *Gate }

// device is the device that an exchange is of, as its certificate names it.
type device struct {
	id   []byte
	key  string // id of its public key, in hexadecimal digits
	cert []byte // as it showed it, DER; nil: it came by another way
}

// mark names the device to the leader.
func (d device) mark(h http.Header) {
	h.Set(headerDevice, hex.EncodeToString(d.id))
	h.Set(headerKey, d.key)
	h.Set(headerCertificate, base64.StdEncoding.EncodeToString(d.cert))
}

// Exchange is the whole of a sync. The leader decides and commits; the node that was asked
// signs the receipt and answers.
func (s *unionService) Exchange(ctx context.Context, req *connect.Request[syncpb.Request]) (*connect.Response[syncpb.Response], error) {
	g, began := s.g, s.g.cfg.Now()
	d, err := deviceOf(callerOf(ctx), req.Header())
	if err != nil {
		return answer[syncpb.Response](g, "exchange", nil, err)
	}
	r, err := onLeader(ctx, g, call[syncpb.Request, syncpb.Response]{
		op: "exchange", head: req.Header(),
		mark:  d.mark,
		local: func(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) { return g.exchange(ctx, d, q) },
		remote: func(ctx context.Context, url string, q *connect.Request[syncpb.Request]) (*connect.Response[syncpb.Response], error) {
			return g.unionAt(url).Exchange(ctx, q)
		},
	}, req.Msg)
	if !forwarded(req.Header()) {
		g.cfg.Meter.Exchanged(outcomeOf(r, err), g.cfg.Now().Sub(began))
	}
	if err != nil {
		return answer(g, "exchange", r, err)
	}
	if !forwarded(req.Header()) {
		g.signReceipt(req.Msg, r)
		g.logExchange(d, req.Msg, r, began)
	}
	return connect.NewResponse(r), nil
}

// deviceOf gives the device that a request is of: the caller, or the one that another node
// names. Whether the centre knows it is the leader's question.
func deviceOf(c caller, h http.Header) (device, error) {
	id, key, cert := c.id.ID, c.id.KeyID.String(), c.cert
	var err error
	if c.id.Role == tlsid.RoleNode {
		id, key = h.Get(headerDevice), h.Get(headerKey)
		if cert, err = base64.StdEncoding.DecodeString(h.Get(headerCertificate)); err != nil {
			return device{}, syncproto.Fail(syncproto.CodeCertificate, "read device's certificate", err)
		}
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != deviceIDSize {
		return device{}, syncproto.Fail(syncproto.CodeCertificate, "read device's id", err)
	}
	return device{id: b, key: key, cert: cert}, nil
}

// deviceIDSize is how many bytes name a device.
const deviceIDSize = 16

// exchange answers a request at the leader. Everything that can be refused is refused
// before anything is proposed.
func (g *Gate) exchange(ctx context.Context, d device, q *syncpb.Request) (*syncpb.Response, error) {
	known, err := g.admit(ctx, d, q)
	if err != nil {
		return nil, err
	}
	segments, refused, err := session.Read(q)
	if err != nil {
		return nil, err
	}
	if len(segments) > 0 && g.cfg.Log.Queue() >= g.cfg.Capacity.Items {
		g.cfg.Meter.NotLetIn(syncproto.CodeQueueFull)
		return nil, refusal(syncproto.CodeQueueFull, "take changes", g.pace.seconds(g.cfg.Now()), nil)
	}
	if err := g.notBehind(ctx, q); err != nil {
		return nil, err
	}
	lives, stranger, err := g.lives(ctx, q)
	if err != nil {
		return nil, err
	}
	if stranger {
		return g.answerLives(q)
	}
	if err := g.takeReturned(ctx, q); err != nil {
		return nil, err
	}
	g.takeKinds(ctx, q)
	p := &preparing{
		g: g, device: d, key: known.GetPublicKey(), union: q.GetUnion(), refused: refused,
		lives: lives, old: !isNewest(lives, q), certified: g.returnedCertificates(q),
	}
	if err := p.prepare(segments); err != nil {
		return nil, err
	}
	if err := p.commit(ctx); err != nil {
		return nil, err
	}
	v := g.cfg.Ledger.View(q.GetUnion())
	defer v.Done()
	if known, err = g.cfg.Ledger.Device(d.id); err != nil || known.GetRevoked() {
		if err != nil {
			return nil, err
		}
		g.contacts.note(q.GetUnion(), d.id, contactOf(q, false))
		return g.answerRevoked(q, p.outcomes, v, d, known)
	}
	r, err := session.Answer(q, p.outcomes, v, g.signer())
	if err != nil {
		return nil, err
	}
	if err := g.addCertificates(r.GetPage()); err != nil {
		return nil, err
	}
	complete, err := isComplete(q, r, v)
	if err != nil {
		return nil, err
	}
	if err := fillRevocations(r, v); err != nil {
		return nil, err
	}
	r.Certificate = g.renew(ctx, d, known)
	g.contacts.note(q.GetUnion(), d.id, contactOf(q, complete))
	return r, g.fill(q, r)
}

// admit checks that the centre knows the device and that the union is one of its own. One
// that was revoked is let in: what it has is taken, and held.
func (g *Gate) admit(ctx context.Context, d device, q *syncpb.Request) (*entrypb.Device, error) {
	const op = "admit device"
	if !g.cfg.Ledger.Ready() {
		return nil, syncproto.Fail(syncproto.CodeNotReady, op, nil, argSeconds, leaderSeconds)
	}
	if h := q.GetHistory(); len(h) > 0 && !bytes.Equal(h, g.history) {
		return nil, syncproto.Fail(syncproto.CodeOtherCentre, op, nil)
	}
	known, err := g.recognise(ctx, d)
	switch {
	case err != nil:
		return nil, err
	case known == nil || tlsid.KeyIDOf(known.GetPublicKey()).String() != d.key:
		return nil, syncproto.Fail(syncproto.CodeDeviceUnknown, op, nil)
	case !known.HasUnion(q.GetUnion()):
		return nil, syncproto.Fail(syncproto.CodeNotYourUnion, op, nil)
	}
	return known, nil
}

// notBehind makes certain that this node's state is not older than what the agent has a
// receipt for. It asks the others only when it looks so: a leader that has been replaced
// without knowing cannot commit, so this is the one case in which it could mislead.
func (g *Gate) notBehind(ctx context.Context, q *syncpb.Request) error {
	behind, err := g.looksBehind(q)
	if err != nil || !behind {
		return err
	}
	return g.cfg.Log.Confirm(ctx)
}

func (g *Gate) looksBehind(q *syncpb.Request) (bool, error) {
	v := g.cfg.Ledger.View(q.GetUnion())
	defer v.Done()
	if syncproto.Position(q.GetCursor()) > v.Head() {
		return true, nil
	}
	rc := q.GetReceipt()
	if rc.GetSeq() == 0 {
		return false, nil
	}
	_, _, ok, err := v.Find(syncproto.JournalID(q.GetJournal()), rc.GetSeq(), rc.GetHash())
	return !ok, err
}

// isComplete reports whether this answer leaves the agent nothing to do: all that it has is
// here, and this is the last page.
func isComplete(q *syncpb.Request, r *syncpb.Response, v *ledger.View) (bool, error) {
	if r.GetPage().GetMore() || len(r.GetRefused()) > 0 {
		return false, nil
	}
	h := q.GetHead()
	if h.GetSeq() == 0 {
		return true, nil
	}
	_, _, ok, err := v.Find(syncproto.JournalID(q.GetJournal()), h.GetSeq(), h.GetHash())
	return ok, err
}

// signReceipt signs for what the answer says that the centre has.
func (g *Gate) signReceipt(q *syncpb.Request, r *syncpb.Response) {
	msg := session.ReceiptMessage(q, r)
	if msg == nil {
		return
	}
	own := g.cfg.Node.Live()
	id := tlsid.KeyIDOf(own.Key.Public().(ed25519.PublicKey))
	r.Receipt.Signature = seal.Sign(own.Key, syncproto.DomainReceipt, msg)
	r.Receipt.Signer = id[:]
	r.Receipt.Certificate = own.Cert.Raw
}

// logExchange writes the one line of an exchange.
func (g *Gate) logExchange(d device, q *syncpb.Request, r *syncpb.Response, began time.Time) {
	changes := 0
	for _, s := range q.GetBatch() {
		changes += len(s.GetChanges())
	}
	g.cfg.Logger.Info("exchange", "union", q.GetUnion(), "device", hex.EncodeToString(d.id[:4]),
		"changes", changes, "refused", len(r.GetRefused()), "records", len(r.GetPage().GetRecords()),
		"more", r.GetPage().GetMore(), "elapsed", g.cfg.Now().Sub(began))
}

package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Enrol turns a one-time code into a device certificate. The same device may come again
// with the same code, as after a lost answer, and gets another certificate.
func (s *unionService) Enrol(ctx context.Context, req *connect.Request[unionrpc.EnrolRequest]) (*connect.Response[unionrpc.EnrolResponse], error) {
	g := s.g
	from := addressKey(cameFrom(ctx, req.Header()))
	if err := g.attempts.check(from, g.cfg.Now()); err != nil {
		return answer[unionrpc.EnrolResponse](g, "enrol", nil, err)
	}
	d, _ := deviceOf(callerOf(ctx), req.Header()) // none: it enrols for the first time
	mark := d.mark
	if d.id == nil {
		mark = nil
	}
	r, err := onLeader(ctx, g, call[unionrpc.EnrolRequest, unionrpc.EnrolResponse]{
		op: "enrol", head: req.Header(), mark: mark,
		local: func(ctx context.Context, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
			return g.enrol(ctx, d, q)
		},
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.EnrolRequest]) (*connect.Response[unionrpc.EnrolResponse], error) {
			return g.unionAt(url).Enrol(ctx, q)
		},
	}, req.Msg)
	if wrongCode(err) {
		g.attempts.wrong(from, g.cfg.Now())
	}
	return answer(g, "enrol", r, err)
}

// cameFrom is the address at the outer end of a call.
func cameFrom(ctx context.Context, h http.Header) netip.Addr {
	if forwarded(h) {
		if a, err := netip.ParseAddr(h.Get(headerAddress)); err == nil {
			return a
		}
	}
	return callerOf(ctx).address
}

// wrongCode reports what somebody who guesses meets.
func wrongCode(err error) bool {
	switch syncproto.CodeOf(err) {
	case syncproto.CodeEnrolUnknown, syncproto.CodeEnrolLength, syncproto.CodeEnrolCharacter, syncproto.CodeEnrolChecksum:
		return err != nil
	}
	return false
}

// enrol admits a device at the leader. One that has enrolled before shows its certificate:
// unions that a restore has lost come in again by it.
func (g *Gate) enrol(ctx context.Context, d device, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
	const op = "enrol"
	if !g.cfg.Ledger.Ready() {
		return nil, syncproto.Fail(syncproto.CodeNotReady, op, nil, argSeconds, leaderSeconds)
	}
	if len(q.GetDevice()) != deviceIDSize || len(q.GetPublicKey()) != ed25519.PublicKeySize {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, errors.New("device id or key of a wrong length"), "what", "device")
	}
	code, err := enrolcode.ParseCode(q.GetCode())
	if err != nil {
		return nil, err
	}
	hash, union, err := g.openCode(code, q)
	if err != nil {
		return nil, err
	}
	unions := []string{union}
	if bytes.Equal(d.id, q.GetDevice()) {
		if _, err := g.recognise(ctx, d); err != nil {
			return nil, err
		}
	}
	known, err := g.cfg.Ledger.Device(q.GetDevice())
	if err != nil {
		return nil, err
	}
	now := time.Unix(g.now(), 0)
	unions = certified(append(unions, known.GetUnions()...))
	cert, err := g.cfg.Node.City.SignDevice(q.GetPublicKey(), hex.EncodeToString(q.GetDevice()), now, unions...)
	if err != nil {
		return nil, err
	}
	_, err = g.propose(ctx, &entrypb.Enrolled{
		Time: now.Unix(), Hash: hash, Device: q.GetDevice(), PublicKey: q.GetPublicKey(), Certificate: cert.Raw,
	})
	if err != nil {
		return nil, err
	}
	g.cfg.Logger.Info("device enrolled", "union", union, "device", hex.EncodeToString(q.GetDevice()[:4]))
	return g.enrolled(union, cert.Raw)
}

// openCode looks a code up before anything is proposed. Guesses are counted by the first
// bits of the code's secret: however many addresses they come from, each can be tried only
// as often as all that look like it. The ledger decides again, and finally.
func (g *Gate) openCode(code enrolcode.Code, q *unionrpc.EnrolRequest) (hash []byte, union string, err error) {
	const op = "enrol"
	prefix := hex.EncodeToString(code.Secret[:1])
	if err := g.guesses.check(prefix, g.cfg.Now()); err != nil {
		return nil, "", err
	}
	sum := code.Hash(g.cfg.Node.City.EnrolKey())
	state, err := g.cfg.Ledger.Code(sum[:])
	if err != nil {
		return nil, "", err
	}
	if state == nil {
		g.guesses.wrong(prefix, g.cfg.Now())
		return nil, "", syncproto.Fail(syncproto.CodeEnrolUnknown, op, nil)
	}
	again := bytes.Equal(state.GetDevice(), q.GetDevice())
	known, err := g.cfg.Ledger.Device(q.GetDevice())
	switch {
	case err != nil:
		return nil, "", err
	case len(state.GetDevice()) > 0 && !again:
		return nil, "", syncproto.Fail(syncproto.CodeEnrolUsed, op, nil)
	case known != nil && !bytes.Equal(known.GetPublicKey(), q.GetPublicKey()):
		return nil, "", syncproto.Fail(syncproto.CodeEnrolUsed, op, errors.New("the device has another key"))
	case known.GetRevoked():
		return nil, "", syncproto.Fail(syncproto.CodeDeviceRevoked, op, nil)
	case ledger.CodeVoid(state):
		return nil, "", syncproto.Fail(syncproto.CodeEnrolVoid, op, nil)
	case !again && g.now() > state.GetExpires():
		return nil, "", syncproto.Fail(syncproto.CodeEnrolExpired, op, nil)
	}
	return sum[:], state.GetUnion(), nil
}

// enrolled is what a new device gets beside its certificate.
func (g *Gate) enrolled(union string, cert []byte) (*unionrpc.EnrolResponse, error) {
	genesis, err := g.cfg.Ledger.Genesis()
	if err != nil {
		return nil, err
	}
	gen, err := g.cfg.Ledger.Generation()
	if err != nil {
		return nil, err
	}
	addresses, err := g.addresses()
	if err != nil {
		return nil, err
	}
	name, err := g.unionName(union)
	if err != nil {
		return nil, err
	}
	return &unionrpc.EnrolResponse{
		Union: union, UnionName: name, Certificate: cert, Ca: g.cfg.Node.Own.CA.Raw,
		Addresses: addresses, CityRecipient: genesis.GetCityRecipient(), Time: g.now(),
		Generation: generationRef(gen), Slot: g.slot(union), Recipient: g.bundles,
	}, nil
}

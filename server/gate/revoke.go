package gate

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Revoked tells what a revocation did. Its JSON form is stable: fields are added, never
// renamed.
type Revoked struct {
	Device string         `json:"device"`
	Before bool           `json:"before"` // it was revoked already, and nothing was changed
	Unions []RevokedUnion `json:"unions"`
}

// RevokedUnion is where a device's right ends in one union.
type RevokedUnion struct {
	Union  string         `json:"union"`
	Places []RevokedPlace `json:"places"` // what stands up to these stays accepted
}

// RevokedPlace is the last accepted change of one journal.
type RevokedPlace struct {
	Journal string `json:"journal"`
	Seq     uint64 `json:"seq"`
}

// Revoke takes a device its right: from here on what it signs is held.
func (s *adminService) Revoke(ctx context.Context, req *connect.Request[unionrpc.RevokeRequest]) (*connect.Response[unionrpc.RevokeResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.RevokeRequest, unionrpc.RevokeResponse]{
		op: "revoke", head: req.Header(), local: g.revoke,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.RevokeRequest]) (*connect.Response[unionrpc.RevokeResponse], error) {
			return g.adminAt(url).Revoke(ctx, q)
		},
	}, req.Msg)
	return answer(g, "revoke", r, err)
}

// minDevicePrefix is how many digits of a device's id must be typed at least.
const minDevicePrefix = 4

// revoke signs and commits one revocation for each of the device's unions. Cut in the
// middle, it goes on when it is called again.
func (g *Gate) revoke(ctx context.Context, q *unionrpc.RevokeRequest) (*unionrpc.RevokeResponse, error) {
	const op = "revoke"
	if r := q.GetReason(); r == "" || len(r) > syncproto.MaxNoteBytes || len(q.GetOperator()) > syncproto.MaxNoteBytes {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "reason")
	}
	id, err := g.findDevice(q.GetDevice())
	if err != nil {
		return nil, err
	}
	known, places, err := g.cfg.Ledger.Revocable(id)
	if err != nil {
		return nil, err
	}
	operator := q.GetOperator()
	if operator == "" {
		operator = g.cfg.Node.ID()
	}
	out := &Revoked{Device: hex.EncodeToString(id), Before: known.GetRevoked(), Unions: []RevokedUnion{}}
	for _, union := range slices.Sorted(maps.Keys(places)) {
		if ledger.RevokedIn(known, union) {
			continue
		}
		rev := &syncproto.Revocation{
			Device: id, Union: union, Places: places[union], Time: g.now(), Operator: operator, Reason: q.GetReason(),
		}
		if err := g.proposeRevocation(ctx, rev); err != nil {
			return nil, err
		}
		out.Before = false
		out.Unions = append(out.Unions, revokedUnion(rev))
	}
	g.cfg.Logger.Warn("device revoked", "device", hex.EncodeToString(id[:4]), "unions", len(out.Unions))
	b, err := json.Marshal(out)
	return &unionrpc.RevokeResponse{Json: b}, err
}

func (g *Gate) proposeRevocation(ctx context.Context, rev *syncproto.Revocation) error {
	signature := g.cfg.Node.City.Sign(syncproto.DomainRevocation, rev.Message())
	e, err := ledger.EntryRevocation(session.WireRevocation(rev, signature))
	if err != nil {
		return err
	}
	_, err = g.propose(ctx, &entrypb.Revoke{Time: rev.Time, Revocation: e})
	return err
}

func revokedUnion(rev *syncproto.Revocation) RevokedUnion {
	u := RevokedUnion{Union: rev.Union, Places: []RevokedPlace{}}
	for _, p := range rev.Places {
		u.Places = append(u.Places, RevokedPlace{Journal: p.Journal.String(), Seq: p.Seq})
	}
	return u
}

// findDevice gives the id of the only device whose id begins with the digits typed.
func (g *Gate) findDevice(typed string) ([]byte, error) {
	const op = "find device"
	digits := strings.ToLower(strings.TrimSpace(typed))
	shown := clip(digits, 2*deviceIDSize)
	if len(digits) < minDevicePrefix || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, syncproto.Fail(syncproto.CodeDeviceNotFound, op, nil, "device", shown)
	}
	var found [][]byte
	err := g.cfg.Ledger.EachDevice(func(id []byte, _ *entrypb.Device) error {
		if strings.HasPrefix(hex.EncodeToString(id), digits) {
			found = append(found, id)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, syncproto.Fail(syncproto.CodeDeviceNotFound, op, nil, "device", shown)
	case len(found) > 1:
		return nil, syncproto.Fail(syncproto.CodeDeviceUnclear, op, nil, "device", shown, "n", strconv.Itoa(len(found)))
	}
	return found[0], nil
}

// answerRevoked is what a revoked device gets: what became of what it sent, and why it gets
// nothing else, under the CA's signature.
func (g *Gate) answerRevoked(q *syncpb.Request, outcomes []session.Outcome, v *ledger.View, d device, known *entrypb.Device) (*syncpb.Response, error) {
	r, err := session.AnswerWithout(q, outcomes, v)
	if err != nil {
		return nil, err
	}
	r.History, r.Time = g.history, g.now()
	if err := g.fillLives(q, r); err != nil {
		return nil, err
	}
	for _, union := range revokedUnions(known) {
		own := g.cfg.Ledger.View(union)
		all, err := own.Revocations(0, own.Head())
		own.Done()
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if !bytes.Equal(e.GetDevice(), d.id) {
				continue
			}
			w, err := ledger.WireRevocation(e)
			if err != nil {
				return nil, err
			}
			r.Revocations = append(r.Revocations, w)
		}
	}
	return r, nil
}

func revokedUnions(d *entrypb.Device) []string {
	var out []string
	for _, p := range d.GetRevocation().GetPlaces() {
		if !slices.Contains(out, p.GetUnion()) {
			out = append(out, p.GetUnion())
		}
	}
	return out
}

// fillRevocations tells an agent of the revocations that its page goes past: each once. It
// keeps them, and hands them back to a centre that was restored without.
func fillRevocations(r *syncpb.Response, v *ledger.View) error {
	p := r.GetPage()
	if p == nil {
		return nil
	}
	all, err := v.Revocations(syncproto.Position(p.GetStart()), syncproto.Position(p.GetNext()))
	if err != nil {
		return fmt.Errorf("fill revocations: %w", err)
	}
	for _, e := range all {
		w, err := ledger.WireRevocation(e)
		if err != nil {
			return err
		}
		r.Revocations = append(r.Revocations, w)
	}
	return nil
}

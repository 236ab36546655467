package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// recognise gives a device as the list has it, nil if it does not. One that showed a
// certificate of the city is taken in by it if a restore has lost its enrolment, or that of
// one of its unions.
func (g *Gate) recognise(ctx context.Context, d device) (*entrypb.Device, error) {
	if len(d.cert) == 0 {
		return g.cfg.Ledger.Device(d.id)
	}
	who, err := g.certificateOf(d.cert, tlsid.RoleDevice)
	if err != nil || who.ID != hex.EncodeToString(d.id) || who.KeyID.String() != d.key {
		return nil, syncproto.Fail(syncproto.CodeCertificate, "recognise device", err)
	}
	return g.register(ctx, who, d.cert)
}

// register takes in the device that a certificate of this city names, where the list lacks
// it or one of its unions. A certificate of the old form says nothing of unions, and takes
// in nobody.
func (g *Gate) register(ctx context.Context, who tlsid.Identity, der []byte) (*entrypb.Device, error) {
	id, err := hex.DecodeString(who.ID)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeCertificate, "register device", err)
	}
	known, err := g.cfg.Ledger.Device(id)
	if err != nil || len(who.Unions) == 0 {
		return known, err
	}
	if key := known.GetPublicKey(); len(key) > 0 {
		lacks := slices.ContainsFunc(who.Unions, func(u string) bool { return !known.HasUnion(u) })
		if !lacks || !bytes.Equal(key, who.Key) {
			return known, nil
		}
	}
	m := &entrypb.Registered{Time: g.now(), Device: id, PublicKey: who.Key, Unions: who.Unions}
	if len(known.GetCertificate()) == 0 {
		m.Certificate = der
	}
	if _, err := g.propose(ctx, m); err != nil {
		return nil, err
	}
	g.cfg.Logger.Info("device registered by its certificate", "device", hex.EncodeToString(id[:4]), "unions", len(who.Unions))
	return g.cfg.Ledger.Device(id)
}

// takeReturned takes in what the city signed and this state lacks: revocations first, so
// that nothing of a revoked device passes meanwhile, then devices of the union, so that what
// they signed can be checked. What is not of this city, or of another union, counts for
// nothing.
func (g *Gate) takeReturned(ctx context.Context, q *syncpb.Request) error {
	for _, m := range q.GetReturned() {
		if m.GetRevocation() == nil {
			continue
		}
		if err := g.takeRevocation(ctx, q.GetUnion(), m.GetRevocation()); err != nil {
			return err
		}
	}
	for _, m := range q.GetReturned() {
		if len(m.GetCertificate()) == 0 {
			continue
		}
		who, err := g.certificateOf(m.GetCertificate(), tlsid.RoleDevice)
		if err != nil || !slices.Contains(who.Unions, q.GetUnion()) {
			continue
		}
		if _, err := g.register(ctx, who, m.GetCertificate()); err != nil {
			return err
		}
	}
	return nil
}

// cityKey is the public key of the CA, nil if that is none of ours: nothing verifies then.
func (g *Gate) cityKey() ed25519.PublicKey {
	key, _ := g.cfg.Node.Own.CA.PublicKey.(ed25519.PublicKey)
	return key
}

func (g *Gate) takeRevocation(ctx context.Context, union string, m *syncpb.Revocation) error {
	rev, err := session.ReadRevocation(m)
	if err != nil || rev.Union != union ||
		seal.Verify(g.cityKey(), syncproto.DomainRevocation, rev.Message(), m.GetSignature()) != nil {
		g.cfg.Logger.Warn("a revocation that is not the city's was handed back", "union", union)
		return nil //nolint:nilerr // it is told, and the rest of the exchange goes on
	}
	known, err := g.cfg.Ledger.Device(rev.Device)
	if err != nil || ledger.RevokedIn(known, union) {
		return err
	}
	e, err := ledger.EntryRevocation(m)
	if err != nil {
		return err
	}
	if _, err := g.propose(ctx, &entrypb.Revoke{Time: g.now(), Revocation: e}); err != nil {
		return err
	}
	g.cfg.Logger.Warn("a revocation that this state lacked came back", "union", union, "device", hex.EncodeToString(rev.Device[:min(4, len(rev.Device))]))
	return nil
}

// renew gives the certificate that a device should have instead of the one it shows, nil if
// that is good. What the list has already is given again, so that a lost answer costs no
// log entry. A certificate that cannot be made now is made another night.
func (g *Gate) renew(ctx context.Context, d device, known *entrypb.Device) []byte {
	unions, now := certified(known.GetUnions()), time.Unix(g.now(), 0)
	if len(d.cert) == 0 || g.lasts(d.cert, unions, now) {
		return nil
	}
	if g.lasts(known.GetCertificate(), unions, now) {
		return known.GetCertificate()
	}
	cert, err := g.cfg.Node.City.SignDevice(known.GetPublicKey(), hex.EncodeToString(d.id), now, unions...)
	if err == nil {
		_, err = g.propose(ctx, &entrypb.Registered{
			Time: now.Unix(), Device: d.id, PublicKey: known.GetPublicKey(), Unions: unions, Certificate: cert.Raw,
		})
	}
	if err != nil {
		g.cfg.Logger.Warn("certificate not renewed", "error", err)
		return nil
	}
	return cert.Raw
}

// certified are the unions that a certificate names: all that have room in it.
func certified(unions []string) []string {
	out := slices.DeleteFunc(slices.Clone(unions), func(u string) bool { return tlsid.CheckUnions([]string{u}) != nil })
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), tlsid.MaxUnions)]
}

// lasts reports whether a certificate names the unions and has half its life left. Dates
// decide only when a new one is made: see tlsid.
func (g *Gate) lasts(der []byte, unions []string, now time.Time) bool {
	if len(der) == 0 {
		return false
	}
	v, err := g.vouching.of(der, tlsid.RoleDevice)
	if err != nil || slices.ContainsFunc(unions, func(u string) bool { return !slices.Contains(v.id.Unions, u) }) {
		return false
	}
	return v.until.Sub(now) >= v.until.Sub(v.from)/2
}

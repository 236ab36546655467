package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// Bounds of a probe's work.
const (
	probePause   = 300 * time.Millisecond
	tryPatience  = 1500 * time.Millisecond // at one node
	probeRecords = 20
	probeKind    = 900
)

// probe is a device without an agent's patience: it tries one node after the other, soon. Its
// changes are of a kind that nobody knows, so that nothing but the exchange matters.
type probe struct {
	*sessiontest.Agent
	history *history
	own     tlsid.Own
	urls    []string
	clients []*http.Client // one for each node
	dice    *mathrand.Rand
	nonce   uint64
}

// newProbe enrols a device at a node.
func newProbe(ctx context.Context, h *history, urls []string, code string, seed uint64) (*probe, error) {
	parsed, err := enrolcode.ParseCode(code)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.PinnedTLS(parsed.CA[:])})
	defer client.CloseIdleConnections()
	r, err := unionrpcconnect.NewUnionClient(client, urls[0], wire.ClientOptions(syncproto.MaxRequestBytes)).
		Enrol(ctx, connect.NewRequest(&unionrpc.EnrolRequest{Code: code, Device: id, PublicKey: key.Public().(ed25519.PublicKey)}))
	if err != nil {
		return nil, wire.Decode("enrol", err)
	}
	p := &probe{history: h, urls: urls, dice: mathrand.New(mathrand.NewPCG(seed, 2))}
	return p, p.become(r.Msg, key)
}

// become takes what an enrolment gave.
func (p *probe) become(r *unionrpc.EnrolResponse, key ed25519.PrivateKey) error {
	ca, err := tlsid.ParseCA(r.GetCa())
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		return err
	}
	fp := tlsid.FingerprintOf(ca)
	p.own = tlsid.Own{Key: key, Cert: cert, CA: ca}
	p.Agent = sessiontest.NewAgent(r.GetUnion(), syncproto.JournalID(p.dice.Uint64()), fp[:syncproto.HistorySize])
	p.Key = key
	g := r.GetGeneration()
	p.State.Lineage = syncproto.Lineage{{Number: uint16(g.GetNumber()), Random: g.GetRandom()}}
	p.Verify, p.VerifyRun = p.verify, p.verifyRun
	for range p.urls {
		p.clients = append(p.clients, wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(p.own)}))
	}
	return nil
}

// verify checks a receipt as an agent does: the signer is a node of the city.
func (p *probe) verify(_ string, r *syncpb.Receipt, msg []byte) error {
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		return err
	}
	id, err := tlsid.Verify(cert, p.own.CA, tlsid.RoleNode)
	if err == nil && !slices.Equal(id.KeyID[:], r.GetSigner()) {
		err = errors.New("the signer is not the certificate's")
	}
	if err != nil {
		return err
	}
	return seal.Verify(id.Key, syncproto.DomainReceipt, msg, r.GetSignature())
}

// verifyRun checks another device's or a node's signed changes.
func (p *probe) verifyRun(signer []byte, certificates [][]byte, msg, sig []byte) error {
	for _, der := range certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		who, err := tlsid.Verify(cert, p.own.CA, tlsid.RoleDevice, tlsid.RoleNode)
		if err != nil {
			return err
		}
		if who.ID == string(signer) || who.ID == hex.EncodeToString(signer) {
			err := seal.Verify(who.Key, syncproto.DomainSegment, msg, sig)
			if err != nil && who.Role == tlsid.RoleNode {
				err = seal.Verify(who.Key, syncproto.DomainHeldSegment, msg, sig)
			}
			return err
		}
	}
	return fmt.Errorf("no certificate of %x", signer)
}

// ask makes one round at one node, and tells the history.
func (p *probe) ask(ctx context.Context, node int, q *syncpb.Request) (*syncpb.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, tryPatience)
	defer cancel()
	a := p.history.sending(q)
	r, err := unionrpcconnect.NewUnionClient(p.clients[node], p.urls[node], wire.ClientOptions(syncproto.MaxRequestBytes)).
		Exchange(ctx, connect.NewRequest(q))
	if err != nil {
		return nil, wire.Decode("exchange", err)
	}
	p.history.answered(a, r.Msg)
	return r.Msg, nil
}

// run saves, syncs and looks until ctx ends.
func (p *probe) run(ctx context.Context) error {
	for n := uint64(0); ctx.Err() == nil; n++ {
		id := syncproto.RecordID{byte(p.State.Journal), byte(p.State.Journal >> 8), byte(p.dice.IntN(probeRecords))}
		p.Save(syncproto.Change{Kind: probeKind, KindVersion: 1, ID: id, Actor: "probe",
			Edits: []syncproto.Edit{{Field: 20, Value: fmt.Append(nil, n)}}})
		if err := p.deliver(ctx); err != nil {
			return err
		}
		p.look(ctx)
		pause(ctx, probePause/2+time.Duration(p.dice.Int64N(int64(probePause))))
	}
	return nil
}

// deliver syncs once, at one node after the other until one answers or all have failed.
func (p *probe) deliver(ctx context.Context) error {
	for _, node := range p.dice.Perm(len(p.urls)) {
		_, err := p.Sync(func(q *syncpb.Request) (*syncpb.Response, error) { return p.ask(ctx, node, q) })
		switch syncproto.CodeOf(err) {
		case syncproto.CodeReceipt:
			return fmt.Errorf("probe of %s: %w", p.State.Union, err)
		}
		if len(p.Notices) > 0 || len(p.Refused) > 0 {
			p.history.broke("the probe of %s: notices %v, refused %v", p.State.Union, p.Notices, p.Refused)
			p.Notices, p.Refused = nil, nil
		}
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // the run is over
		}
	}
	return nil
}

// look asks some node for the tip of some journal of the union. It names the newest receipt
// that anybody has for it: the answer must not be behind that.
func (p *probe) look(ctx context.Context) {
	all := p.history.journalsOf(p.State.Union)
	if len(all) == 0 {
		return
	}
	id := all[p.dice.IntN(len(all))]
	rc := p.history.newestReceipt(id)
	p.nonce++
	q := &syncpb.Request{
		ProtocolMin: syncproto.ProtocolMin, ProtocolMax: syncproto.ProtocolMax,
		History: p.State.History, Union: p.State.Union, Journal: uint64(id), Nonce: fmt.Appendf(nil, "%08d", p.nonce%1e8),
		Cursor: uint64(rc.position), Budget: syncproto.MinBudgetBytes,
		Generation: &syncpb.GenerationRef{Number: uint32(p.State.Lineage[0].Number), Random: p.State.Lineage[0].Random},
	}
	if rc.seq > 0 {
		q.Receipt = &syncpb.Place{Seq: rc.seq, Hash: rc.hash}
	}
	_, _ = p.ask(ctx, p.dice.IntN(len(p.urls)), q) // a node that does not answer tells nothing
}

// settle delivers all that is left.
func (p *probe) settle(ctx context.Context) error {
	var last error
	for ctx.Err() == nil {
		node := p.dice.IntN(len(p.urls))
		u, err := p.Sync(func(q *syncpb.Request) (*syncpb.Response, error) { return p.ask(ctx, node, q) })
		if err == nil && u.Equal && p.State.Receipt == p.State.Head {
			return nil
		}
		last = err
		pause(ctx, probePause)
	}
	return fmt.Errorf("the probe of %s is not settled: receipt %d, head %d: %w", p.State.Union, p.State.Receipt.Seq, p.State.Head.Seq, last)
}

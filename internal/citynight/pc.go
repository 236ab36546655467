package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"unionsync/agent/link"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// pc is a union's PC, with its journal and its records in memory.
type pc struct {
	*sessiontest.Agent
	city   *city
	id     []byte
	own    tlsid.Own
	people *writer
	first  int // number of the node that it calls first
	client *syncpb.Client
}

// Bounds of one sync, as agent/union has them.
const (
	maxCuts   = 8
	maxRounds = 100
)

// errUndone says that a sync ended, and not all was done.
var errUndone = errors.New("the sync ended, and not everything is done and equal")

// sync makes one whole sync over a new line.
func (p *pc) sync(ctx context.Context) error {
	n := len(p.city.urls)
	l, err := link.New(link.Config{
		TLS: link.Device(p.own), Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Addresses: append(append([]string{}, p.city.urls[p.first:]...), p.city.urls[:p.first]...)[:n],
	})
	if err != nil {
		return err
	}
	defer l.Close()
	p.Begin()
	cuts := 0
	for range maxRounds {
		again, err := p.round(ctx, l)
		if syncproto.CodeOf(err) == syncproto.CodeCut && err != nil && cuts < maxCuts {
			cuts++
			continue
		}
		if err != nil || !again {
			return err
		}
		cuts = 0
	}
	return errors.New("the sync has no end")
}

// round makes one request and works its answer in.
func (p *pc) round(ctx context.Context, l *link.Link) (again bool, err error) {
	q, sent, err := p.Ask()
	if err != nil {
		return false, err
	}
	q.Client = p.client
	q.Client.Time = time.Now().Unix()
	r, err := l.Exchange(ctx, q)
	if err != nil {
		return false, err
	}
	if to := r.GetRecipient(); to != "" {
		p.client.Recipient = wire.RecipientHash(to)
	}
	if life := r.GetGeneration(); p.State.Lineage.Newest().Random == 0 && life != nil {
		p.State.Lineage = syncproto.Lineage{{Number: uint16(life.GetNumber()), Random: life.GetRandom()}}
		sent.Life = p.State.Lineage.Newest()
	}
	u, err := p.Take(sent, r)
	if err != nil {
		return false, err
	}
	return u.Again, p.whole(u)
}

// whole checks the end of a sync.
func (p *pc) whole(u *session.Update) error {
	if !u.Again && (!u.Equal || p.State.Receipt != p.State.Head) {
		return errUndone
	}
	return nil
}

// deliver syncs and fails if anything is not as it should be: every change was applied, and
// nothing was to be told to a person.
func (p *pc) deliver(ctx context.Context) error {
	if err := p.sync(ctx); err != nil {
		return err
	}
	for seq, v := range p.Verdicts() {
		if v.Kind != syncproto.VerdictApplied {
			return fmt.Errorf("change %d of union %s: verdict %v", seq, p.State.Union, v.Kind)
		}
	}
	if len(p.Notices)+len(p.Refused)+p.Lost > 0 {
		return fmt.Errorf("union %s: notices %v, refused %v, %d records differ", p.State.Union, p.Notices, p.Refused, p.Lost)
	}
	return nil
}

// edit saves a change to each member.
func (p *pc) edit(round int) error {
	changes, err := p.people.edits(round)
	for _, c := range changes {
		p.Save(c)
	}
	return err
}

// verifyRun checks who signed what a page brings: nobody but this PC writes here.
func (p *pc) verifyRun(signer []byte, _ [][]byte, msg, signature []byte) error {
	if string(signer) != string(p.id) && len(signer) > 0 {
		return errors.New("somebody else signed for this union")
	}
	return seal.Verify(p.own.Key.Public().(ed25519.PublicKey), syncproto.DomainSegment, msg, signature)
}

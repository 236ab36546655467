package agent

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"unionsync/agent/link"
	"unionsync/agent/union"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// options are those of every union here.
func (a *Agent) options() (union.Options, error) {
	key, err := a.key()
	if err != nil {
		return union.Options{}, err
	}
	return union.Options{
		Key: key, Kinds: a.Kinds(), Actor: a.c.Actor, Now: a.c.Now, Rand: a.c.Rand, Log: a.c.Log, Timeout: a.c.Timeout, Free: a.c.Free,
		Second: a.Second(), Salvage: a.c.Salvage, Refuse: a.moved,
	}, nil
}

// Union opens a union: the one named, or the only one. Close it soon: no other program can
// use it meanwhile.
func (a *Agent) Union(code string) (*union.Union, error) {
	code, err := a.Which(code)
	if err != nil {
		return nil, err
	}
	o, err := a.options()
	if err != nil {
		return nil, err
	}
	return union.Open(a.unionDir(code), o)
}

// Sync opens a union, syncs it with the centre and closes it again. The result tells what
// was done, also beside an error.
func (a *Agent) Sync(ctx context.Context, code string, progress func(union.Result)) (r union.Result, err error) {
	code, err = a.Which(code)
	if err != nil {
		return r, err
	}
	u, err := a.Union(code)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	return a.SyncOpen(ctx, u, progress)
}

// SyncOpen is [Agent.Sync] for a union that is open already.
func (a *Agent) SyncOpen(ctx context.Context, u *union.Union, progress func(union.Result)) (r union.Result, err error) {
	d, c, err := a.identity()
	if err != nil {
		return r, err
	}
	line, err := a.c.Dial(link.Device(c.own(d)), c.order())
	if err != nil {
		return r, err
	}
	defer line.Close()
	r, err = u.Exchange(ctx, line, union.Party{CA: c.ca, Device: d.id[:], Sign: d.sign, Client: a.client(c), Kinds: a.keeper(), Progress: progress})
	return r, errors.Join(err, a.heard(u.Code(), d, c, line, r, err))
}

func (a *Agent) client(c centre) *syncpb.Client {
	return &syncpb.Client{
		Version: a.c.Version, System: runtime.GOOS + "/" + runtime.GOARCH,
		Addresses: wire.AddressesHash(c.Addresses), Recipient: wire.RecipientHash(c.Bundles),
	}
}

// heard keeps what the centre said beside records, and how the sync went.
func (a *Agent) heard(code string, d device, c centre, line Line, r union.Result, cause error) error {
	var errs []error
	if r.Rounds > 0 {
		errs = append(errs, a.keepCentre(d, c, line, r))
	}
	note := a.loadContact(code)
	if r.Slot != nil {
		note.Slot = slotOf(r.Slot)
	}
	note.ended(a.c.Now(), r.Complete, cause)
	return errors.Join(append(errs, a.saveContact(code, note))...)
}

// keepCentre keeps what the centre said of itself; line is nil where the answer was carried.
func (a *Agent) keepCentre(d device, c centre, line Line, r union.Result) error {
	changed := false
	if line != nil {
		if first := line.Addresses(); len(first) > 0 && first[0] != c.Last {
			c.Last, changed = first[0], true
		}
	}
	if r.Recipient != "" && r.Recipient != c.Bundles {
		if !seal.IsRecipient(r.Recipient) {
			return syncproto.Fail(syncproto.CodeAnswer, "learn recipient for bundles", nil)
		}
		c.Bundles, changed = r.Recipient, true
	}
	if len(r.Addresses) > 0 && !slices.Equal(r.Addresses, c.Addresses) {
		c.Addresses, changed = r.Addresses, true
	}
	if len(r.Certificate) > 0 {
		err := c.accepts(r.Certificate, d)
		if err == nil {
			err = c.keepsUnions(r.Certificate)
		}
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "renew certificate", err)
		}
		c.Certificate, changed = r.Certificate, true
	}
	if !changed {
		return nil
	}
	return a.saveCentre(c)
}

package archive

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// The list of lives stands outside of all backups and is never shortened: one object for
// each life, sealed, because its entry names the person who began it.

func lifeName(e *entrypb.Generation) string {
	return fmt.Sprintf("%s%05d-%016x.age", livesDir, e.GetNumber(), e.GetRandom())
}

// KeepLives keeps the entries that the target lacks. Whoever begins a life calls it before
// anybody hears of that life.
func (w *Writer) KeepLives(ctx context.Context, lives ...*entrypb.Generation) error {
	w.lives.Lock() // sealed twice, an entry has other bytes
	defer w.lives.Unlock()
	have, err := w.target.List(ctx, livesDir)
	if err != nil {
		return unusable("keep generations", w.target.String(), err)
	}
	names := map[string]bool{}
	for _, o := range have {
		names[o.Name] = true
	}
	for _, e := range lives {
		if names[lifeName(e)] {
			continue
		}
		plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			return fmt.Errorf("keep generation: %w", err)
		}
		box, err := w.pack.pack(plain)
		if err != nil {
			return fmt.Errorf("keep generation: %w", err)
		}
		err = keep(ctx, w.target, lifeName(e), box)
		if errors.Is(err, errDiffers) || errors.Is(err, atomicfile.ErrDiffers) { // another node keeps it at this moment?
			_, err = w.life(ctx, lifeName(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lifePatience is how long the target may take while a life of the centre is begun.
const lifePatience = 20 * time.Second

// EveryLife gives the entries of all lives that the target has: whoever begins one on a
// running centre gives it a number above theirs.
func (k *Keeper) EveryLife(ctx context.Context) ([]*entrypb.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, lifePatience)
	defer cancel()
	return k.cfg.Writer.Lives(ctx)
}

// KeepLife keeps the entry of a life that is about to begin, with those that the state knows:
// after it nobody can give the life's number again, also when what is proposed now is lost with
// the centre. One that then does not begin costs a number.
func (k *Keeper) KeepLife(ctx context.Context, next *entrypb.Generation) error {
	ctx, cancel := context.WithTimeout(ctx, lifePatience)
	defer cancel()
	return k.cfg.Writer.KeepLives(ctx, append(k.lives(), next)...)
}

// Lives gives the entries of every life on the target, ascending. One that cannot be read,
// or that the city has not signed, is an error: a number might be given twice.
func (r *Reader) Lives(ctx context.Context) ([]*entrypb.Generation, error) {
	objects, err := r.target.List(ctx, livesDir)
	if err != nil {
		return nil, unusable("read generations", r.target.String(), err)
	}
	var out []*entrypb.Generation
	for _, o := range objects {
		e, err := r.life(ctx, o.Name)
		if err != nil {
			return nil, altered(strings.TrimPrefix(o.Name, livesDir), "generation", err)
		}
		out = append(out, e)
	}
	return out, nil
}

func (r *Reader) life(ctx context.Context, name string) (*entrypb.Generation, error) {
	box, err := r.target.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	plain, err := r.pack.unpack(box)
	if err != nil {
		return nil, err
	}
	e := new(entrypb.Generation)
	if err := proto.Unmarshal(plain, e); err != nil {
		return nil, err
	}
	if lifeName(e) != name {
		return nil, errors.New("it is the entry of another generation")
	}
	return e, r.checkLife(e)
}

func (r *Reader) checkLife(e *entrypb.Generation) error {
	g := ledger.Generation(e)
	return seal.Verify(r.keys.CA.PublicKey.(ed25519.PublicKey), syncproto.DomainGeneration, g.Message(), e.GetSignature())
}

// lineageOf puts entries together.
func lineageOf(lists ...[]*entrypb.Generation) (l syncproto.Lineage) {
	for _, list := range lists {
		for _, e := range list {
			l, _ = l.With(ledger.Generation(e))
		}
	}
	return l
}

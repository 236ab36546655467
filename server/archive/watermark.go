package archive

import (
	"context"
	"errors"
	"slices"

	"unionsync/syncproto"
)

// marks is the note of every watermark that agents may have been told, without those that
// another one implies.
type marks struct {
	Positions []syncproto.Position `json:"positions"`
}

// Prefix gives the end of the common prefix of all backups that are offered, across the
// lives given: up to there every restore that is possible has the log. ok is false when no
// backup is offered, or when a manifest cannot be read: then nobody knows.
func (r *Reader) Prefix(ctx context.Context, lives syncproto.Lineage) (p syncproto.Position, ok bool, err error) {
	backups, err := r.List(ctx)
	if err != nil || len(backups) == 0 {
		return 0, false, err
	}
	for i, b := range backups {
		if b.Err != nil {
			return 0, false, nil //nolint:nilerr // then nobody knows
		}
		if i == 0 {
			p = b.Manifest.Position
		} else {
			p = lives.Common(p, b.Manifest.Position)
		}
	}
	return p, true, nil
}

// Marks gives the watermarks that agents may have been told.
func (r *Reader) Marks(ctx context.Context) ([]syncproto.Position, error) {
	note, err := r.target.Get(ctx, watermarkAt)
	if errors.Is(err, ErrNoObject) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable("read watermark", r.target.String(), err)
	}
	m := new(marks)
	if err := openNote(r.keys.CA, noteWatermark, note, m); err != nil {
		return nil, altered(watermarkAt, watermarkAt, err)
	}
	return m.Positions, nil
}

// KeepMark notes a watermark, before anybody is told of it.
func (w *Writer) KeepMark(ctx context.Context, p syncproto.Position, lives syncproto.Lineage) error {
	have, err := w.Marks(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(have, p) {
		return nil
	}
	return w.keepMarks(ctx, append(slices.DeleteFunc(have, func(q syncproto.Position) bool { return lives.Common(q, p) == q }), p))
}

// LowerMarks takes back what a restore has given up: of each watermark what a log up to p
// has of it stays.
func (w *Writer) LowerMarks(ctx context.Context, p syncproto.Position, lives syncproto.Lineage) error {
	have, err := w.Marks(ctx)
	if err != nil || len(Lost(have, p, lives)) == 0 {
		return err
	}
	var out []syncproto.Position
	for _, q := range have {
		if c := lives.Common(q, p); c > 0 && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return w.keepMarks(ctx, out)
}

func (w *Writer) keepMarks(ctx context.Context, all []syncproto.Position) error {
	slices.Sort(all)
	note, err := signNote(w.own, noteWatermark, marks{Positions: all})
	if err != nil {
		return err
	}
	return keep(ctx, w.target, watermarkAt, note)
}

// Lost gives those of the watermarks that a log up to p does not have.
func Lost(marks []syncproto.Position, p syncproto.Position, lives syncproto.Lineage) (lost []syncproto.Position) {
	for _, q := range marks {
		if q > 0 && lives.Common(q, p) != q {
			lost = append(lost, q)
		}
	}
	return lost
}

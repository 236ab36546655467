package agent

import (
	"context"
	"errors"
	"io"

	"unionsync/agent/sheet"
	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// rowsPerSave is how many rows go into the journal with one fsync. A row's changes are
// never split.
const rowsPerSave = 100

// ImportOptions say how a sheet is imported.
type ImportOptions struct {
	Kind     string // default: member
	Apply    bool   // save; otherwise only look
	Explain  string // one explanation for everything that wants one
	Note     string // kept with the changes, such as the file's name
	Progress func(done, total int)
}

// Import is what came of an import, or would.
type Import struct {
	Plan  *sheet.Plan
	Late  map[int]error // rows of the plan that were refused only when saving, by their index
	Saved int           // rows saved
	New   int           // of these, new records
}

// Run plans the import of a sheet into u and, if told to, saves the good rows: a new record
// with its companion, or the values in which a stored one differs. Rows of one import are
// tied by one group. After an error the rows counted are saved, the others are not, and the
// same sheet may be imported again.
func (o ImportOptions) Run(ctx context.Context, u *union.Union, r io.ReaderAt, size int64) (*Import, error) {
	table, err := sheet.Read(r, size)
	if err != nil {
		return nil, err
	}
	if o.Kind == "" {
		o.Kind = "member"
	}
	im := &importing{u: u, o: o}
	plan, err := sheet.Make(table, u.Kinds(), o.Kind, sheet.Options{
		Today: u.Today(), Existing: im.existing, Related: u.Related, Explain: o.Explain,
	})
	if err == nil {
		err = im.failed
	}
	if err != nil {
		return nil, err
	}
	im.out = &Import{Plan: plan, Late: map[int]error{}}
	if !o.Apply {
		return im.out, nil
	}
	return im.out, im.save(ctx)
}

type importing struct {
	u      *union.Union
	o      ImportOptions
	out    *Import
	group  uint64
	failed error // of the store, while planning
}

// existing finds the stored records that a row may stand for, each with the event that made
// it.
func (im *importing) existing(key []string) []sheet.Existing {
	rows, err := im.u.ByKey(im.o.Kind, key)
	if err != nil {
		im.failed = errors.Join(im.failed, err)
		return nil
	}
	var out []sheet.Existing
	for _, r := range rows {
		e := sheet.Existing{ID: r.ID, Values: r.Values}
		if e.Companion, err = im.companion(r); err != nil {
			im.failed = errors.Join(im.failed, err)
		}
		out = append(out, e)
	}
	return out
}

// companion finds the record that stands beside one since it was made: a member's event of
// joining. Of several the first counts.
func (im *importing) companion(r union.Row) (kind.Values, error) {
	c := r.Kind.Companion
	if c == nil {
		return nil, nil
	}
	return Companion(im.u, r)
}

// Companion gives the values of the record that was made beside r, nil if there is none or
// the kind has none.
func Companion(u *union.Union, r union.Row) (kind.Values, error) {
	c := r.Kind.Companion
	if c == nil {
		return nil, nil
	}
	rows, err := u.Referring(c.Kind, c.Link, r.ID)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Void == "" && hasAll(row, c.Set) {
			return row.Values, nil
		}
	}
	return nil, nil
}

func hasAll(row union.Row, want map[string]string) bool {
	for name, value := range want {
		f, ok := row.Kind.Field(name)
		if !ok || string(row.Values[f.Number]) != value {
			return false
		}
	}
	return true
}

// save saves the plan's good rows, many with one fsync.
func (im *importing) save(ctx context.Context) error {
	var good []int
	for i, row := range im.out.Plan.Rows {
		if row.Verdict == sheet.Accept || row.Verdict == sheet.Normalise {
			good = append(good, i)
		}
	}
	if len(good) == 0 {
		return nil
	}
	var err error
	if im.group, err = im.u.NewGroup(); err != nil {
		return err
	}
	for done := 0; done < len(good); {
		n := min(rowsPerSave, len(good)-done)
		if err := im.batch(ctx, good[done:done+n]); err != nil {
			return err
		}
		done += n
		if im.o.Progress != nil {
			im.o.Progress(done, len(good))
		}
	}
	return nil
}

// batch saves some rows together. A row that is refused only now, because the records
// changed since the plan was made, is left out and the rest goes.
func (im *importing) batch(ctx context.Context, rows []int) error {
	var drafts []union.Draft
	var owner []int // of each draft
	for _, i := range rows {
		if im.out.Late[i] != nil {
			continue
		}
		d, err := im.drafts(&im.out.Plan.Rows[i])
		if err != nil {
			return err
		}
		for range d {
			owner = append(owner, i)
		}
		drafts = append(drafts, d...)
	}
	if len(drafts) == 0 {
		return nil
	}
	_, err := im.u.SaveGroup(ctx, drafts)
	var refused *union.Refused
	switch {
	case errors.As(err, &refused):
		im.out.Late[owner[refused.Draft]] = refused
		return im.batch(ctx, rows)
	case syncproto.CodeOf(err) == syncproto.CodeNothingChanged && err != nil:
		return im.oneByOne(ctx, rows, err)
	case err != nil:
		return err
	}
	for _, i := range rows {
		if im.out.Late[i] == nil {
			im.out.Saved++
			if !im.out.Plan.Rows[i].Update {
				im.out.New++
			}
		}
	}
	return nil
}

// oneByOne finds the rows that change nothing any more.
func (im *importing) oneByOne(ctx context.Context, rows []int, why error) error {
	if len(rows) == 1 {
		im.out.Late[rows[0]] = why
		return nil
	}
	for _, i := range rows {
		if err := im.batch(ctx, []int{i}); err != nil {
			return err
		}
	}
	return nil
}

// drafts are what one row saves.
func (im *importing) drafts(row *sheet.Planned) ([]union.Draft, error) {
	explain := map[string]string{}
	if im.o.Explain != "" {
		explain[""] = im.o.Explain
	}
	main := union.Draft{Kind: im.o.Kind, ID: row.ID, Values: row.Record, Group: im.group, Note: im.o.Note, Explain: explain}
	if row.Update {
		return []union.Draft{main}, nil
	}
	id, err := im.u.NewID()
	if err != nil {
		return nil, err
	}
	main.ID, main.New = id, true
	c := im.out.Plan.Kind.Companion
	if c == nil {
		return []union.Draft{main}, nil
	}
	link, err := im.out.Plan.Companion.Find(c.Link)
	if err != nil {
		return nil, err
	}
	values := kind.Values{link.Number: id[:]}
	for n, v := range row.Companion {
		values[n] = v
	}
	return []union.Draft{main, {Kind: c.Kind, Values: values, Group: im.group, Note: im.o.Note, Explain: explain}}, nil
}

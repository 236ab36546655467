package main

import (
	"context"
	"fmt"

	"unionsync/internal/proc"
)

// perMember is how many changes a new member of a roster is: the member and its 入会 event.
const perMember = 2

func (d *demo) dryRun(ctx context.Context) error {
	d.title("Look at three clerks' rosters (花名册): a dry run, which is the default")
	for _, p := range d.pcs {
		d.command(p.Line("import", p.office.file))
		seen, err := p.Import(ctx, p.office.file, false)
		if err != nil {
			return err
		}
		d.say("%s", p.office.format)
		if err := d.checkVerdicts(p.office, seen); err != nil {
			return err
		}
		d.showRefused(seen)
		s, err := p.Status(ctx)
		if err != nil {
			return err
		}
		if err := d.check("saved by looking", number{"changes", s.Saved, 0}); err != nil {
			return err
		}
	}
	d.prove("all faults of a file are told at once, row by row, and looking saves nothing")
	return nil
}

// checkVerdicts compares an import's verdicts with those expected, row by row and in sum.
func (d *demo) checkVerdicts(o *office, seen proc.Imported) error {
	for _, v := range seen.Verdicts {
		if want := o.verdicts[v.Serial]; v.Verdict != want {
			return fmt.Errorf("%s, row with serial number %s: the agent says %q, expected is %q", o.file, v.Serial, v.Verdict, want)
		}
	}
	return d.check(o.union, number{"rows", seen.Rows, o.rows}, number{"good", seen.Accept, o.counts[rowAccept]},
		number{"normalised (规范化)", seen.Normalise, o.counts[rowNormalise]}, number{"refused (拒绝)", seen.Refuse, o.counts[rowRefuse]})
}

// showRefused shows a few of the refused rows with the reasons that the clerk reads.
func (d *demo) showRefused(seen proc.Imported) {
	shown := 0
	for _, v := range seen.Verdicts {
		if v.Verdict != rowRefuse || shown == 3 {
			continue
		}
		for _, f := range v.Findings {
			d.say("  row %d refused: %s", v.Row, f.Sentence)
			break
		}
		shown++
	}
	if rest := seen.Refuse - shown; rest > 0 {
		d.say("  … and %d more", rest)
	}
}

func (d *demo) apply(ctx context.Context) error {
	d.title("Import the good rows (--apply): saved on each PC, not yet delivered (本机已保存)")
	for _, p := range d.pcs {
		d.command(p.Line("import", p.office.file, "--apply"))
		done, err := p.Import(ctx, p.office.file, true)
		if err != nil {
			return err
		}
		good := p.office.good()
		p.saved += good * perMember
		if err := d.check(p.Union, number{"rows saved", done.Saved, good}, number{"new members", done.New, good},
			number{"refused", done.Refuse, p.office.counts[rowRefuse]}); err != nil {
			return err
		}
		if err := d.checkPC(ctx, p, p.saved); err != nil {
			return err
		}
	}
	d.prove("each good row became a member and a 入会 event, saved together and fsynced; the centre was not needed")
	return nil
}

// checkPC checks what a PC says of its changes: how many are saved, and how many of these
// wait for delivery.
func (d *demo) checkPC(ctx context.Context, p *pc, waiting int) error {
	s, err := p.Status(ctx)
	if err != nil {
		return err
	}
	return d.check(p.Union, number{"changes saved", s.Saved, p.saved}, number{"waiting", s.Waiting, waiting},
		number{"delivered", s.Delivered, p.saved - waiting}, number{"sent back", s.Held, 0}, number{"conflicts", s.Conflicts, 0})
}

func (d *demo) firstSync(ctx context.Context) error {
	d.title("Sync (同步) the three PCs, and count")
	if err := d.syncAll(ctx); err != nil {
		return err
	}
	a, err := d.compare(ctx, today(), "county", "sex")
	if err != nil {
		return err
	}
	if err := d.check("persons on two rosters, counted once", number{"duplicates left out", a.Total.Duplicates, d.town.twice}); err != nil {
		return err
	}
	d.prove("what three clerks typed is the city's count; both sides compared digests: the records here are the records there")
	return nil
}

// syncAll syncs every PC: all that waits is delivered, and the digests agree.
func (d *demo) syncAll(ctx context.Context) error {
	for _, p := range d.pcs {
		before, err := p.Status(ctx)
		if err != nil {
			return err
		}
		d.command(p.Line("sync"))
		done, err := p.Sync(ctx)
		if err != nil {
			return err
		}
		if !done.Complete || !done.Equal {
			return fmt.Errorf("%s: complete %v, digests equal %v after a sync", p.Union, done.Complete, done.Equal)
		}
		if err := d.check(p.Union, number{"changes delivered (已送达)", done.Sent, before.Waiting},
			number{"records here and there (核对一致)", done.Records, p.records}); err != nil {
			return err
		}
		if err := d.checkPC(ctx, p, 0); err != nil {
			return err
		}
	}
	return d.checkCentre(ctx)
}

// checkCentre checks that the centre's order holds every change that was saved, once.
func (d *demo) checkCentre(ctx context.Context) error {
	want := len(d.town.known.Units)
	for _, p := range d.pcs {
		want += p.saved
	}
	s, err := d.centre.Any().Status(ctx)
	if err != nil {
		return err
	}
	return d.check("the centre's order holds", number{"changes (units and all that was saved on the PCs)", s.Changes(), want})
}

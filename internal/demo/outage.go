package main

import (
	"context"
	"fmt"
	"strings"

	"unionsync/internal/testcity"
)

// save runs add or set on a PC and keeps account: an add makes records new records.
func (d *demo) save(ctx context.Context, p *pc, changes, records int, args ...string) (string, error) {
	d.command(p.Line(args...))
	saved, err := p.Save(ctx, args...)
	if err != nil {
		return "", err
	}
	p.saved += changes
	p.records += records
	if saved.Seq != p.saved && saved.Seq != p.saved-changes+1 {
		return "", fmt.Errorf("%s: the change got number %d in the PC's journal, expected %d", p.Union, saved.Seq, p.saved)
	}
	return saved.Record.ID, nil
}

func (d *demo) offline(ctx context.Context) error {
	d.title("Add a congress session (职代会会议) and a disclosure (厂务公开) without the centre")
	year := today()[:4]
	p := d.pcs[0]
	term, err := d.save(ctx, p, 1, 1, "add", "congress-term", "number=3", "form=职工代表大会", "start=2025-01-10", "term_years=3", "staff=180", "delegates=48")
	if err != nil {
		return err
	}
	if _, err := d.save(ctx, p, 1, 1, "add", "congress-session", "term="+term, "number=1", "title=第三届第一次职工代表大会",
		"date=2025-01-10", "due=48", "present=45"); err != nil {
		return err
	}
	q := d.pcs[1]
	if _, err := d.save(ctx, q, 1, 1, "add", "disclosure", "year="+year, "category=集体合同", "title="+year+"年集体合同履行情况",
		"channels=公开栏", "start="+today()); err != nil {
		return err
	}
	if err := d.checkPC(ctx, p, 2); err != nil {
		return err
	}
	if err := d.checkPC(ctx, q, 1); err != nil {
		return err
	}
	d.prove("congress and disclosure records work like members: other kinds are only other files")
	return nil
}

func (d *demo) takeAway(ctx context.Context) error {
	d.title("Take the centre away, and go on working")
	if err := d.centre.Stop(); err != nil {
		return err
	}
	d.say("all three nodes are stopped")
	p := d.pcs[0]
	r, err := p.Run(ctx, "sync")
	if err != nil {
		return err
	}
	if err := r.Want(4); err != nil {
		return err
	}
	d.say("sync says: %s (exit status 4)", r.Failure().Sentence)
	for _, edit := range []func(context.Context) error{d.memberLeaves, d.memberJoins, d.memberMoves} {
		if err := edit(ctx); err != nil {
			return err
		}
	}
	for i, waiting := range []int{3, 1 + perMember, 2} {
		if err := d.checkPC(ctx, d.pcs[i], waiting); err != nil {
			return err
		}
	}
	d.prove("nobody at a PC has to wait for the centre: everything is saved, and counted as waiting")
	return nil
}

// memberLeaves lets a member of the first union leave today.
func (d *demo) memberLeaves(ctx context.Context) error {
	id := d.town.known.Rosters[0].Rows[10].ID
	if _, err := d.save(ctx, d.pcs[0], 1, 1, "add", "membership-event", "member="+id, "type=退会", "date="+today(), "reason=个人要求退会"); err != nil {
		return err
	}
	d.town.known.Events = append(d.town.known.Events, testcity.Event{Union: d.pcs[0].Union, ID: id, Type: "6", Date: today()})
	return nil
}

// memberJoins adds a person who stands on no roster to the second union.
func (d *demo) memberJoins(ctx context.Context) error {
	t := testcity.Roster{Rows: []testcity.Row{d.town.newcomer}}
	cells := t.Table()
	args := []string{"add", "member"}
	for i, name := range cells[0] {
		if value := cells[1][i]; value != "" && name != "序号" {
			args = append(args, name+"="+value)
		}
	}
	if _, err := d.save(ctx, d.pcs[1], perMember, perMember, args...); err != nil {
		return err
	}
	r := &d.town.known.Rosters[1]
	r.Rows = append(r.Rows, d.town.newcomer)
	return nil
}

// memberMoves lets a member of the third union go to the first, which does not know yet.
func (d *demo) memberMoves(ctx context.Context) error {
	p := d.pcs[2]
	id := d.town.known.Rosters[2].Rows[20].ID
	if _, err := d.save(ctx, p, 1, 1, "add", "membership-event", "member="+id, "type=转出", "date="+today(), "destination="+d.pcs[0].Union); err != nil {
		return err
	}
	d.town.known.Events = append(d.town.known.Events,
		testcity.Event{Union: p.Union, ID: id, Type: "4", Date: today(), Destination: d.pcs[0].Union})
	other := d.town.known.Rosters[2].Rows[30].ID
	_, err := d.save(ctx, p, 1, 0, "set", "member", other, "mobile=13800000000")
	return err
}

func (d *demo) bringBack(ctx context.Context) error {
	d.title("Bring the centre back, and sync")
	if err := d.centre.Start(ctx); err != nil {
		return err
	}
	if err := d.syncAll(ctx); err != nil {
		return err
	}
	a, err := d.compare(ctx, today(), "county", "sex")
	if err != nil {
		return err
	}
	if err := d.check("of these", number{"on the way to another union (转移中)", a.Total.InTransfer, 1}); err != nil {
		return err
	}
	d.prove("what was saved while the centre was away has been delivered, once each")
	return nil
}

func (d *demo) killLeader(ctx context.Context) error {
	d.title("Kill the leader (kill -9), and sync at once")
	leader, err := d.centre.Leader(ctx)
	if err != nil {
		return err
	}
	for i, p := range d.pcs {
		id := d.town.known.Rosters[i].Rows[5].ID
		if _, err := d.save(ctx, p, 1, 0, "set", "member", id, fmt.Sprintf("mobile=1390000000%d", i)); err != nil {
			return err
		}
	}
	if err := leader.Kill(); err != nil {
		return err
	}
	d.say("%s, which led, is dead", leader.ID)
	if err := d.syncAll(ctx); err != nil {
		return err
	}
	next, err := d.centre.Leader(ctx)
	if err != nil {
		return err
	}
	if _, err := d.compare(ctx, today(), "county", "sex"); err != nil {
		return err
	}
	d.say("%s leads now", next.ID)
	d.prove("with its leader killed the centre elects another and loses nothing; the PCs find it by themselves")
	return nil
}

func (d *demo) bringNode(ctx context.Context) error {
	d.title("Start the killed node again")
	if err := d.centre.Start(ctx); err != nil {
		return err
	}
	want := len(d.town.known.Units)
	for _, p := range d.pcs {
		want += p.saved
	}
	if err := d.centre.Level(ctx); err != nil {
		return err
	}
	for _, n := range d.centre.Nodes {
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		if err := d.check(n.ID+" holds", number{"changes", s.Changes(), want}); err != nil {
			return err
		}
	}
	d.prove("the node that was killed has caught up: three equal copies again")
	return nil
}

func (d *demo) idle(ctx context.Context) error {
	d.title("Sync once more, with nothing to do")
	for _, p := range d.pcs {
		done, err := p.Sync(ctx)
		if err != nil {
			return err
		}
		if err := d.check(p.Union, number{"changes delivered", done.Sent, 0}, number{"round trips", done.Rounds, 1}); err != nil {
			return err
		}
	}
	d.prove("a night without changes costs one round trip, and tells the centre that the copies were equal")
	return nil
}

// tryNext says what to do while the centre is up.
func (d *demo) tryNext() {
	node, p := d.centre.Nodes[0], d.pcs[0]
	lines := []string{
		d.server("counts", "--by", "county,sex", "--lang", "en", "--data", node.Data),
		d.server("counts", "--by", "age,group", "--day", "2020-12-31", "--lang", "en", "--data", node.Data),
		d.server("org", "list", "--lang", "en", "--data", node.Data),
		d.server("status", "--lang", "en", "--data", node.Data),
		p.Line("status", "--lang", "en"),
		p.Line("list", "member", "--lang", "en"),
		p.Line("history", "member", d.town.known.Rosters[0].Rows[5].ID, "--lang", "en"),
		p.Line("import", d.pcs[2].office.file, "--lang", "en"),
		p.Line("set", "member", d.town.known.Rosters[0].Rows[7].ID, "mobile=13700000000", "--lang", "en"),
		p.Line("sync", "--lang", "en"),
		fmt.Sprintf("kill -9 %d   # %s, and then sync and count again", node.PID(), node.ID),
	}
	fmt.Fprintf(d.out, "\nThe centre stays up. In another terminal, from this folder:\n\n")
	for _, l := range lines {
		fmt.Fprintf(d.out, "  %s\n", strings.ReplaceAll(l, d.root+"/", ""))
	}
	fmt.Fprintf(d.out, "\nCtrl-C ends it and removes %s.\n", d.dir)
}

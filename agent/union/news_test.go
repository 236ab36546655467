package union_test

import (
	"fmt"
	"slices"
	"testing"

	"unionsync/agent/union"
	"unionsync/syncproto"
)

// news says what one PC tells of what was changed elsewhere, a line for each field.
func (w *town) news(pc int) (out []string) {
	w.t.Helper()
	all, err := w.pc[pc].u.News(ctx)
	must(w.t, err)
	for _, n := range all {
		if n.New {
			out = append(out, "new "+n.Kind.Name)
			continue
		}
		for _, c := range n.Changes {
			line := fmt.Sprintf("%d %s > %s", c.Field, c.Before, c.After)
			for _, a := range c.By {
				line += " by " + a.Actor
			}
			out = append(out, line)
		}
	}
	return out
}

func (w *town) wantNews(pc int, why string, lines ...string) {
	w.t.Helper()
	if got := w.news(pc); !slices.Equal(got, lines) {
		w.t.Errorf("%s: PC %d tells %q, want %q", why, pc, got, lines)
	}
}

// look has seen all news.
func (w *town) look(pc int) {
	w.t.Helper()
	all, err := w.pc[pc].u.News(ctx)
	must(w.t, err)
	must(w.t, w.pc[pc].u.Looked(all))
}

// TestNews: what somebody else changed is told with before and after until one has looked;
// what one changed oneself is not.
func TestNews(t *testing.T) {
	w := newTown(t, 2)
	department, post := field("department"), field("post")
	w.wantNews(0, "the first fetch is no news")
	w.look(1) // the member that the other PC entered
	w.set(0, "department", "一车间")
	w.sync()
	w.wantNews(0, "an own change")
	w.wantNews(1, "a colleague's change", fmt.Sprintf("%d  > 一车间 by 王芳", department))
	w.set(0, "department", "二车间")
	w.set(0, "post", "钳工")
	w.sync()
	w.wantNews(1, "changed on: before is what was seen last", fmt.Sprintf("%d  > 二车间 by 王芳", department), fmt.Sprintf("%d  > 钳工 by 王芳", post))
	w.look(1)
	w.wantNews(1, "looked")
	w.set(0, "department", "三车间")
	w.sync()
	w.wantNews(1, "again", fmt.Sprintf("%d 二车间 > 三车间 by 王芳", department))
	w.set(0, "department", "二车间")
	w.sync()
	w.wantNews(1, "it is as it was")
	w.set(0, "department", "四车间")
	w.sync()
	w.set(1, "department", "五车间")
	w.wantNews(1, "who changes it on has seen it")
	w.draft(0, union.Draft{Clear: []syncproto.FieldNumber{post}})
	w.sync()
	w.wantNews(1, "cleared", fmt.Sprintf("%d 钳工 >  by 王芳", post))
	addMember(t, w.pc[0].u, 7)
	w.sync()
	w.wantNews(1, "a new record", fmt.Sprintf("%d 钳工 >  by 王芳", post), "new member", "new membership-event")
}

// TestNewsOfDecisions: the side that did not decide is told the outcome; that an own change
// was sent back is told elsewhere.
func TestNewsOfDecisions(t *testing.T) {
	w := newTown(t, 2)
	w.look(1)
	w.set(0, "education", "博士研究生")
	w.set(1, "education", "硕士研究生")
	w.sync()
	w.look(0)
	w.look(1)
	c := w.cases(1)
	if len(c) != 1 {
		t.Fatalf("%q", c)
	}
	before := w.value(0, education)
	w.decide(1, union.Decision{Choose: 2})
	w.sync()
	w.wantNews(0, "the outcome", fmt.Sprintf("%d %s > %s by 王芳", education, before, w.value(1, education)))
	w.wantNews(1, "an own decision")
	w.look(0)
	w.c.Union(exchangeUnion).Hold = func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldValue }
	w.set(0, "department", "一车间")
	w.sync()
	w.wantNews(0, "sent back")
}

// TestNewsSurvive: news are on disk with the page that brought them; who looked at an older
// state has not seen a newer one.
func TestNewsSurvive(t *testing.T) {
	w := newTown(t, 2)
	w.look(1)
	w.set(0, "department", "一车间")
	w.sync()
	seen, err := w.pc[1].u.News(ctx)
	must(t, err)
	must(t, w.pc[1].u.Close())
	if w.pc[1].u, err = union.Open(w.pc[1].dir, w.pc[1].options()); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%d  > 一车间 by 王芳", field("department"))
	w.wantNews(1, "opened again", line)
	w.set(0, "department", "二车间")
	w.sync()
	must(t, w.pc[1].u.Looked(seen))
	w.wantNews(1, "looked at what was before", fmt.Sprintf("%d  > 二车间 by 王芳", field("department")))
}

package union_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// narrow is a line that is cut whenever a message is longer than it bears: requests before
// they arrive, answers when the centre has done its part already.
type narrow struct {
	station       *station
	up, down      int // bytes; 0: no bound
	asked         []uint32
	cuts          int
	sent, receive int64
}

func (l *narrow) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	l.asked = append(l.asked, q.GetBudget())
	l.sent += int64(proto.Size(q))
	if l.up > 0 && proto.Size(q) > l.up {
		l.cuts++
		return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
	}
	r, err := l.station.centre.Exchange(ctx, q)
	if err == nil && l.down > 0 && proto.Size(r) > l.down {
		l.cuts++
		return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
	}
	return r, err
}

func (l *narrow) Bytes() (sent, received int64) { return l.sent, l.receive }

// TestExchangeNarrow: a line that is cut whenever a message is too long for it carries a whole
// night in one sync, whichever way the long messages go: what is sent and what is asked for
// both shrink.
func TestExchangeNarrow(t *testing.T) {
	const members = 150
	c := exchangeCentre(t)
	writer := newStation(t, c, 1)
	writer.mustSync()
	writer.members(0, members)
	l := &narrow{station: writer, up: 5 << 10}
	r, err := writer.u.Exchange(context.Background(), l, writer.party())
	if err != nil || !r.Equal || r.Sent != 2*members || l.cuts == 0 {
		t.Fatalf("up: %+v, %d cuts, %v", r, l.cuts, err)
	}
	reader := newStation(t, c, 2)
	l = &narrow{station: reader, down: 6 << 10}
	r, err = reader.u.Exchange(context.Background(), l, reader.party())
	if err != nil || !r.Equal || r.Received < 2*members || l.cuts == 0 {
		t.Fatalf("down: %+v, %d cuts, %v", r, l.cuts, err)
	}
	if least := l.asked[len(l.asked)-1]; least > 16<<10 {
		t.Errorf("the answers were asked for with budgets of %v", l.asked)
	}
}

// TestExchangeResumes: what came before a cut is not carried again.
func TestExchangeResumes(t *testing.T) {
	const members = 100
	c := exchangeCentre(t)
	writer := newStation(t, c, 1)
	writer.mustSync()
	writer.members(0, members)
	writer.mustSync()
	whole := &narrow{station: newStation(t, c, 2)}
	if _, err := whole.station.u.Exchange(context.Background(), whole, whole.station.party()); err != nil {
		t.Fatal(err)
	}
	p := newStation(t, c, 3)
	received, got := 0, 0
	for round := 1; ; round++ {
		alive := 2
		r, err := p.u.Exchange(context.Background(), transportFunc(func(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
			q.Budget = 4 << 10
			if alive--; alive < 0 {
				return nil, syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
			}
			a, err := c.Exchange(ctx, q)
			got += len(a.GetPage().GetRecords())
			return a, err
		}), p.party())
		received += r.Received
		p.reopen(t, "")
		if err == nil {
			break
		}
		if round > 2*members {
			t.Fatalf("no end after %d syncs: %v", round, err)
		}
	}
	if got != 2*members || received != got {
		t.Errorf("%d records were sent for %d, %d taken", got, 2*members, received)
	}
}

// TestExchangeRemembersCuts: however a sync ends, the next begins with the budget that the
// cuts left, also after the PC was off; a line that was cut before anything left says nothing.
func TestExchangeRemembersCuts(t *testing.T) {
	c := exchangeCentre(t)
	for _, row := range []struct {
		why  string
		then syncproto.Code // what ends the sync after two cuts; 0: its context does
		left bool
		want uint32
	}{
		{"the centre is gone then", syncproto.CodeUnreachable, true, syncproto.MaxBatchBytes / 4},
		{"the centre is busy then", syncproto.CodeBusy, true, syncproto.MaxBatchBytes / 4},
		{"the program is ended then", 0, true, syncproto.MaxBatchBytes / 4},
		{"nothing had left", syncproto.CodeUnreachable, false, syncproto.MaxBatchBytes},
	} {
		t.Run(row.why, func(t *testing.T) {
			p := newStation(t, c, 1)
			p.mustSync()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			l := &metered{}
			l.do = func(*syncpb.Request) (*syncpb.Response, error) {
				if row.left {
					l.sent++
				}
				if l.n++; l.n <= 2 {
					return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
				}
				if row.then == 0 {
					cancel()
					return nil, ctx.Err()
				}
				return nil, syncproto.Fail(row.then, "test", nil)
			}
			if _, err := p.u.Exchange(ctx, l, p.party()); err == nil {
				t.Fatal("a sync that was cut went well")
			}
			p.reopen(t, "")
			next := &narrow{station: p}
			if _, err := p.u.Exchange(context.Background(), next, p.party()); err != nil || next.asked[0] != row.want {
				t.Errorf("the next sync begins with a budget of %v, want %d; %v", next.asked, row.want, err)
			}
		})
	}
}

// TestExchangeRemembersAtOnce: a PC that loses power while a cut round is tried again knows
// what the line bore.
func TestExchangeRemembersAtOnce(t *testing.T) {
	c := exchangeCentre(t)
	p := newStation(t, c, 1)
	p.mustSync()
	var dir string
	l := &metered{}
	l.do = func(*syncpb.Request) (*syncpb.Response, error) {
		l.sent++
		if l.n++; l.n == 3 {
			dir = p.image(t)
		}
		return nil, syncproto.Fail(syncproto.CodeCut, "test", nil)
	}
	if _, err := p.u.Exchange(context.Background(), l, p.party()); syncproto.CodeOf(err) != syncproto.CodeCut {
		t.Fatal(err)
	}
	p.reopen(t, dir)
	next := &narrow{station: p}
	if _, err := p.u.Exchange(context.Background(), next, p.party()); err != nil || next.asked[0] != syncproto.MaxBatchBytes/4 {
		t.Errorf("after the power cut: %v, %v", next.asked, err)
	}
}

// metered is a line that tells how much has left.
type metered struct {
	n    int
	sent int64
	do   func(*syncpb.Request) (*syncpb.Response, error)
}

func (l *metered) Exchange(_ context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	return l.do(q)
}
func (l *metered) Bytes() (sent, received int64) { return l.sent, 0 }

var _ union.Meter = (*metered)(nil)

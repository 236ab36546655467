package gate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/semaphore"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
)

// maxStrangers is how many callers without a certificate are heard at once: PCs that enrol.
const maxStrangers = 64

// turns lets a bounded number of agents' requests be worked on at once, and bounds what
// those that wait cost.
type turns struct {
	g         *Gate
	next      http.Handler
	errs      *connect.ErrorWriter
	atOnce    *semaphore.Weighted
	strangers *semaphore.Weighted
	memory    *memory
	devices   *devices
	pace      *pacer
}

func newTurns(g *Gate, next http.Handler) *turns {
	c := g.cfg.Capacity
	return &turns{
		g: g, next: next, errs: connect.NewErrorWriter(),
		atOnce: semaphore.NewWeighted(int64(c.Requests)), strangers: semaphore.NewWeighted(maxStrangers),
		memory: newMemory(c.Memory), devices: newDevices(c), pace: g.pace,
	}
}

// ServeHTTP takes a request in this order: whether the caller may ask now, room for the
// body, the body, a turn, the work, the answer. Whoever sends or reads slowly does so
// without a turn; a turn is held for work only.
func (t *turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := callerOf(r.Context())
	stranger := !c.known
	if stranger && r.URL.Path != unionrpcconnect.UnionEnrolProcedure || c.known && c.id.Role != tlsid.RoleDevice && c.id.Role != tlsid.RoleNode {
		t.next.ServeHTTP(w, r) // which refuses before it reads
		return
	}
	done, err := t.begin(c)
	if err != nil {
		t.refuse(w, r, err)
		return
	}
	defer done()
	limit := int64(syncproto.MaxRequestBytes)
	if stranger {
		limit = joinSize
	}
	t.serve(w, r, limit)
}

// begin asks whether the caller may ask now. What another node sends was counted there.
func (t *turns) begin(c caller) (done func(), err error) {
	const op = "let in"
	now := t.g.cfg.Now()
	switch {
	case !c.known:
		if !t.strangers.TryAcquire(1) {
			return nil, refusal(syncproto.CodeStrangers, op, t.pace.seconds(now), nil)
		}
		return func() { t.strangers.Release(1) }, nil
	case c.id.Role == tlsid.RoleDevice:
		done, again := t.devices.begin(c.id.ID, now)
		if done == nil {
			return nil, refusal(syncproto.CodeDeviceBusy, op, strconv.Itoa(int(again/time.Second)), nil)
		}
		return done, nil
	}
	return func() {}, nil
}

func (t *turns) serve(w http.ResponseWriter, r *http.Request, limit int64) {
	room := limit + 1
	if r.ContentLength >= 0 {
		room = min(room, r.ContentLength+1)
	}
	began := t.g.cfg.Now()
	ctx, cancel := context.WithTimeout(r.Context(), t.g.cfg.Capacity.Queue)
	defer cancel()
	if err := t.memory.take(ctx, room); err != nil {
		t.refuse(w, r, t.full(syncproto.CodeMemoryFull, "find room for a request", err))
		return
	}
	defer func() { t.memory.add(-room) }()
	line := http.NewResponseController(w)
	body, err := readBody(r.Body, line, limit, r.ContentLength)
	if err != nil {
		w.Header().Set("Connection", "close") // what is left of the body is not waited for
		t.refuse(w, r, err)
		return
	}
	a := &answering{head: http.Header{}}
	if err := t.work(a, r, body); err != nil {
		t.refuse(w, r, err)
		return
	}
	room += int64(a.body.Len())
	t.memory.add(int64(a.body.Len()))
	if err := a.to(w, line); err != nil {
		t.g.cfg.Logger.Debug("answer not read", "error", err, "elapsed", t.g.cfg.Now().Sub(began))
	}
}

// work waits for a turn and makes the answer in it. What another node forwards has a turn
// there: a second one here would put it behind those who came to this node first.
func (t *turns) work(a *answering, r *http.Request, body []byte) error {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if callerOf(r.Context()).id.Role == tlsid.RoleNode {
		t.next.ServeHTTP(a, r)
		return nil
	}
	t.g.cfg.Meter.Waiting(1)
	ctx, cancel := context.WithTimeout(r.Context(), t.g.cfg.Capacity.Queue)
	err := t.atOnce.Acquire(ctx, 1)
	cancel()
	t.g.cfg.Meter.Waiting(-1)
	if err != nil {
		return t.full(syncproto.CodeBusy, "take a turn", err)
	}
	began := time.Now()
	t.g.cfg.Meter.Working(1)
	defer func() {
		t.atOnce.Release(1)
		t.g.cfg.Meter.Working(-1)
		t.pace.took(time.Since(began))
	}()
	t.next.ServeHTTP(a, r)
	return nil
}

// full gives the refusal of a request that waited in vain; one whose caller has gone gets
// the error of its context.
func (t *turns) full(code syncproto.Code, op string, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return refusal(code, op, t.pace.seconds(t.g.cfg.Now()), err)
}

// refuse answers with an error. Of a caller that has gone nothing is said.
func (t *turns) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var coded *syncproto.Error
	if !errors.As(err, &coded) {
		return
	}
	t.g.cfg.Meter.Exchanged(outcomeOf(nil, err), 0)
	t.g.cfg.Meter.NotLetIn(coded.Code)
	t.g.cfg.Logger.Debug("request not let in", "code", int(coded.Code))
	// Of a device net/http reads what is left of its body, or the answer might be lost with the
	// line; a stranger is not waited for. Setting a deadline fails when the line is gone.
	line, end := http.NewResponseController(w), time.Now().Add(slowStarts)
	_, _ = line.SetReadDeadline(end), line.SetWriteDeadline(end)
	if coded.Code == syncproto.CodeStrangers {
		w.Header().Set("Connection", "close")
	}
	_ = t.errs.Write(w, r, wire.Encode(err)) // a client that is gone reads no error
}

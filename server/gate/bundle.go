package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/bundlefile"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/syncpb"
)

// Bounds of the import of one bundle.
const (
	bundlePatience = 2 * time.Minute
	maxAnswerBytes = 24 << 20 // of messages in an answer; what a union has beyond comes with the next one
)

// BundleReport is what became of a bundle.
type BundleReport struct {
	ID       string           `json:"id"`
	Union    string           `json:"union"`
	Device   string           `json:"device"`
	MadeAt   int64            `json:"made_at"` // by the PC's clock, Unix seconds
	Requests int              `json:"requests"`
	Changes  int              `json:"changes"` // carried, new ones and such as were here already
	Held     int              `json:"held"`
	Refused  []syncproto.Code `json:"refused"` // why segments were not taken
	More     bool             `json:"more"`    // the answer is full; another bundle brings the rest
}

// ImportBundle works a bundle in as if its requests had come over the network from the
// device that signed it, one after the other, and gives the sealed answer. It may come twice,
// late, out of order, and beside a sync.
func (s *adminService) ImportBundle(ctx context.Context, req *connect.Request[unionrpc.ImportBundleRequest]) (*connect.Response[unionrpc.ImportBundleResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.ImportBundleRequest, unionrpc.ImportBundleResponse]{
		op: "import bundle", head: req.Header(), wait: bundlePatience,
		local: func(ctx context.Context, q *unionrpc.ImportBundleRequest) (*unionrpc.ImportBundleResponse, error) {
			file, report, err := g.WorkIn(ctx, q.GetBundle())
			if err != nil {
				return nil, err
			}
			b, err := json.Marshal(report)
			return &unionrpc.ImportBundleResponse{Bundle: file, Json: b}, err
		},
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.ImportBundleRequest]) (*connect.Response[unionrpc.ImportBundleResponse], error) {
			return g.adminAt(url).ImportBundle(ctx, q)
		},
	}, req.Msg)
	return answer(g, "import bundle", r, err)
}

// WorkIn is ImportBundle without HTTP; the node must lead. A bundle that does not verify as a
// whole changes nothing. After another error a part of its requests may have been worked in:
// importing it again goes on.
func (g *Gate) WorkIn(ctx context.Context, file []byte) ([]byte, BundleReport, error) {
	o := bundlefile.Opener{CA: g.cfg.Node.Own.CA, Key: g.cfg.Node.City.BundleKey(), Kind: bundle.KindRequest}
	b, signer, err := o.Open(file)
	if err != nil {
		return nil, BundleReport{}, err
	}
	requests, err := requestsOf(b)
	if err != nil {
		return nil, BundleReport{}, err
	}
	w := &workingIn{g: g, device: Device{ID: b.Device[:], Key: signer.KeyID.String(), Certificate: b.Certificate}, report: BundleReport{
		ID: b.ID.String(), Union: b.Union, Device: b.Device.String(), MadeAt: b.MadeAt, Requests: len(requests), Refused: []syncproto.Code{},
	}}
	if err := w.all(ctx, requests); err != nil {
		return nil, w.report, err
	}
	g.cfg.Logger.Info("bundle imported", "union", b.Union, "device", b.Device.String()[:8], "bundle", b.ID.String(),
		"requests", len(requests), "changes", w.report.Changes, "refused", len(w.report.Refused))
	if b.ReplyTo == "" {
		return nil, w.report, nil
	}
	out, err := g.answerBundle(b, w.answers)
	return out, w.report, err
}

// requestsOf reads the messages of a bundle before any is worked in.
func requestsOf(b *bundle.Bundle) ([]*syncpb.Request, error) {
	bad := func(err error) error { return syncproto.Fail(syncproto.CodeBundleDamaged, "read requests", err) }
	if b.ReplyTo != "" && !seal.IsRecipient(b.ReplyTo) {
		return nil, bad(fmt.Errorf("nobody can be answered"))
	}
	var out []*syncpb.Request
	for i, m := range b.Messages {
		q := new(syncpb.Request)
		if err := proto.Unmarshal(m, q); err != nil {
			return nil, bad(fmt.Errorf("request %d: %w", i, err))
		}
		if q.GetUnion() != b.Union {
			return nil, bad(fmt.Errorf("request %d is of another union", i))
		}
		out = append(out, q)
	}
	return out, nil
}

// workingIn is one bundle on its way.
type workingIn struct {
	g       *Gate
	device  Device
	report  BundleReport
	answers [][]byte
	size    int
}

// all answers the requests in order. The first one may ask for more of the feed than one page
// holds: there is nobody to ask again, so the pages that follow go along, as answers to the
// same request.
func (w *workingIn) all(ctx context.Context, requests []*syncpb.Request) error {
	var next *syncpb.Request
	for _, q := range requests {
		r, err := w.one(ctx, q)
		if err != nil {
			return err
		}
		for _, s := range q.GetBatch() {
			w.report.Changes += len(s.GetChanges())
		}
		if next == nil && r.GetPage().GetMore() {
			next = following(q, r)
		}
	}
	for next != nil && w.size < maxAnswerBytes {
		r, err := w.one(ctx, next)
		if err != nil {
			return err
		}
		if !r.GetPage().GetMore() || r.GetPage().GetNext() <= next.GetCursor() {
			return nil
		}
		next = following(next, r)
	}
	w.report.More = next != nil
	return nil
}

// following asks for the page behind that of r, and for nothing else.
func following(q *syncpb.Request, r *syncpb.Response) *syncpb.Request {
	next := proto.CloneOf(q)
	next.Batch, next.Returned, next.Want, next.Proved = nil, nil, nil, nil
	next.Cursor = r.GetPage().GetNext()
	return next
}

func (w *workingIn) one(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	r, err := w.g.Answer(ctx, w.device, q)
	if err != nil {
		return nil, err
	}
	for _, f := range r.GetRefused() {
		w.report.Refused = append(w.report.Refused, syncproto.Code(f.GetCode()))
	}
	for _, v := range r.GetVerdicts() {
		for _, k := range v.GetKinds() {
			if syncproto.VerdictKind(k&0x0f) == syncproto.VerdictHeld {
				w.report.Held++
			}
		}
	}
	m, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("answer bundle: %w", err)
	}
	w.answers, w.size = append(w.answers, m), w.size+len(m)
	return r, nil
}

// answerBundle signs and seals the answers for the device.
func (g *Gate) answerBundle(b *bundle.Bundle, answers [][]byte) ([]byte, error) {
	gen, err := g.cfg.Ledger.Generation()
	if err != nil {
		return nil, err
	}
	own := g.cfg.Node.Live()
	return bundlefile.Make(&bundle.Bundle{
		Kind: bundle.KindAnswer, ID: b.ID, City: b.City, Union: b.Union, Device: b.Device, Node: g.cfg.Node.ID(),
		Generation: syncproto.Generation{Number: uint16(gen.GetNumber()), Random: gen.GetRandom()},
		MadeAt:     g.now(), Messages: answers, Certificate: own.Cert.Raw,
	}, b.ReplyTo, func(msg []byte) []byte { return seal.Sign(own.Key, syncproto.DomainBundle, msg) })
}

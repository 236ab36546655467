package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/archive"
	"unionsync/server/census"
	"unionsync/server/gate"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Admin is an operator's connection to the centre, with the certificate of the node in
// whose folder it works.
type Admin struct {
	client    *http.Client
	addresses []string
	fixed     bool // only the first address counts
}

// maxAdminBytes bounds an answer: a list of 100,000 units.
const maxAdminBytes = 64 << 20

// Dial prepares calls to the node of dir and, where that does not answer, to the others
// that it knows. A node that is named is the only one asked.
func Dial(dir string, env func(string) string, node string) (*Admin, error) {
	c, err := LoadConfig(dir, env, nil)
	if err != nil {
		return nil, err
	}
	own, err := trust.Open(dir, rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &Admin{client: wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(own.Own)})}
	if node != "" {
		url, err := ParseURL(node)
		if err != nil {
			return nil, syncproto.Fail(syncproto.CodeInvalid, "dial", err, "what", "node")
		}
		a.addresses, a.fixed = []string{url}, true
		return a, nil
	}
	if url, err := c.apiURL(c.Listen); err == nil {
		a.addresses = append(a.addresses, url)
	}
	others, err := loadNodes(dir)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		if !slices.Contains(a.addresses, o) {
			a.addresses = append(a.addresses, o)
		}
	}
	return a, nil
}

// Close frees the connections.
func (a *Admin) Close() { a.client.CloseIdleConnections() }

// each makes a call at the first node that answers.
func each[Q, R any](ctx context.Context, a *Admin, op string, q *Q,
	do func(unionrpcconnect.AdminClient, context.Context, *connect.Request[Q]) (*connect.Response[R], error)) (*R, error) {
	var errs []error
	for _, address := range a.addresses {
		client := unionrpcconnect.NewAdminClient(a.client, address, wire.ClientOptions(maxAdminBytes))
		r, err := do(client, ctx, connect.NewRequest(q))
		if err == nil {
			return r.Msg, nil
		}
		err = wire.Decode(op, err)
		if syncproto.CodeOf(err) != syncproto.CodeUnreachable || a.fixed {
			return nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return nil, syncproto.Fail(syncproto.CodeUnreachable, op, errors.Join(errs...))
}

// CreateCode makes a one-time enrolment code.
func (a *Admin) CreateCode(ctx context.Context, q *unionrpc.CreateCodeRequest) (*unionrpc.CreateCodeResponse, error) {
	return each(ctx, a, "create code", q, unionrpcconnect.AdminClient.CreateCode)
}

// ImportOrg sets units of the tree.
func (a *Admin) ImportOrg(ctx context.Context, q *unionrpc.ImportOrgRequest) (*unionrpc.ImportOrgResponse, error) {
	return each(ctx, a, "import org", q, unionrpcconnect.AdminClient.ImportOrg)
}

// ListOrg lists units of the tree.
func (a *Admin) ListOrg(ctx context.Context, q *unionrpc.ListOrgRequest) (*unionrpc.ListOrgResponse, error) {
	return each(ctx, a, "list org", q, unionrpcconnect.AdminClient.ListOrg)
}

// Counts counts members.
func (a *Admin) Counts(ctx context.Context, q *unionrpc.CountsRequest) (*census.Answer, error) {
	r, err := each(ctx, a, "counts", q, unionrpcconnect.AdminClient.Counts)
	if err != nil {
		return nil, err
	}
	answer := new(census.Answer)
	return answer, decodeJSON("counts", r.GetJson(), answer)
}

// Status tells how the node that answers stands.
func (a *Admin) Status(ctx context.Context) (*gate.Status, error) {
	r, err := each(ctx, a, "status", new(unionrpc.StatusRequest), unionrpcconnect.AdminClient.Status)
	if err != nil {
		return nil, err
	}
	st := new(gate.Status)
	return st, decodeJSON("status", r.GetJson(), st)
}

// ListDevices lists enrolled devices; of one union, or of all with "".
func (a *Admin) ListDevices(ctx context.Context, union string) (*gate.Devices, error) {
	r, err := each(ctx, a, "list devices", &unionrpc.ListDevicesRequest{Union: union}, unionrpcconnect.AdminClient.ListDevices)
	if err != nil {
		return nil, err
	}
	out := new(gate.Devices)
	return out, decodeJSON("list devices", r.GetJson(), out)
}

// Device gives the only device whose id begins with the digits typed.
func (a *Admin) Device(ctx context.Context, typed string) (*gate.DeviceInfo, error) {
	const op = "show device"
	all, err := a.ListDevices(ctx, "")
	if err != nil {
		return nil, err
	}
	digits := strings.ToLower(strings.TrimSpace(typed))
	var found []*gate.DeviceInfo
	for i := range all.Devices {
		if digits != "" && strings.HasPrefix(all.Devices[i].Device, digits) {
			found = append(found, &all.Devices[i])
		}
	}
	shown := digits[:min(len(digits), 32)]
	switch len(found) {
	case 0:
		return nil, syncproto.Fail(syncproto.CodeDeviceNotFound, op, nil, "device", shown)
	case 1:
		return found[0], nil
	}
	return nil, syncproto.Fail(syncproto.CodeDeviceUnclear, op, nil, "device", shown, "n", strconv.Itoa(len(found)))
}

// Revoke takes a device its right.
func (a *Admin) Revoke(ctx context.Context, q *unionrpc.RevokeRequest) (*gate.Revoked, error) {
	r, err := each(ctx, a, "revoke", q, unionrpcconnect.AdminClient.Revoke)
	if err != nil {
		return nil, err
	}
	out := new(gate.Revoked)
	return out, decodeJSON("revoke", r.GetJson(), out)
}

func decodeJSON(op string, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return syncproto.Fail(syncproto.CodeAnswer, op, err)
	}
	return nil
}

// Addresses are the nodes that calls go to, the first foremost.
func (a *Admin) Addresses() []string { return slices.Clone(a.addresses) }

// BeginGeneration begins another life of the centre.
func (a *Admin) BeginGeneration(ctx context.Context, q *unionrpc.BeginGenerationRequest) (*gate.Generation, error) {
	r, err := each(ctx, a, "begin generation", q, unionrpcconnect.AdminClient.BeginGeneration)
	if err != nil {
		return nil, err
	}
	g := new(gate.Generation)
	return g, decodeJSON("begin generation", r.GetJson(), g)
}

// Generations lists the lives of the centre that are known, the newest last.
func (a *Admin) Generations(ctx context.Context) ([]gate.Generation, error) {
	r, err := each(ctx, a, "list generations", new(unionrpc.ListGenerationsRequest), unionrpcconnect.AdminClient.ListGenerations)
	if err != nil {
		return nil, err
	}
	var all []gate.Generation
	return all, decodeJSON("list generations", r.GetJson(), &all)
}

// Cases lists the questions that wait for a person, of all unions when none is named.
func (a *Admin) Cases(ctx context.Context, q *unionrpc.ListCasesRequest) (*gate.Cases, error) {
	r, err := each(ctx, a, "list cases", q, unionrpcconnect.AdminClient.ListCases)
	if err != nil {
		return nil, err
	}
	list := new(gate.Cases)
	return list, decodeJSON("list cases", r.GetJson(), list)
}

// Decide settles a case and gives it as it is then.
func (a *Admin) Decide(ctx context.Context, q *unionrpc.DecideRequest) (*gate.Case, error) {
	r, err := each(ctx, a, "decide case", q, unionrpcconnect.AdminClient.Decide)
	if err != nil {
		return nil, err
	}
	c := new(gate.Case)
	return c, decodeJSON("decide case", r.GetJson(), c)
}

// ImportBundle works a bundle in and gives the sealed answer, nil if the device asked for
// none.
func (a *Admin) ImportBundle(ctx context.Context, file []byte) ([]byte, *gate.BundleReport, error) {
	const op = "import bundle"
	r, err := each(ctx, a, op, &unionrpc.ImportBundleRequest{Bundle: file}, unionrpcconnect.AdminClient.ImportBundle)
	if err != nil {
		return nil, nil, err
	}
	report := new(gate.BundleReport)
	return r.GetBundle(), report, decodeJSON(op, r.GetJson(), report)
}

// Archive tells how the archive stands at the node that leads; with backup it first asks for
// a backup, which goes on behind the answer.
func (a *Admin) Archive(ctx context.Context, backup bool) (*archive.Status, error) {
	const op = "archive"
	r, err := each(ctx, a, op, &unionrpc.ArchiveRequest{Backup: backup}, unionrpcconnect.AdminClient.Archive)
	if err != nil {
		return nil, err
	}
	s := new(archive.Status)
	return s, decodeJSON(op, r.GetJson(), s)
}

// BackUp makes a backup and returns when it stands on the target, or the reason why it does
// not. step is told how many bytes of the state are kept.
func (a *Admin) BackUp(ctx context.Context, step func(bytes int64)) (*archive.Status, error) {
	before, err := a.Archive(ctx, true)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(backupPoll)
	defer tick.Stop()
	for {
		s, err := a.Archive(ctx, false)
		if err != nil {
			return nil, err
		}
		step(s.Bytes)
		if s.Backup != nil && (before.Backup == nil || s.Backup.Name != before.Backup.Name) {
			return s, nil
		}
		if f := s.Fault; f != nil && f.Job == "backup" && (before.Fault == nil || *f != *before.Fault) {
			return nil, syncproto.Fail(f.Code, "back up", nil, "target", s.Target, "seconds", busySeconds, "leader", "?")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const (
	backupPoll  = 200 * time.Millisecond
	busySeconds = "30"
)

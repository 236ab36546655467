package gate

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/census"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Bounds of one import and of its log entries.
const (
	maxOrgRows    = 100_000
	unitsPerEntry = 300
	importWait    = 2 * time.Minute
)

// ImportOrg sets units of the city's tree. All that is wrong is told in one answer, and
// then nothing is changed. What is equal already is no change: it can be called again.
func (s *adminService) ImportOrg(ctx context.Context, req *connect.Request[unionrpc.ImportOrgRequest]) (*connect.Response[unionrpc.ImportOrgResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.ImportOrgRequest, unionrpc.ImportOrgResponse]{
		op: "import org", head: req.Header(), wait: importWait, local: g.importOrg,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.ImportOrgRequest]) (*connect.Response[unionrpc.ImportOrgResponse], error) {
			return g.adminAt(url).ImportOrg(ctx, q)
		},
	}, req.Msg)
	return answer(g, "import org", r, err)
}

func (g *Gate) importOrg(ctx context.Context, q *unionrpc.ImportOrgRequest) (*unionrpc.ImportOrgResponse, error) {
	if n := len(q.GetRows()); n == 0 || n > maxOrgRows {
		return nil, syncproto.Fail(syncproto.CodeInvalid, "import org", nil, "what", "rows")
	}
	t, err := g.readTree()
	if err != nil {
		return nil, err
	}
	c := newOrgCheck(t, census.DayAt(g.cfg.Now().Unix()).String())
	c.check(q.GetRows())
	if len(c.problems) > 0 {
		return &unionrpc.ImportOrgResponse{Problems: c.problems, Head: uint64(g.cfg.Ledger.Head())}, nil
	}
	r := new(unionrpc.ImportOrgResponse)
	changes := c.changes(r)
	if !q.GetDryRun() {
		if err := g.commitUnits(ctx, changes); err != nil {
			return nil, err
		}
		g.cfg.Logger.Info("organisation imported", "added", r.GetAdded(), "changed", r.GetChanged(), "unchanged", r.GetUnchanged())
	}
	r.Head = uint64(g.cfg.Ledger.Head())
	return r, nil
}

// changes gives what differs from the tree as it stands, parents first, and counts.
func (c *orgCheck) changes(r *unionrpc.ImportOrgResponse) []*entrypb.StaffChange {
	var out []*entrypb.StaffChange
	for _, row := range c.rows {
		before, known := c.tree.units[row.code]
		var fields []*entrypb.FieldValue
		for _, n := range slices.Sorted(maps.Keys(row.set)) {
			if value := row.values[n]; !bytes.Equal(value, before[n]) {
				fields = append(fields, &entrypb.FieldValue{Field: uint32(n), Value: value})
			}
		}
		switch {
		case len(fields) == 0:
			r.Unchanged++
			continue
		case known:
			r.Changed++
		default:
			r.Added++
		}
		id := unitID(row.code)
		out = append(out, &entrypb.StaffChange{
			Union: syncproto.CityUnion, Kind: uint32(c.tree.kind.Number), Id: id[:],
			KindVersion: c.tree.kind.Version, Fields: fields,
		})
	}
	return out
}

// commitUnits commits changes in entries of a bounded size. When it is cut in the middle,
// the same import made again does the rest.
func (g *Gate) commitUnits(ctx context.Context, changes []*entrypb.StaffChange) error {
	for len(changes) > 0 {
		n, size := 0, 0
		for n < len(changes) && n < unitsPerEntry && size < syncproto.MaxEntryBytes/2 {
			size += proto.Size(changes[n])
			n++
		}
		res, err := g.propose(ctx, &entrypb.Staff{
			Time: g.now(), Actor: clip("node/"+g.cfg.Node.ID(), syncproto.MaxActorBytes), Changes: changes[:n], Node: g.cfg.Node.ID(),
		})
		if err != nil {
			return err
		}
		if _, ok := res.(ledger.StaffResult); !ok {
			return syncproto.Fail(syncproto.CodeUnknownOutcome, "import org", nil)
		}
		changes = changes[n:]
	}
	return nil
}

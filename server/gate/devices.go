package gate

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
)

// DeviceInfo is what the help desk sees of an enrolled PC. Its JSON form is stable: fields
// are added, never renamed. Times are Unix seconds, 0 for never.
type DeviceInfo struct {
	Device   string   `json:"device"`
	Unions   []string `json:"unions"`
	Enrolled int64    `json:"enrolled"`
	Until    int64    `json:"certificate_until"` // nobody is refused for it: it says when to renew
	Heard    int64    `json:"heard"`             // newest contact, in any of its unions
	Complete int64    `json:"complete"`          // newest exchange that ended complete
	Waiting  uint32   `json:"waiting"`           // changes that it said to have on its disk alone
	Version  string   `json:"version,omitempty"`
	Revoked  bool     `json:"revoked"`
	Since    int64    `json:"revoked_at,omitempty"`
	Operator string   `json:"revoked_by,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Held     uint32   `json:"held_since,omitempty"` // changes held because it is revoked
}

// Devices is the answer of ListDevices.
type Devices struct {
	Devices []DeviceInfo `json:"devices"`
}

// ListDevices lists the enrolled devices, those of one union if one is named.
func (s *adminService) ListDevices(ctx context.Context, req *connect.Request[unionrpc.ListDevicesRequest]) (*connect.Response[unionrpc.ListDevicesResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.ListDevicesRequest, unionrpc.ListDevicesResponse]{
		op: "list devices", head: req.Header(), local: g.listDevices,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.ListDevicesRequest]) (*connect.Response[unionrpc.ListDevicesResponse], error) {
			return g.adminAt(url).ListDevices(ctx, q)
		},
	}, req.Msg)
	return answer(g, "list devices", r, err)
}

func (g *Gate) listDevices(ctx context.Context, q *unionrpc.ListDevicesRequest) (*unionrpc.ListDevicesResponse, error) {
	if err := g.flushContacts(ctx); err != nil {
		return nil, err
	}
	out := Devices{Devices: []DeviceInfo{}}
	at := map[string]int{}
	err := g.cfg.Ledger.EachDevice(func(id []byte, d *entrypb.Device) error {
		if u := q.GetUnion(); u != "" && !d.HasUnion(u) {
			return nil
		}
		at[string(id)] = len(out.Devices)
		out.Devices = append(out.Devices, deviceInfo(id, d))
		return nil
	})
	if err == nil {
		err = g.cfg.Ledger.Contacts(func(_ string, device []byte, s *entrypb.ContactState) error {
			if i, ok := at[string(device)]; ok {
				out.Devices[i].heard(s)
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	b, err := json.Marshal(out)
	return &unionrpc.ListDevicesResponse{Json: b}, err
}

func deviceInfo(id []byte, d *entrypb.Device) DeviceInfo {
	rev := d.GetRevocation()
	i := DeviceInfo{
		Device: hex.EncodeToString(id), Unions: slices.Sorted(slices.Values(d.GetUnions())), Enrolled: d.GetEnrolled(),
		Revoked: d.GetRevoked(), Since: rev.GetTime(), Operator: rev.GetOperator(), Reason: rev.GetReason(), Held: d.GetHeldChanges(),
	}
	if cert, err := x509.ParseCertificate(d.GetCertificate()); err == nil {
		i.Until = cert.NotAfter.Unix()
	}
	return i
}

// heard adds what is known of the device's contacts in one union.
func (i *DeviceInfo) heard(s *entrypb.ContactState) {
	i.Complete = max(i.Complete, s.GetComplete())
	i.Waiting += s.GetLast().GetWaiting()
	if s.GetHeard() >= i.Heard {
		i.Heard, i.Version = s.GetHeard(), s.GetLast().GetVersion()
	}
}

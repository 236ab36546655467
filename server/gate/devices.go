package gate

import (
	"bytes"
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

	State      string          `json:"state"`  // in the words of health.DeviceStates
	Alarms     uint32          `json:"alarms"` // times that it found its records to differ from the centre's
	OldVersion bool            `json:"old_version"`
	Clock      int64           `json:"clock_seconds"` // by which its clock was ahead of the centre's, to a few seconds
	ClockWrong bool            `json:"clock_wrong"`
	Contacts   []DeviceContact `json:"contacts"` // by union, as it said when it was last heard of
}

// DeviceContact is a device's newest contact in one of its unions.
type DeviceContact struct {
	Union    string `json:"union"`
	Heard    int64  `json:"heard"`
	Complete int64  `json:"complete"`
	Waiting  uint32 `json:"waiting"`
	Alarms   uint32 `json:"alarms"`
	Version  string `json:"version,omitempty"`
	Proved   bool   `json:"proved"` // it showed to have the records that the centre has now
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
		err = g.addContacts(out.Devices, at)
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
		Contacts: []DeviceContact{},
	}
	if cert, err := x509.ParseCertificate(d.GetCertificate()); err == nil {
		i.Until = cert.NotAfter.Unix()
	}
	return i
}

// addContacts adds to devices, which at finds by their ids, what is known of their contacts.
func (g *Gate) addContacts(devices []DeviceInfo, at map[string]int) error {
	all := make([]heardOf, len(devices))
	err := g.cfg.Ledger.Contacts(func(union string, device []byte, s *entrypb.ContactState) error {
		i, ok := at[string(device)]
		if !ok {
			return nil
		}
		devices[i].heard(s)
		all[i].add(s)
		c, err := g.contactIn(union, s)
		devices[i].Contacts = append(devices[i].Contacts, c)
		return err
	})
	now := g.cfg.Now()
	for i := range devices {
		d, h := &devices[i], &all[i]
		d.State, d.Alarms, d.Clock, d.ClockWrong = h.state(now, d.Revoked), h.alarms, h.clock, h.clockWrong()
		d.OldVersion = older(h.version, g.cfg.Version)
	}
	return err
}

func (g *Gate) contactIn(union string, s *entrypb.ContactState) (DeviceContact, error) {
	last := s.GetLast()
	c := DeviceContact{
		Union: union, Heard: s.GetHeard(), Complete: s.GetComplete(), Waiting: last.GetWaiting(), Alarms: last.GetAlarms(), Version: last.GetVersion(),
	}
	if len(last.GetProvedDigest()) == 0 {
		return c, nil
	}
	v := g.cfg.Ledger.View(union)
	defer v.Done()
	d, err := v.Digest()
	c.Proved = bytes.Equal(d.Wire(), last.GetProvedDigest())
	return c, err
}

// heard adds what is known of the device's contacts in one union.
func (i *DeviceInfo) heard(s *entrypb.ContactState) {
	i.Complete = max(i.Complete, s.GetComplete())
	i.Waiting += s.GetLast().GetWaiting()
	if s.GetHeard() >= i.Heard {
		i.Heard, i.Version = s.GetHeard(), s.GetLast().GetVersion()
	}
}

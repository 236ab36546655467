package server

import (
	"context"
	"fmt"
	"strings"

	"unionsync/server/health"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// openHealth takes the address at which the node tells of itself.
func (n *Node) openHealth() error {
	var err error
	if n.healthAt, err = health.Listen(n.opt.Config.MetricsAddress); err != nil {
		return err
	}
	n.checks = n.newChecks()
	n.meter = health.NewMeter()
	n.health, err = health.New(health.Config{
		Checks: n.checks, Facts: n.facts, City: n.city, Meter: n.meter, Recent: n.opt.Recent, Log: n.opt.Log, Notify: n.opt.Notify,
	})
	return err
}

// healthAddress is where the node tells of itself, "" for nowhere.
func (n *Node) healthAddress() string {
	if n.healthAt == nil {
		return ""
	}
	return n.healthAt.Addr().String()
}

// Bounds of what a node may lag behind and still do its work.
const (
	maxBehind       = 1_000  // entries
	maxCountsBehind = 10_000 // changes
)

func (n *Node) newChecks() health.Checks {
	return health.Checks{
		{Name: "raft", For: health.ForLife, Run: n.checkRaft},
		{Name: "ledger", For: health.ForLife, Run: n.checkLedger},
		{Name: "state", For: health.ForExchange, Run: n.checkState},
		{Name: "member", For: health.ForExchange, Run: n.checkMember},
		{Name: "leader", For: health.ForExchange, Run: n.checkLeader},
		{Name: "applied", For: health.ForExchange, Run: n.checkApplied},
		{Name: "members", For: health.ForOperator, Run: n.checkMembers},
		{Name: "census", For: health.ForCounts, Run: n.checkCensus},
		{Name: "disk", For: health.ForOperator, Run: n.checkDisk},
		{Name: "files", For: health.ForOperator, Run: n.checkFiles},
		{Name: "certificate", For: health.ForOperator, Run: n.checkCertificate},
		{Name: "backup", For: health.ForOperator, Run: n.checkBackup},
	}
}

func (n *Node) checkRaft(context.Context) error {
	if n.cluster.Faulty() {
		return syncproto.Fail(syncproto.CodeNodeStopped, "check raft", nil)
	}
	return nil
}

// checkLedger reads something: a store that hangs does not answer.
func (n *Node) checkLedger(context.Context) error {
	_, err := n.ledger.Node(n.opt.Config.ID)
	return err
}

func (n *Node) checkState(context.Context) error {
	if !n.ledger.Ready() {
		return syncproto.Fail(syncproto.CodeNotReady, "check state", nil)
	}
	return nil
}

func (n *Node) checkMember(context.Context) error {
	if self, _ := n.cluster.Voting(); !self {
		return syncproto.Fail(syncproto.CodeNotMember, "check member", nil)
	}
	return nil
}

func (n *Node) checkLeader(context.Context) error {
	if !n.knowsLeader() {
		return syncproto.Fail(syncproto.CodeNoLeader, "check leader", nil, "seconds", "5")
	}
	return nil
}

// knowsLeader reports whether there is a leader that takes work. One that has just been
// elected, this node, does not before it has applied what was committed.
func (n *Node) knowsLeader() bool {
	if n.cluster.IsLeader() {
		_, leads := n.cluster.Leading()
		return leads
	}
	id, _ := n.cluster.Leader()
	return id != ""
}

func (n *Node) checkApplied(context.Context) error {
	s := n.cluster.Stats()
	if s.CommitIndex > s.Applied+maxBehind {
		return syncproto.Fail(syncproto.CodeNodeBehind, "check applied", nil, "n", fmt.Sprint(s.CommitIndex-s.Applied))
	}
	return nil
}

// checkMembers fails at the leader while a member does not answer it.
func (n *Node) checkMembers(context.Context) error {
	if silent := n.cluster.SilentMembers(); len(silent) > 0 {
		return syncproto.Fail(syncproto.CodeMemberSilent, "check members", nil, "node", strings.Join(silent, ", "))
	}
	return nil
}

func (n *Node) checkCensus(context.Context) error {
	c := n.census.Load()
	if c == nil || !c.Ready() {
		return syncproto.Fail(syncproto.CodeCountNotReady, "check census", nil)
	}
	counted, head := c.Position().Count(), n.ledger.Head().Count()
	if head > counted+maxCountsBehind {
		return syncproto.Fail(syncproto.CodeCountsBehind, "check census", nil, "n", fmt.Sprint(head-counted))
	}
	return nil
}

func (n *Node) checkDisk(context.Context) error {
	d, err := health.DiskOf(n.opt.Dir)
	if err != nil {
		return err
	}
	return health.CheckDisk(d)
}

func (n *Node) checkFiles(context.Context) error {
	limit, known := health.FilesLimit()
	return health.CheckFiles(limit, known, n.gate.Conns())
}

func (n *Node) checkCertificate(context.Context) error {
	return health.CheckCertificate(trust.NodeCertFile, n.trust.Live().Cert.NotAfter, n.opt.World.Now())
}

func (n *Node) checkBackup(context.Context) error {
	return health.CheckBackup(n.backup(), n.opt.World.Now())
}

// backup tells how the archive stands, nil where this node does not keep one: that is the
// leader's to do.
func (n *Node) backup() *health.Backup {
	if n.keeper == nil {
		return nil
	}
	s := n.keeper.Status()
	if !s.Active {
		return nil
	}
	b := &health.Backup{Streamed: s.StreamedAt, Failed: s.Fault != nil}
	if s.Backup != nil {
		b.Taken, b.Bytes = s.Backup.Made, s.Backup.Bytes
	}
	if s.Checked != nil && s.Checked.Err() == nil {
		b.Verified = s.Checked.Time
	}
	return b
}

// facts are the node's numbers of this moment; they cost no read of the store.
func (n *Node) facts() health.Facts {
	s, head := n.cluster.Stats(), n.ledger.Head()
	self, voters := n.cluster.Voting()
	f := health.Facts{
		Version: n.opt.Version, Queue: n.items.Waiting(), Until: n.trust.Live().Cert.NotAfter.Unix(), Backup: n.backup(),
		Ready: n.ledger.Ready() && self && n.knowsLeader() && !n.cluster.Faulty() && s.CommitIndex <= s.Applied+maxBehind,
		Raft: health.Raft{
			State: strings.ToLower(s.State), Term: s.Term, Committed: s.CommitIndex, Applied: s.Applied, Last: s.LastIndex,
			Snapshot: s.SnapshotIndex, LastContact: s.LastContact, Voters: voters, Silent: len(n.cluster.SilentMembers()), LogEntries: s.Logs, LogBytes: s.LogBytes,
		},
		Ledger: health.Ledger{
			Applied: n.ledger.Applied(), Generation: int(head.Generation()), Changes: head.Count(), Watermark: n.ledger.Watermark().Count(),
		},
	}
	f.Ledger.LSMBytes, f.Ledger.VlogBytes = n.ledger.Size()
	if c := n.census.Load(); c != nil {
		f.Census = health.Census{Ready: c.Ready(), Changes: c.Position().Count()}
	}
	f.Disk, _ = health.DiskOf(n.opt.Dir) // the check tells
	return f
}

// city reads the city's numbers: all devices, contacts and cases.
func (n *Node) city(context.Context) (health.City, error) {
	if !n.ledger.Ready() {
		return health.City{}, nil
	}
	devices, alarms, waiting, err := n.gate.CountDevices()
	if err != nil {
		return health.City{}, err
	}
	c := health.City{Devices: devices, Alarms: alarms, Waiting: waiting}
	if c.Held, err = n.ledger.HeldChanges(); err != nil {
		return c, err
	}
	cases, err := n.ledger.OpenCases()
	if err != nil {
		return c, err
	}
	c.Cases = health.ByKnown(health.CaseTypes, cases)
	return c, nil
}

// notify tells the service manager, if there is one; that it does not listen is no fault of
// ours.
func (n *Node) notify(state string) {
	if n.opt.Notify == nil {
		return
	}
	if err := n.opt.Notify(state); err != nil {
		n.opt.Log.Warn("the service manager was not told", "error", err)
	}
}

// stopAfter tells the service manager that the node stops once ctx ends.
func (n *Node) stopAfter(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() { n.notify(health.Stopping) })
}

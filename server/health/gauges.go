package health

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

type put = func(value float64, labels ...string)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("unionsync_"+name, help, labels, nil)
}

// one is a family of one series, of the node.
func one(name, help string, value func(*Facts) float64) gauge {
	return gauge{describe(name, help), prometheus.GaugeValue, func(f *Facts, _ *City, put put) { put(value(f)) }}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func nodeGauges() []gauge {
	return []gauge{
		{describe("build_info", "Always 1; its labels tell the program's version.", "version", "go_version"), prometheus.GaugeValue,
			func(f *Facts, _ *City, put put) { put(1, f.Version, runtime.Version()) }},
		one("ready_for_exchange", "1 if agents may come to this node.", func(f *Facts) float64 { return truth(f.Ready) }),
		one("ready_for_counts", "1 if counts may be asked at this node.", func(f *Facts) float64 { return truth(f.Census.Ready) }),
		one("proposer_waiting_items", "Items of agents that wait for a place in a log entry.", func(f *Facts) float64 { return float64(f.Queue) }),
		one("disk_free_bytes", "Room left on the disk with the node's folder.", func(f *Facts) float64 { return float64(f.Disk.Free) }),
		one("certificate_expiry_timestamp_seconds", "When the node's certificate ends.", func(f *Facts) float64 { return float64(f.Until) }),
		one("disk_size_bytes", "Size of the disk with the node's folder.", func(f *Facts) float64 { return float64(f.Disk.Size) }),
	}
}

// raftStates are the states of a node in raft.
var raftStates = []string{"follower", "candidate", "leader", "shutdown"}

func raftGauges() []gauge {
	return []gauge{
		{describe("raft_state", "1 for the state in which this node is.", "state"), prometheus.GaugeValue,
			func(f *Facts, _ *City, put put) {
				for _, s := range raftStates {
					put(truth(f.Raft.State == s), s)
				}
			}},
		one("raft_term", "Newest term that this node has seen.", func(f *Facts) float64 { return float64(f.Raft.Term) }),
		one("raft_commit_index", "Index of the newest entry known to be committed.", func(f *Facts) float64 { return float64(f.Raft.Committed) }),
		one("raft_applied_index", "Index of the newest entry handed to the state.", func(f *Facts) float64 { return float64(f.Raft.Applied) }),
		one("raft_last_index", "Index of the newest entry on this node's disk.", func(f *Facts) float64 { return float64(f.Raft.Last) }),
		one("raft_snapshot_index", "Index of the newest snapshot on this node's disk.", func(f *Facts) float64 { return float64(f.Raft.Snapshot) }),
		one("raft_voters", "Voting members that this node knows of.", func(f *Facts) float64 { return float64(f.Raft.Voters) }),
		one("raft_silent_members", "Members that do not answer this node while it leads.", func(f *Facts) float64 { return float64(f.Raft.Silent) }),
		one("raft_log_entries", "Entries of the log that are kept on disk.", func(f *Facts) float64 { return float64(f.Raft.LogEntries) }),
		one("raft_log_bytes", "Bytes of these entries.", func(f *Facts) float64 { return float64(f.Raft.LogBytes) }),
		{describe("raft_last_contact_seconds", "Time since the leader was heard of; 0 at the leader, left out for never."), prometheus.GaugeValue,
			func(f *Facts, _ *City, put put) {
				if f.Raft.LastContact >= 0 {
					put(f.Raft.LastContact.Seconds())
				}
			}},
	}
}

func stateGauges() []gauge {
	return []gauge{
		one("ledger_applied_index", "Raft index of the last entry that is wholly in the state.", func(f *Facts) float64 { return float64(f.Ledger.Applied) }),
		one("ledger_generation", "The life of the centre.", func(f *Facts) float64 { return float64(f.Ledger.Generation) }),
		one("ledger_position", "Changes in the centre's order, in this life.", func(f *Facts) float64 { return float64(f.Ledger.Changes) }),
		one("ledger_watermark", "Changes that every backup on offer has.", func(f *Facts) float64 { return float64(f.Ledger.Watermark) }),
		{describe("ledger_size_bytes", "Size of the state on disk, by part; it lags by a minute.", "part"), prometheus.GaugeValue,
			func(f *Facts, _ *City, put put) {
				put(float64(f.Ledger.LSMBytes), "lsm")
				put(float64(f.Ledger.VlogBytes), "vlog")
			}},
		one("census_position", "Changes that are counted.", func(f *Facts) float64 { return float64(f.Census.Changes) }),
		one("census_lag_changes", "Changes that are not counted yet.", func(f *Facts) float64 {
			if f.Census.Changes > f.Ledger.Changes { // read a moment later
				return 0
			}
			return float64(f.Ledger.Changes - f.Census.Changes)
		}),
	}
}

// backup is a family that is there while a backup is set up.
func backup(name, help string, value func(*Backup) float64) gauge {
	return gauge{describe(name, help), prometheus.GaugeValue, func(f *Facts, _ *City, put put) {
		if f.Backup != nil {
			put(value(f.Backup))
		}
	}}
}

func backupGauges() []gauge {
	return []gauge{
		backup("backup_last_success_timestamp_seconds", "When the newest whole backup was taken; 0 for never.", func(b *Backup) float64 { return float64(b.Taken) }),
		backup("backup_last_verified_timestamp_seconds", "When a backup was last restored and compared; 0 for never.", func(b *Backup) float64 { return float64(b.Verified) }),
		backup("backup_last_streamed_timestamp_seconds", "When the archive last got a part of the log; 0 for never.", func(b *Backup) float64 { return float64(b.Streamed) }),
		backup("backup_size_bytes", "Size of the newest whole backup.", func(b *Backup) float64 { return float64(b.Bytes) }),
		backup("backup_failed", "1 if the newest try failed.", func(b *Backup) float64 { return truth(b.Failed) }),
	}
}

// city is a family of the whole city; it is left out until that was read.
func city(name, help string, labels []string, read func(*City, put)) gauge {
	return gauge{describe(name, help, labels...), prometheus.GaugeValue, func(_ *Facts, c *City, put put) {
		if c != nil {
			read(c, put)
		}
	}}
}

// each puts a series for every word, also for those without a number.
func each(words []string, numbers map[string]int, put put) {
	for _, w := range words {
		put(float64(numbers[w]), w)
	}
}

func cityGauges() []gauge {
	return []gauge{
		city("devices", "Enrolled PCs by state, the same on every node.", []string{"state"},
			func(c *City, put put) { each(DeviceStates, c.Devices, put) }),
		city("devices_with_alarm", "Enrolled PCs with something to look at, by what; one can count several times.", []string{"alarm"},
			func(c *City, put put) { each(DeviceAlarms, c.Alarms, put) }),
		city("devices_waiting_changes", "Changes that PCs said to have on their own disks alone.", nil,
			func(c *City, put put) { put(float64(c.Waiting)) }),
		city("held_changes", "Changes that wait in a hold.", nil, func(c *City, put put) { put(float64(c.Held)) }),
		city("open_cases", "Cases that wait for a person, by type.", []string{"type"},
			func(c *City, put put) { each(CaseTypes, c.Cases, put) }),
	}
}

package health

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Facts are a node's numbers at one moment.
type Facts struct {
	Version string // of the program
	Ready   bool   // the checks for Exchange, as far as they cost nothing
	Raft    Raft
	Ledger  Ledger
	Census  Census
	Queue   int // items of agents that wait for a place in an entry
	Disk    Disk
	Until   int64   // when the node's certificate ends, Unix seconds
	Backup  *Backup // nil: none is set up
}

// Raft is how the replicated log stands at this node.
type Raft struct {
	State       string        // follower, candidate, leader or shutdown
	Term        uint64        // newest that was seen
	Committed   uint64        // index of the newest entry known to be committed
	Applied     uint64        // index of the newest entry handed to the state
	Last        uint64        // index of the newest entry on disk
	Snapshot    uint64        // index of the newest snapshot
	LastContact time.Duration // since the leader was heard of; 0 at the leader, negative for never
	Voters      int
	Silent      int    // members that do not answer this node while it leads
	LogEntries  uint64 // kept on disk
	LogBytes    int64  // of them, before they are packed
}

// Ledger is how the state stands.
type Ledger struct {
	Applied    uint64 // raft index of the last entry that is wholly in it
	Generation int    // the life of the centre
	Changes    uint64 // count of the newest position
	Watermark  uint64 // count of the position up to which every backup has the log
	LSMBytes   int64
	VlogBytes  int64
}

// Census is how far the counts have followed.
type Census struct {
	Ready   bool
	Changes uint64 // count of the position up to which everything is counted
}

// Disk is the room on the disk with the node's folder.
type Disk struct {
	Free, Size uint64 // bytes
}

// Backup is how the archive stands. Times are Unix seconds, 0 for never.
type Backup struct {
	Taken    int64 // the newest backup that is whole
	Verified int64 // the newest restore into a scratch place that gave the same digests
	Streamed int64 // the newest part of the log that lies in the archive
	Bytes    int64 // of the newest backup
	Failed   bool  // the newest try failed
}

// City are numbers of the whole city, as this node's state has them: every node tells the
// same. Keys of the maps are few and fixed by the program.
type City struct {
	Devices map[string]int // by state, see DeviceStates
	Alarms  map[string]int // devices with something to look at, see DeviceAlarms
	Waiting uint64         // changes that PCs said to have on their own disks alone
	Held    int            // changes that wait in a hold
	Cases   map[string]int // open ones, by type
}

// DeviceStates are the states of an enrolled PC; each is in one of them.
var DeviceStates = []string{
	"fresh",   // complete within 36 hours
	"late",    // heard of within 7 days, complete or not
	"silent",  // not heard of for 7 days
	"never",   // enrolled and never heard of
	"revoked", // without a right
}

// DeviceAlarms are what may be wrong with a PC; it can have several.
var DeviceAlarms = []string{
	"clock_wrong", // it differs from the centre's by more than 10 minutes
	"old_version", // its program is older than the node's
	"alarms",      // it found its records to differ from the centre's at some time
}

// CaseTypes are the types of cases that are told apart; others count as "other".
var CaseTypes = []string{"conflict", "void", "held", "fork", "opposed", "other"}

// ByKnown gives numbers by the words known; what has another word counts as the last of them.
func ByKnown(words []string, numbers map[string]int) map[string]int {
	out := map[string]int{}
	for w, n := range numbers {
		if !slices.Contains(words, w) {
			w = words[len(words)-1]
		}
		out[w] += n
	}
	return out
}

// gauges tells Facts and City as metrics.
type gauges struct {
	facts func() Facts
	all   []gauge

	mu   sync.Mutex
	city *City // guarded by mu; nil until read
}

// gauge is one metric family.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(f *Facts, c *City, put func(value float64, labels ...string))
}

var _ prometheus.Collector = (*gauges)(nil)

func newGauges(facts func() Facts) *gauges {
	g := &gauges{facts: facts}
	g.all = slices.Concat(nodeGauges(), raftGauges(), stateGauges(), backupGauges(), cityGauges())
	return g
}

func (g *gauges) setCity(c City) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.city = &c
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, x := range g.all {
		to <- x.desc
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	f := g.facts()
	g.mu.Lock()
	city := g.city
	g.mu.Unlock()
	for _, x := range g.all {
		x.read(&f, city, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(x.desc, x.kind, value, labels...)
		})
	}
}

// processCollectors are those of the process and of Go itself.
func processCollectors() []prometheus.Collector {
	return []prometheus.Collector{
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
		collectors.NewBuildInfoCollector(),
	}
}

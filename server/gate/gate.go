package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/seal"
	"unionsync/server/archive"
	"unionsync/server/census"
	"unionsync/server/health"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Log is what the gate needs of the replicated log.
type Log interface {
	// Propose commits one entry and gives what Apply made of it on this node. After an
	// error other than [syncproto.CodeNotLeader] it may or may not be committed.
	Propose(ctx context.Context, entry []byte) (result any, err error)
	// Commit commits one agent's item, in an entry with others'. Errors as of Propose.
	Commit(ctx context.Context, item *entrypb.Item) ([]session.Outcome, error)
	// Leads reports whether this node leads and has applied all that was committed before.
	Leads() bool
	// LeaderID names the node that leads, as far as is known here; "" for none.
	LeaderID() string
	// Queue is how many items wait for a place in an entry here.
	Queue() int
	// Confirm returns once it is certain that this node leads and has applied all that was
	// committed before the call.
	Confirm(ctx context.Context) error
}

// Members is what the gate needs of the cluster's membership.
type Members interface {
	// AddVoter gives a node a vote; for one that has it with this address nothing is done.
	AddVoter(ctx context.Context, id, raftAddress string) error
	// Describe tells how this node sees the cluster.
	Describe() Description
}

// Cluster is what the gate needs to change who belongs to the cluster. Each call is the
// leader's only, and done when it returns without error; after another error than
// [syncproto.CodeNotLeader] it may be done all the same, and may be made again.
type Cluster interface {
	// AddNonvoter lets a node have the log without counting for a majority.
	AddNonvoter(ctx context.Context, id, raftAddress string) error
	// Remove takes a node out; one that is not in is no error.
	Remove(ctx context.Context, id string) error
	// Transfer lets the node named lead, or for "" the one that is furthest.
	Transfer(ctx context.Context, id string) error
}

// Description is how a node sees the cluster, and how far it is itself.
type Description struct {
	Term        uint64
	Members     []Member
	LastIndex   uint64 // newest entry in the raft log here
	Commit      uint64 // newest that a majority has, as known here
	Snapshot    uint64 // index of the newest snapshot here; 0: none
	LogBytes    int64  // the raft log here, about
	LastContact int64  // milliseconds since the leader was heard; 0 for the leader, -1: never
}

// member gives a member by its name, nil if there is none.
func (d *Description) member(id string) *Member {
	for i := range d.Members {
		if d.Members[i].ID == id {
			return &d.Members[i]
		}
	}
	return nil
}

// Member is a node of the cluster.
type Member struct {
	ID    string `json:"id"`
	Raft  string `json:"raft"`
	API   string `json:"api"`
	Voter bool   `json:"voter"` // counts for a majority; others only have the log
}

// Config is what a gate needs. Fields with a default may be left out.
type Config struct {
	Node    *trust.Node
	Ledger  *ledger.Ledger
	Log     Log
	Members Members
	Cluster Cluster // nil: who belongs to the cluster cannot be changed here
	LogID   []byte  // names the raft log, for nodes that join
	// Started is told, at the leader, of each node that has started; may be nil.
	Started  func(node string)
	Census   func() *census.Census // nil until there is one
	Client   *http.Client          // to other nodes, with this node's certificate
	Rand     io.Reader
	Now      func() time.Time
	Logger   *slog.Logger
	Version  string
	Window   Window
	Capacity Capacity
	Archive  *archive.Keeper // nil: none is kept
	Meter    *health.Meter   // counts what is done here; nil: nobody does
	Checks   health.Checks   // of the node, for its status
	Health   string          // address at which it tells of itself; "" for none
}

// Window is when agents should come, in minutes after midnight, local time.
type Window struct {
	Start int // default 20:00
	End   int // default 06:00; may be past midnight
}

// Capacity bounds what a node does at once. Beyond it agents are told when to come again.
type Capacity struct {
	Conns    int           // open connections; default 2000
	Greeting time.Duration // of silence, before one that has not said who it is makes room for others; default 20 s
	Requests int           // agents' requests being worked on; default 256
	Queue    time.Duration // a request waits this long for room, and again for its turn; default 30 s
	Memory   int           // bytes of requests that come in and answers that go out; default 64 MiB
	Items    int           // agents' items that wait for the log before new ones are refused; default 2048
	// DeviceAtOnce is how many exchanges one device has under way; default 2. A sync makes one
	// after the other, and one whose line was cut may leave another.
	DeviceAtOnce int
	// DeviceRate is how many exchanges one device makes a minute for long; default 300. Twice
	// as many may come at once, as after a restore.
	DeviceRate int
	Patience   time.Duration // a call waits this long for a leader; default 15 s
	Contacts   time.Duration // notes of idle exchanges are pooled this long; default 1 s
	AdminSize  int           // bytes of an admin call; default 32 MiB
}

// Default bounds, where they are shown to people too.
const (
	DefaultConns        = 2000
	DefaultRequests     = 256
	DefaultQueue        = 30 * time.Second
	DefaultMemory       = 64 << 20
	DefaultDeviceAtOnce = 2
	DefaultDeviceRate   = 300
)

func (c *Config) setDefaults() {
	if c.Window == (Window{}) {
		c.Window = Window{Start: 20 * 60, End: 6 * 60}
	}
	setDefault(&c.Capacity.Conns, DefaultConns)
	setDefault(&c.Capacity.Greeting, 20*time.Second)
	setDefault(&c.Capacity.Requests, DefaultRequests)
	setDefault(&c.Capacity.Queue, DefaultQueue)
	setDefault(&c.Capacity.Memory, DefaultMemory)
	setDefault(&c.Capacity.Items, 2048)
	setDefault(&c.Capacity.DeviceAtOnce, DefaultDeviceAtOnce)
	setDefault(&c.Capacity.DeviceRate, DefaultDeviceRate)
	setDefault(&c.Capacity.Patience, 15*time.Second)
	setDefault(&c.Capacity.Contacts, time.Second)
	setDefault(&c.Capacity.AdminSize, 32<<20)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate fills in the defaults and says what is missing.
func (c *Config) Validate() error {
	c.setDefaults()
	var faults []error
	for _, f := range []struct {
		bad  bool
		what string
	}{
		{c.Node == nil, "no identity"},
		{c.Ledger == nil, "no ledger"},
		{c.Log == nil || c.Members == nil, "no cluster"},
		{c.Census == nil, "no census"},
		{c.Client == nil, "no client"},
		{c.Rand == nil, "no randomness"},
		{c.Now == nil, "no clock"},
		{c.Logger == nil, "no logger"},
		{!minuteOfDay(c.Window.Start) || !minuteOfDay(c.Window.End), "a window outside the day"},
	} {
		if f.bad {
			faults = append(faults, errors.New(f.what))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("gate config: %w", err)
	}
	return nil
}

func minuteOfDay(m int) bool { return m >= 0 && m < minutesPerDay }

// Gate serves one node. Make it with [New], put [Gate.Handler] behind TLS or call
// [Gate.Serve], and let [Gate.Run] commit the pooled notes.
type Gate struct {
	cfg      Config
	id       string // of the node
	vouching *vouching
	history  []byte
	bundles  string    // the age recipient for bundles
	pace     *pacer    // of those who are refused
	attempts *attempts // wrong codes by the caller's address
	guesses  *attempts // wrong codes by the code's prefix, at the leader
	contacts *contacts
	finder   *finder
}

// New makes a gate.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ca := cfg.Node.City.Fingerprint()
	bundles, err := seal.Recipient(cfg.Node.City.BundleKey())
	if err != nil {
		return nil, fmt.Errorf("recipient for bundles: %w", err)
	}
	g := &Gate{
		cfg:      cfg,
		id:       cfg.Node.ID(),
		vouching: newVouching(cfg.Node.Own.CA),
		bundles:  bundles,
		history:  ca[:syncproto.HistorySize],
		pace:     newPacer(cfg.Capacity.Requests),
		attempts: newAttempts(),
		guesses:  newAttempts(),
		contacts: newContacts(),
	}
	g.finder = &finder{g: g}
	return g, nil
}

// Run commits the notes of exchanges, and what rules find on what was merged, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	way, ctx := errgroup.WithContext(ctx)
	way.Go(func() error { g.keepWay(ctx); return nil })
	way.Go(func() error { return g.runNotes(ctx) })
	return way.Wait()
}

func (g *Gate) runNotes(ctx context.Context) error {
	tick := time.NewTicker(g.cfg.Capacity.Contacts)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := g.flushContacts(ctx); err != nil && ctx.Err() == nil {
				g.cfg.Logger.Warn("contacts not committed", "error", err)
			}
			if err := g.Findings(ctx); err != nil && ctx.Err() == nil {
				g.cfg.Logger.Warn("findings not committed", "error", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

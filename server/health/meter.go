package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"unionsync/syncproto"
)

// Outcomes of an exchange, as metrics name them. An agent counts once for each request.
const (
	OutcomeComplete = "complete" // nothing is left to do
	OutcomeMore     = "more"     // answered, and the agent has more to send or to fetch
	OutcomeRevoked  = "revoked"  // answered a device without a right
	OutcomeBusy     = "busy"     // told to come again: no turn, no leader, not ready
	OutcomeRefused  = "refused"  // refused for what it is or sent
	OutcomeFailed   = "failed"   // a fault of the centre
)

var outcomes = []string{OutcomeComplete, OutcomeMore, OutcomeRevoked, OutcomeBusy, OutcomeRefused, OutcomeFailed}

// Verdicts of changes, as metrics name them.
var verdicts = map[syncproto.VerdictKind]string{
	syncproto.VerdictApplied: "applied", syncproto.VerdictParallel: "parallel", syncproto.VerdictConflict: "conflict",
	syncproto.VerdictHeld: "held", syncproto.VerdictDropped: "dropped",
}

// reasons for which a request is not let in, as metrics name them.
var reasons = map[syncproto.Code]string{
	syncproto.CodeBusy: "turn", syncproto.CodeQueueFull: "queue", syncproto.CodeMemoryFull: "memory",
	syncproto.CodeDeviceBusy: "device", syncproto.CodeStrangers: "stranger", syncproto.CodeTooSlow: "slow",
}

// Connections that are shown out of a full door, as metrics name them.
const (
	stateGreeting = "greeting" // it took too long to say who it is
	stateIdle     = "idle"     // it was kept for a further request
)

const segmentRefused = "refused"

// Meter counts what a node's door does. All of its methods may be called at any time, and on
// a nil Meter, which counts nothing.
type Meter struct {
	exchanges *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	changes   *prometheus.CounterVec
	requests  prometheus.Gauge
	conns     prometheus.Gauge
	waiting   prometheus.Gauge
	notLetIn  *prometheus.CounterVec
	shownOut  *prometheus.CounterVec
}

var _ prometheus.Collector = (*Meter)(nil)

// NewMeter makes a meter. Every series is there from the start, so that a rate over the
// first night is right.
func NewMeter() *Meter {
	m := &Meter{
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "unionsync_exchanges_total", Help: "Exchanges that this node answered, by outcome."}, []string{"outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "unionsync_exchange_duration_seconds", Help: "Time from the request to the answer of an exchange, by outcome.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"outcome"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "unionsync_changes_total", Help: "Changes that agents sent to this node while it led, by verdict."}, []string{"verdict"}),
		requests: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "unionsync_requests_in_progress", Help: "Agents' requests that this node is working on."}),
		conns: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "unionsync_open_connections", Help: "Open connections of agents, operators and nodes to this node's door."}),
	}
	m.waiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "unionsync_requests_waiting", Help: "Agents' requests that wait for their turn at this node."})
	m.notLetIn = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "unionsync_requests_refused_total", Help: "Agents' requests that were told to come again, by reason."}, []string{"reason"})
	m.shownOut = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "unionsync_connections_closed_total", Help: "Connections closed to make room for others, by their state."}, []string{"conn"})
	for _, r := range reasons {
		m.notLetIn.WithLabelValues(r)
	}
	m.shownOut.WithLabelValues(stateGreeting)
	m.shownOut.WithLabelValues(stateIdle)
	for _, o := range outcomes {
		m.exchanges.WithLabelValues(o)
		m.duration.WithLabelValues(o)
	}
	m.changes.WithLabelValues(segmentRefused)
	for _, v := range verdicts {
		m.changes.WithLabelValues(v)
	}
	return m
}

// Exchanged counts an exchange that was answered.
func (m *Meter) Exchanged(outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.exchanges.WithLabelValues(outcome).Inc()
	m.duration.WithLabelValues(outcome).Observe(took.Seconds())
}

// Decided counts changes by the verdict that they got now, not by one that stood already.
func (m *Meter) Decided(all []syncproto.Verdict) {
	if m == nil {
		return
	}
	for _, v := range all {
		if name := verdicts[v.Kind]; name != "" {
			m.changes.WithLabelValues(name).Inc()
		}
	}
}

// Refused counts changes of a segment that was refused.
func (m *Meter) Refused(changes int) {
	if m != nil {
		m.changes.WithLabelValues(segmentRefused).Add(float64(changes))
	}
}

// Working notes that a request begins (1) or ends (-1).
func (m *Meter) Working(by int) {
	if m != nil {
		m.requests.Add(float64(by))
	}
}

// Waiting notes that a request begins (1) or ends (-1) to wait for its turn.
func (m *Meter) Waiting(by int) {
	if m != nil {
		m.waiting.Add(float64(by))
	}
}

// NotLetIn counts a request that was refused by a bound of the door.
func (m *Meter) NotLetIn(c syncproto.Code) {
	if reason, ok := reasons[c]; ok && m != nil {
		m.notLetIn.WithLabelValues(reason).Inc()
	}
}

// ShownOut counts a connection that was closed to make room for another: one that greeted
// for too long, or an idle one.
func (m *Meter) ShownOut(greeting bool) {
	if m == nil {
		return
	}
	state := stateIdle
	if greeting {
		state = stateGreeting
	}
	m.shownOut.WithLabelValues(state).Inc()
}

// Connected notes that a connection begins (1) or ends (-1).
func (m *Meter) Connected(by int) {
	if m != nil {
		m.conns.Add(float64(by))
	}
}

func (m *Meter) parts() []prometheus.Collector {
	return []prometheus.Collector{m.exchanges, m.duration, m.changes, m.requests, m.conns, m.waiting, m.notLetIn, m.shownOut}
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(to chan<- *prometheus.Desc) {
	for _, p := range m.parts() {
		p.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(to chan<- prometheus.Metric) {
	for _, p := range m.parts() {
		p.Collect(to)
	}
}

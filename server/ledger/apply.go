package ledger

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Entry types. Permanent; an unknown one stops the node rather than let it diverge.
const (
	typeGenesis  = 1
	typeBatch    = 2
	typeStaff    = 3
	typeCode     = 4
	typeEnrolled = 5
	typeNode     = 6
	typeLife     = 7
	typePublish  = 8
	typeRevoke   = 9

	typeRegistered = 10
	typeMark       = 11

	typeLeft   = 20
	typeLevel  = 21
	typeCheck  = 22
	typeDigest = 23
)

const entryVersion = 1

// Entry makes a log entry of a payload: type byte, version byte, message.
func Entry(m proto.Message) ([]byte, error) {
	var typ byte
	switch m.(type) {
	case *entrypb.Genesis:
		typ = typeGenesis
	case *entrypb.Batch:
		typ = typeBatch
	case *entrypb.Staff:
		typ = typeStaff
	case *entrypb.Code:
		typ = typeCode
	case *entrypb.Enrolled:
		typ = typeEnrolled
	case *entrypb.Node:
		typ = typeNode
	case *entrypb.NewGeneration:
		typ = typeLife
	case *entrypb.Watermark:
		typ = typeMark
	case *entrypb.Revoke:
		typ = typeRevoke
	case *entrypb.Registered:
		typ = typeRegistered
	case *entrypb.Publish:
		typ = typePublish
	case *entrypb.NodeLeft:
		typ = typeLeft
	case *entrypb.Level:
		typ = typeLevel
	case *entrypb.Check:
		typ = typeCheck
	case *entrypb.Digest:
		typ = typeDigest
	default:
		return nil, fmt.Errorf("encode entry: no type for %T", m)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{typ, entryVersion}, m)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	return b, nil
}

func decodeEntry(data []byte) (proto.Message, error) {
	if len(data) < 2 {
		return nil, fmt.Errorf("decode entry: %d bytes", len(data))
	}
	if level := levelOf(data[0], data[1]); level == 0 || level > KnownLevel() {
		return nil, syncproto.Fail(syncproto.CodeLedgerEntry, "decode entry", fmt.Errorf("type %d version %d", data[0], data[1]))
	}
	var m proto.Message
	switch data[0] {
	case typeGenesis:
		m = new(entrypb.Genesis)
	case typeBatch:
		m = new(entrypb.Batch)
	case typeStaff:
		m = new(entrypb.Staff)
	case typeCode:
		m = new(entrypb.Code)
	case typeEnrolled:
		m = new(entrypb.Enrolled)
	case typeNode:
		m = new(entrypb.Node)
	case typeLife:
		m = new(entrypb.NewGeneration)
	case typeMark:
		m = new(entrypb.Watermark)
	case typeRevoke:
		m = new(entrypb.Revoke)
	case typeRegistered:
		m = new(entrypb.Registered)
	case typePublish:
		m = new(entrypb.Publish)
	case typeLeft:
		m = new(entrypb.NodeLeft)
	case typeLevel:
		m = new(entrypb.Level)
	case typeCheck:
		m = new(entrypb.Check)
	case typeDigest:
		m = new(entrypb.Digest)
	default:
		return nil, syncproto.Fail(syncproto.CodeLedgerEntry, "decode entry", fmt.Errorf("type %d", data[0]))
	}
	if err := proto.Unmarshal(data[2:], m); err != nil {
		return nil, fmt.Errorf("decode entry of type %d: %w", data[0], err)
	}
	return m, nil
}

// Apply applies the committed entry at a raft index and gives what became of it: for a
// Batch [][]session.Outcome by item, for a Staff entry StaffResult, for a Publish entry
// PublishResult, for the others nil or an *syncproto.Error that all replicas come to alike. An entry at or below [Ledger.Applied] is skipped
// and gives nil. The error is this replica's own fault, of disk or program: it must stop.
//
// What a crash means: before the last commit the index is not in the store, the entry
// comes again, and changes that are in already are found by their places.
func (l *Ledger) Apply(index uint64, data []byte) (any, error) {
	if index <= l.Applied() {
		return nil, nil
	}
	m, err := decodeEntry(data)
	if err != nil {
		return nil, err
	}
	if level := levelOf(data[0], data[1]); level > l.Level() {
		return l.tooEarly(index, level)
	}
	a := l.newApplier(index)
	defer func() { a.txn.Discard() }()
	if err := a.finishMoving(); err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", index, err)
	}
	res, err := a.entry(m)
	if err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", index, err)
	}
	a.meta.Index = index
	if err := a.flush(); err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", index, err)
	}
	if err := l.commit(a.txn, a.meta, a.touched); err != nil { // commit point of the entry
		return nil, fmt.Errorf("apply entry %d: %w", index, err)
	}
	l.setWhole()
	if c, ok := res.(*Checked); ok {
		l.setChecked(c)
	}
	if a.reload {
		return res, l.reload()
	}
	return res, nil
}

// newApplier begins an entry on the state as it is.
func (l *Ledger) newApplier(index uint64) *applier {
	return &applier{
		l: l, index: index, meta: proto.CloneOf(l.meta), kinds: l.Kinds(), lineage: l.lives(),
		txn: l.db.NewTransactionAt(l.ts, true), layout: l.layout,
	}
}

// applier works one entry into a transaction, or several when it is large.
type applier struct {
	l       *Ledger
	index   uint64 // of the entry in the raft log
	meta    *entrypb.Meta
	kinds   *kind.Set
	lineage syncproto.Lineage
	txn     *badger.Txn
	doubts  []doubt        // raised by the change being entered
	bytes   int            // written into txn so far
	touched []recentRecord // by the changes in txn
	reload  bool
	resumed bool // moves of an earlier attempt were finished first

	layout byte
	sum    pendingDigest
	tips   pendingTips
}

// maxTxnBytes is where an entry is cut into another transaction, deterministically: far
// below the store's limit, with room for one change's record and history.
const maxTxnBytes = 1 << 20

// writeOverhead is about what the store takes for a write beside its key and value; it also
// keeps many small writes below the store's limit of how many a transaction may have.
const writeOverhead = 64

func (a *applier) entry(m proto.Message) (any, error) {
	if _, first := m.(*entrypb.Genesis); !first && a.kinds == nil {
		return nil, fmt.Errorf("%T before the first entry of the centre", m)
	}
	switch m := m.(type) {
	case *entrypb.Genesis:
		return a.genesis(m)
	case *entrypb.Batch:
		return a.batch(m)
	case *entrypb.Staff:
		return a.staff(m)
	case *entrypb.Code:
		return nil, a.code(m)
	case *entrypb.Enrolled:
		return a.enrolled(m)
	case *entrypb.Node:
		return nil, a.node(m)
	case *entrypb.NewGeneration:
		return a.newGeneration(m)
	case *entrypb.Watermark:
		a.watermark(m)
		return nil, nil
	case *entrypb.Revoke:
		return a.revoke(m)
	case *entrypb.Registered:
		return a.registered(m)
	case *entrypb.Publish:
		return a.publish(m)
	case *entrypb.NodeLeft:
		return a.left(m)
	case *entrypb.Level:
		return nil, a.level(m)
	case *entrypb.Check:
		return a.check(m)
	case *entrypb.Digest:
		return a.digest(m)
	}
	return nil, fmt.Errorf("no way to apply %T", m)
}

// set writes a key and counts its bytes.
func (a *applier) set(key, value []byte) error {
	a.bytes += len(key) + len(value) + writeOverhead
	return set(a.txn, key, value)
}

func (a *applier) setMessage(key []byte, m proto.Message) error {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %q: %w", key[:1], err)
	}
	return a.set(key, b)
}

func (a *applier) delete(key []byte) error {
	a.bytes += len(key) + writeOverhead
	if err := a.txn.Delete(key); err != nil {
		return fmt.Errorf("delete %q: %w", key[:1], err)
	}
	return nil
}

// cut commits what stands so far when the transaction has grown large. The raft index
// stays as it was: after a crash here the entry comes again, whole.
func (a *applier) cut() error {
	if a.bytes < maxTxnBytes {
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.l.commit(a.txn, a.meta, a.touched); err != nil {
		return err
	}
	a.touched = nil
	a.txn, a.bytes = a.l.db.NewTransactionAt(a.l.ts, true), 0
	return nil
}

// advance gives the next position.
func (a *applier) advance() syncproto.Position {
	a.meta.Count++
	return headOf(a.meta)
}

// raiseTime takes the leader's time, which never falls in the log.
func (a *applier) raiseTime(t int64) int64 {
	a.meta.Time = max(a.meta.GetTime(), t)
	return a.meta.GetTime()
}

func (a *applier) genesis(g *entrypb.Genesis) (any, error) {
	if a.kinds != nil {
		return syncproto.Fail(syncproto.CodeServerExists, "begin centre", nil), nil
	}
	a.meta.LogId, a.meta.Generation = g.GetLogId(), g.GetGeneration().GetNumber()
	a.raiseTime(g.GetTime())
	a.layout = layoutUnionLog
	if err := a.set([]byte{keyLayoutByte}, []byte{a.layout}); err != nil {
		return nil, err
	}
	for _, f := range g.GetKinds() {
		if err := a.setMessage(keyNamed(prefixKind, []byte(f.GetName())), f); err != nil {
			return nil, err
		}
	}
	if err := a.setMessage(keyGeneration(uint16(g.GetGeneration().GetNumber())), g.GetGeneration()); err != nil {
		return nil, err
	}
	a.reload = true
	return nil, a.setMessage([]byte{keyGenesis}, g)
}

func (l *Ledger) reload() error {
	r := l.read()
	defer r.done()
	kinds, err := loadKinds(r.txn, l.Versions())
	if err != nil {
		return err
	}
	lineage, err := loadLineage(r.txn)
	if err != nil {
		return err
	}
	layout, err := readLayout(r.txn)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds, l.lineage, l.layout = kinds, lineage, layout
	return nil
}

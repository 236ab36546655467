package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
)

// A check compares the nodes' states. Its entry names a part of the key space: a key to
// begin at and how many keys follow. Each replica works the digest of the part out while it
// applies the entry, so all at the same place of the log, and its answer comes as an entry of
// its own. DESIGN.md tells why parts, and what a round covers.

// Bounds of a check's part: what a replica reads while nothing else is applied.
const (
	maxCheckKeys  = 1 << 16
	maxCheckBytes = 16 << 20
)

// checksKept is how many checks are remembered: answers of a node that lags come late.
const checksKept = 16

// Checked is this replica's own answer to the newest check.
type Checked struct {
	Index     uint64 // of the check's entry in the raft log; 0: there was none since the start
	Sum, Next []byte
}

func keyCheck(index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixCheck}, index)
}

// check begins a check, and works this replica's digest out.
func (a *applier) check(c *entrypb.Check) (any, error) {
	if err := a.endCheck(); err != nil {
		return nil, err
	}
	st := &entrypb.CheckState{
		From: c.GetFrom(), Keys: min(c.GetKeys(), maxCheckKeys), Voters: c.GetVoters(), Time: a.raiseTime(c.GetTime()),
	}
	sum, next, err := a.digestPart(st.GetFrom(), int(st.GetKeys()))
	if err != nil {
		return nil, err
	}
	a.meta.Check = a.index
	if err := a.forgetChecks(); err != nil {
		return nil, err
	}
	return &Checked{Index: a.index, Sum: sum, Next: next}, a.setMessage(keyCheck(a.index), st)
}

// digestPart gives the digest of a part of the state, and the key at which the next begins,
// nil at the end. Every part also holds the digests of all unions' records: what a wrong
// merge makes of a record is seen at the next check, wherever the round stands.
func (a *applier) digestPart(from []byte, keys int) (sum, next []byte, err error) {
	h := sha256.New()
	err = eachMessage(a.txn, []byte{prefixDigest}, func(k, v []byte) error {
		addPair(h, k, v)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	it := a.txn.NewIterator(badger.DefaultIteratorOptions)
	defer it.Close()
	size := 0
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		if keys == 0 || size >= maxCheckBytes {
			next = item.KeyCopy(nil)
			break
		}
		err := item.Value(func(v []byte) error {
			addPair(h, item.Key(), v)
			size += len(item.Key()) + len(v)
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("digest state: %w", err)
		}
		keys--
	}
	return h.Sum(nil), next, nil
}

func addPair(h hash.Hash, key, value []byte) {
	var n [8]byte
	binary.BigEndian.PutUint32(n[:4], uint32(len(key)))
	binary.BigEndian.PutUint32(n[4:], uint32(len(value)))
	h.Write(n[:])
	h.Write(key)
	h.Write(value)
}

// endCheck closes the newest check: answers that differ without a majority halt the centre.
func (a *applier) endCheck() error {
	st, err := a.checkState(a.meta.GetCheck())
	if err != nil || st == nil || len(st.GetSum()) > 0 {
		return err
	}
	for _, r := range st.GetReports() {
		if !sameAnswer(r, st.GetReports()[0]) {
			a.halt(a.meta.GetCheck())
			break
		}
	}
	return nil
}

func (a *applier) halt(index uint64) {
	if a.meta.GetHalted() == 0 {
		a.meta.Halted = index
	}
}

func (a *applier) checkState(index uint64) (*entrypb.CheckState, error) {
	st := new(entrypb.CheckState)
	ok, err := getMessage(a.txn, keyCheck(index), st)
	if err != nil || !ok {
		return nil, err
	}
	return st, nil
}

// forgetChecks forgets all but the newest checks, and the one that halted the centre.
func (a *applier) forgetChecks() error {
	var all [][]byte
	err := eachMessage(a.txn, []byte{prefixCheck}, func(k, _ []byte) error {
		all = append(all, bytes.Clone(k))
		return nil
	})
	if err != nil {
		return err
	}
	for len(all) >= checksKept {
		if !bytes.Equal(all[0], keyCheck(a.meta.GetHalted())) {
			if err := a.delete(all[0]); err != nil {
				return err
			}
		}
		all = all[1:]
	}
	return nil
}

// digest takes in a node's answer. Once more than half of the voters have one answer, nodes
// with another are marked: they must not serve.
func (a *applier) digest(d *entrypb.Digest) (any, error) {
	a.raiseTime(d.GetTime())
	st, err := a.checkState(d.GetIndex())
	if err != nil || st == nil {
		return nil, err // it came too late to be of use
	}
	for _, r := range st.GetReports() {
		if r.GetNode() == d.GetNode() {
			return nil, nil
		}
	}
	st.Reports = append(st.Reports, d)
	if err := a.judge(d.GetIndex(), st); err != nil {
		return nil, err
	}
	return nil, a.setMessage(keyCheck(d.GetIndex()), st)
}

func (a *applier) judge(index uint64, st *entrypb.CheckState) error {
	voters := map[string]bool{}
	for _, v := range st.GetVoters() {
		voters[v] = true
	}
	best, most, came := st.GetReports()[0], 0, 0
	for _, r := range st.GetReports() {
		if !voters[r.GetNode()] {
			continue
		}
		came++
		n := 0
		for _, other := range st.GetReports() {
			if voters[other.GetNode()] && sameAnswer(r, other) {
				n++
			}
		}
		if n > most {
			best, most = r, n
		}
	}
	switch half := len(voters) / 2; {
	case most > half:
		st.Sum, st.Next = best.GetSum(), best.GetNext()
		a.lift(st)
		return a.mark(index, st, best)
	case most+len(voters)-came <= half:
		a.halt(index)
	}
	return nil
}

func sameAnswer(a, b *entrypb.Digest) bool {
	return bytes.Equal(a.GetSum(), b.GetSum()) && bytes.Equal(a.GetNext(), b.GetNext())
}

// mark notes the nodes whose answer is not the majority's.
func (a *applier) mark(index uint64, st *entrypb.CheckState, best *entrypb.Digest) error {
	for _, r := range st.GetReports() {
		if sameAnswer(r, best) {
			continue
		}
		n, err := a.readNode(r.GetNode())
		if err != nil {
			return err
		}
		if n == nil || n.GetLeft() || n.GetDiffers() != 0 {
			continue
		}
		n.Differs = index
		if err := a.setMessage(keyNamed(prefixNode, []byte(r.GetNode())), n); err != nil {
			return err
		}
	}
	return nil
}

// lift ends a halt, once a majority agrees on the part about which there was none.
func (a *applier) lift(st *entrypb.CheckState) {
	if a.meta.GetHalted() == 0 {
		return
	}
	halted, err := a.checkState(a.meta.GetHalted())
	if err == nil && halted != nil && bytes.Equal(halted.GetFrom(), st.GetFrom()) {
		a.meta.Halted = 0
	}
}

// Halted is the raft index of a check at which no majority agreed, as long as the centre only
// reads because of it; 0: it does not.
func (l *Ledger) Halted() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.meta.GetHalted()
}

// Checked is this replica's own answer to the newest check.
func (l *Ledger) Checked() Checked {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.checked
}

func (l *Ledger) setChecked(c *Checked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checked = *c
}

// Check gives the newest check and what has come in on it; nil before the first.
func (l *Ledger) Check() (index uint64, st *entrypb.CheckState, err error) {
	l.mu.RLock()
	index = l.meta.GetCheck()
	l.mu.RUnlock()
	st, err = l.CheckAt(index)
	return index, st, err
}

// CheckAt gives the check of an index, nil if it is not remembered.
func (l *Ledger) CheckAt(index uint64) (*entrypb.CheckState, error) {
	return lookup(l, keyCheck(index), new(entrypb.CheckState))
}

// Housekeeping reports whether an entry may be proposed while the centre only reads: it is
// about nodes and their states, and changes nothing that an agent sees.
func Housekeeping(entry []byte) bool {
	if len(entry) == 0 {
		return false
	}
	switch entry[0] {
	case typeNode, typeLeft, typeLevel, typeCheck, typeDigest:
		return true
	}
	return false
}

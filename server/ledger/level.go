package ledger

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Levels let a cluster be upgraded node by node. A program knows every entry up to its
// level; the state has the level up to which entries may be proposed, which only an entry
// raises, and the leader proposes that once every voter's program knows the new one. So no
// replica ever meets an entry that it cannot apply. A level never falls: a program that does
// not know the state's level does not open it.
//
//	level 1  types 1 to 21
//	level 2  Check and Digest (22, 23): the state's digest by majority
//
// Whoever adds a type, or a version of one, adds a level and a row in [levelOf]; the old
// version's way of applying stays in the code for as long as such entries can be in a log.
const levelNewest = 2

// levelLimit makes a program that knows less, for tests of upgrades: set it when linking,
// with -X unionsync/server/ledger.levelLimit=1.
var levelLimit = ""

// KnownLevel is the newest level that this program knows.
func KnownLevel() uint32 {
	if n, err := strconv.ParseUint(levelLimit, 10, 32); err == nil && n >= 1 && n < levelNewest {
		return uint32(n)
	}
	return levelNewest
}

// levelOf is the level that an entry's type and version belong to; 0: no program knows it.
func levelOf(typ, version byte) uint32 {
	switch {
	case version != entryVersion:
		return 0
	case typ == typeCheck, typ == typeDigest:
		return 2
	default:
		return 1 // or a type that nobody knows: decodeEntry tells
	}
}

// knows says whether this program may go on with a state or an entry of a level.
func knows(op string, level uint32) error {
	if level <= KnownLevel() {
		return nil
	}
	return syncproto.Fail(syncproto.CodeLevelUnknown, op, nil,
		"level", fmt.Sprint(level), "knows", fmt.Sprint(KnownLevel()))
}

// level begins a level. A program that does not know it stops here, before anything of the
// level comes: its state stays what it was, and a newer program goes on with it.
func (a *applier) level(l *entrypb.Level) error {
	if err := knows("begin level", l.GetLevel()); err != nil {
		return err
	}
	a.raiseTime(l.GetTime())
	a.meta.Level = max(a.meta.GetLevel(), l.GetLevel())
	return nil
}

func levelIn(m *entrypb.Meta) uint32 { return max(m.GetLevel(), 1) }

// Level is the level up to which entries may be proposed.
func (l *Ledger) Level() uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return levelIn(l.meta)
}

// NodeLevel is the newest level that a node's program knows, as it has said.
func NodeLevel(n *entrypb.Node) uint32 { return max(n.GetLevel(), 1) }

// tooEarly passes an entry over whose level has not begun: no leader of ours proposes one.
func (l *Ledger) tooEarly(index uint64, level uint32) (any, error) {
	meta := proto.CloneOf(l.meta)
	meta.Index = index
	txn := l.db.NewTransactionAt(l.ts, true)
	defer txn.Discard()
	if err := l.commit(txn, meta, nil); err != nil {
		return nil, fmt.Errorf("pass entry %d over: %w", index, err)
	}
	return syncproto.Fail(syncproto.CodeLevelEarly, "apply entry", nil, "level", fmt.Sprint(level)), nil
}

// mayOpen refuses, key by key, a snapshot of a level that this program does not know, before
// it takes the place of the state that is here.
func mayOpen(key, value []byte) error {
	if len(key) != 1 || key[0] != keyMetaByte {
		return nil
	}
	m := new(entrypb.Meta)
	if err := proto.Unmarshal(value, m); err != nil {
		return fmt.Errorf("read what is applied: %w", err)
	}
	return knows("restore ledger", levelIn(m))
}

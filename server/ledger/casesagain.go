package ledger

import (
	"slices"
	"strconv"
	"strings"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// judgeCase raises the doubt of a case anew when a change to the case itself came in: after a
// restore the changes that an earlier life of the centre made to it come back with a refill,
// and what they say of open and closed is not true any more. Before is the case as it was, r as
// the change c left it.
func (a *applier) judgeCase(union string, before, r *merge.Record, c *syncproto.Change) error {
	kindNumber, _ := strconv.ParseUint(r.Text(caseKind), 10, 16) // 0: it names no record
	field, _ := strconv.ParseUint(r.Text(caseField), 10, 16)
	journal, _ := strconv.ParseUint(r.Text(caseJournal), 16, 64)
	d := doubt{typ: r.Text(caseType), field: syncproto.FieldNumber(field), journal: syncproto.JournalID(journal)}
	if kindNumber != 0 {
		id, err := syncproto.ParseRecordID(r.Text(caseRecord))
		if err != nil {
			return nil //nolint:nilerr // a case that names nothing is nobody's to judge
		}
		d.key = syncproto.RecordKey{Kind: syncproto.KindNumber(kindNumber), ID: id}
	}
	switch {
	case d.typ == CaseFork && d.journal != 0:
		return a.judgeFork(union, d.journal, r.Text(caseDots))
	case d.typ == CaseHeld && d.key.Kind != 0:
		q, err := a.heldQueue(union, d.journal, d.key)
		if err != nil {
			return err
		}
		return a.heldMoved(d.journal, d.key, q)
	case d.typ == CaseHeld:
		return a.judgeAllUnreadable(before, r, c)
	case d.typ == CaseConflict || d.typ == CaseVoid:
		return a.judgeRecord(union, d)
	}
	return nil
}

// judgeFork raises the doubt about a fork anew unless the case, which stands on the dots named,
// knows of as many branches: one that only went on is the branch that people saw.
func (a *applier) judgeFork(union string, j syncproto.JournalID, named string) error {
	t, err := a.tipsOf(union, j)
	if err != nil {
		return err
	}
	switch d := forkOf(j, t); {
	case len(d.dots) < 2:
		a.raise(doubt{typ: CaseFork, journal: j})
	case len(d.dots) > dotsIn(named):
		a.raise(d)
	}
	return nil
}

// judgeAllUnreadable judges the change that a case without a record is about. A closed case
// does not name it any more: then the case as it was did, or what came in does.
func (a *applier) judgeAllUnreadable(before, r *merge.Record, c *syncproto.Change) error {
	names := []string{r.Text(caseDots), before.Text(caseDots)}
	if e := c.Edit(caseDots); e != nil {
		names = append(names, string(e.Value))
	}
	slices.Sort(names)
	for _, dot := range slices.Compact(names) {
		if err := a.judgeUnreadable(dot); err != nil {
			return err
		}
	}
	return nil
}

// dotsIn is how many changes a case stands on, by what [doubt.dotsText] wrote.
func dotsIn(text string) int {
	words := strings.Fields(text)
	if len(words) == 2 && !strings.Contains(words[0], "/") {
		n, _ := strconv.Atoi(words[0]) // 0: not ours, the doubt is raised again
		return n
	}
	return len(words)
}

// judgeUnreadable raises the doubt about a held change that names no record, if it is here and
// was not dropped. It may not have come yet, or have come in readable from another PC.
func (a *applier) judgeUnreadable(dot string) error {
	d, ok := parseDot(dot)
	if !ok {
		return nil
	}
	b, err := getBytes(a.txn, keyPlace(d))
	if err != nil {
		return err
	}
	stands := b != nil
	if stands {
		pos, err := decodePosition(b)
		if err != nil {
			return err
		}
		item, err := readLog(a.txn, pos)
		if err != nil {
			return err
		}
		stands = item.Verdict.Kind == syncproto.VerdictHeld && item.Verdict.Reason != syncproto.HeldErased && readable(item) == nil
	}
	e := new(entrypb.Decision)
	ended, err := getMessage(a.txn, keyEnded(d), e)
	if err != nil {
		return err
	}
	a.unreadableHeld(d, ended && e.GetDone() || !stands)
	return nil
}

func (a *applier) judgeRecord(union string, d doubt) error {
	rec, err := readRecord(a.txn, union, d.key)
	if err != nil {
		return err
	}
	all := voidDots(rec)
	if d.typ == CaseConflict {
		all = conflictDots(rec, a.classes(d.key.Kind))
	}
	for _, x := range all {
		if x.field == d.field {
			d.dots = x.dots
		}
	}
	a.raise(d)
	return nil
}

// parseDot reads what [syncproto.Dot.String] writes.
func parseDot(s string) (d syncproto.Dot, ok bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return d, false
	}
	j, err1 := strconv.ParseUint(parts[0], 16, 64)
	seq, err2 := strconv.ParseUint(parts[1], 10, 64)
	tag, err3 := strconv.ParseUint(parts[2], 16, 32)
	return syncproto.Dot{Journal: syncproto.JournalID(j), Seq: seq, Tag: uint32(tag)}, err1 == nil && err2 == nil && err3 == nil
}

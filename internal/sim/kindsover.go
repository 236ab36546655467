package sim

import (
	"bytes"
	"fmt"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// newerKinds is the kind set with a second version of member: three fields more, one of each
// merge class, which PCs of the first version do not know.
func newerKinds(old *kind.Set) (*kind.Set, kind.File, error) {
	files := map[string][]byte{}
	var member kind.File
	for _, f := range old.Files() {
		files[f.Name] = f.Data
		if f.Kind != "member" {
			continue
		}
		data := bytes.Replace(f.Data, []byte("version: 1\n"), []byte("version: 2\n"), 1)
		data = bytes.Replace(data, []byte("fields:\n"), []byte(`fields:
  - {number: 60, name: hobby, label: {zh: 爱好, en: Hobby}, type: text, max: 20}
  - {number: 61, name: desk, label: {zh: 工位, en: Desk}, type: text, max: 20, class: latest}
  - {number: 62, name: teams, label: {zh: 小组, en: Teams}, type: set, elem: code, table: union_post}
`), 1)
		files[f.Name], member = data, kind.File{Kind: f.Kind, Name: f.Name, Number: f.Number, Version: 2, Data: data}
	}
	set, err := kind.LoadFiles(files)
	if err != nil {
		return nil, member, fmt.Errorf("newer kinds: %w", err)
	}
	return set, member, nil
}

// publish brings the newer kind file into force at the centre, on some night.
func (w *world) publish() error {
	if w.newer != nil || !w.dice.chance(w.habits.publish) {
		return nil
	}
	set, file, err := newerKinds(w.kinds)
	if err != nil {
		return err
	}
	w.newer, w.newerFile = set, file
	w.note("kinds published")
	return w.publishAgain()
}

// publishAgain hands the newer file to a centre that may have lost it in a restore.
func (w *world) publishAgain() error {
	if w.newer == nil {
		return nil
	}
	f := w.newerFile
	err := w.centre.apply(&entrypb.Publish{Time: w.now.Unix(), Operator: "op", Kinds: []*entrypb.KindFile{{
		Name: f.Name, Version: f.Version, Yaml: f.Data,
		Signature: w.centre.node.City.Sign(syncproto.DomainKindFile, syncproto.KindFileMessage(f.Name, f.Version, f.Data)),
	}}})
	if err != nil {
		return w.violate("publish: %v", err)
	}
	w.trace.line("kinds published, head %s", w.centre.head())
	return nil
}

// upgrade has a PC learn of the newer kinds: from its next start on.
func (p *pc) upgrade() {
	if p.w.newer != nil && p.kinds != p.w.newer && p.dice.chance(0.03) {
		p.kinds = p.w.newer
		p.w.note("PC upgraded")
	}
}

// newest is the newest kind set that anybody has.
func (w *world) newest() *kind.Set {
	if w.newer != nil {
		return w.newer
	}
	return w.kinds
}

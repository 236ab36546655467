package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// heardFile is the file in the folder of kind files that says what the centre has in force
// once nothing of it is lacking here: hash of the kinds here (4) and of the centre's (4), number
// (2) and random bits (8) of the life that it said so in, big endian. Without it the centre is
// asked to compare once more; in another life too if files of the centre are kept, since a
// centre that forgot one may have published another of the same version.
const heardFile = "heard"

// kindTalk is what one sync says and hears of kind files.
//
//	hash --the centre names other versions--> have --files--> kept, nothing lacks --> heard
//	                                           '--the centre lacks what it signed--> back
type kindTalk struct {
	folder *kindFolder
	life   []byte                          // that the newest request named
	told   map[syncproto.KindNumber]uint32 // in force at the centre; nil: not told in this sync
	back   bool                            // what the centre lacks was handed back
}

var _ union.KindKeeper = (*kindTalk)(nil)

// keeper keeps kind files during one sync.
func (a *Agent) keeper() *kindTalk { return &kindTalk{folder: &a.kinds} }

// Say implements [union.KindKeeper].
func (t *kindTalk) Say(life *syncpb.GenerationRef) (hash uint32, have, contents []uint32, back []*syncpb.KindFile) {
	now := t.folder.inUse()
	t.life = lifeOf(life)
	hash = t.folder.heard(now.set.Fingerprint(), t.life)
	if t.told == nil {
		return hash, nil, nil, nil
	}
	if !t.back {
		t.back = true
		back = t.folder.lackedBy(t.told)
	}
	here := now.has()
	for _, n := range slices.Sorted(maps.Keys(here)) {
		have, contents = append(have, uint32(n), here[n]), append(contents, now.content(n, here[n]))
	}
	return hash, have, contents, back
}

// lifeOf is a life as the file of what was heard names it.
func lifeOf(g *syncpb.GenerationRef) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(min(g.GetNumber(), 0xffff)))
	return binary.BigEndian.AppendUint64(b, g.GetRandom())
}

// Hear implements [union.KindKeeper].
func (t *kindTalk) Hear(inForce []uint32, files []*syncpb.KindFile) (again bool, err error) {
	before, replaced := t.folder.inUse().has(), false
	for _, f := range files {
		other, err := t.folder.keep(f)
		if err != nil {
			return false, err
		}
		replaced = replaced || other
	}
	if len(inForce) == 0 {
		return false, nil
	}
	first := t.told == nil
	t.told = kind.PairMap(inForce)
	now := t.folder.inUse()
	lacking, gained := false, replaced
	for n, version := range t.told {
		lacking = lacking || now.has()[n] < version
		gained = gained || now.has()[n] > before[n]
	}
	// What was handed back and is not taken is not said again until something changes.
	if !lacking && (t.back || len(t.folder.lackedBy(t.told)) == 0) {
		if replaced || first && t.folder.doubts(t.life) {
			return true, nil // there may be more, or only versions were compared so far
		}
		return false, t.folder.noteHeard(now.set.Fingerprint(), kind.FingerprintOf(inForce), t.life)
	}
	return first || gained, nil
}

// content is what tells apart two files of one version of a kind.
func (u *kindsInUse) content(n syncproto.KindNumber, version uint32) uint32 {
	files := u.set.Files()
	for _, f := range u.kept {
		files = append(files, f.File)
	}
	for _, f := range files {
		if f.Number == n && f.Version == version {
			return kind.ContentOf(f.Data)
		}
	}
	return 0
}

// has gives the newest version of each kind that is here, also one that cannot be used yet.
func (u *kindsInUse) has() map[syncproto.KindNumber]uint32 {
	out := kind.PairMap(u.set.Pairs())
	for _, f := range u.kept {
		out[f.Number] = max(out[f.Number], f.Version)
	}
	return out
}

// lackedBy gives the newest kept files that are newer than what is in force at the centre:
// it signed them in a life that a restore ended.
func (k *kindFolder) lackedBy(told map[syncproto.KindNumber]uint32) []*syncpb.KindFile {
	newest := map[syncproto.KindNumber]keptKind{}
	all := k.inUse().kept
	for _, f := range all {
		if f.Version > told[f.Number] && f.Version > newest[f.Number].Version {
			newest[f.Number] = f
		}
	}
	var out []*syncpb.KindFile
	for _, f := range all { // in the order of the list
		if x, ok := newest[f.Number]; ok && x.Version == f.Version {
			out = append(out, &syncpb.KindFile{Name: f.Name, Version: f.Version, Yaml: f.Data, Signature: f.signature})
		}
	}
	return out
}

// heard gives the hash to name to the centre, in a life of it, when own are the kinds here; 0,
// which is nobody's, has the centre name its own.
func (k *kindFolder) heard(own uint32, life []byte) uint32 {
	b := k.readHeard()
	switch {
	case k.doubts(life):
		return 0
	case len(b) < heardSize || binary.BigEndian.Uint32(b) != own:
		return own
	}
	return binary.BigEndian.Uint32(b[4:])
}

// doubts reports whether files of the centre are kept that it has not compared in this life.
func (k *kindFolder) doubts(life []byte) bool {
	b := k.readHeard()
	return len(k.inUse().kept) > 0 && (len(b) < heardSize || !bytes.Equal(b[8:heardSize], life))
}

const heardSize = 4 + 4 + 2 + 8

func (k *kindFolder) readHeard() []byte {
	b, err := os.ReadFile(filepath.Join(k.dir, heardFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("what the centre has in force cannot be read", "error", err)
	}
	return b
}

func (k *kindFolder) noteHeard(own, centre uint32, life []byte) error {
	b := binary.BigEndian.AppendUint32(nil, own)
	b = append(binary.BigEndian.AppendUint32(b, centre), life...)
	if bytes.Equal(k.readHeard(), b) {
		return nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(k.dir, heardFile), b, 0o600)
}

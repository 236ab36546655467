package agent

import (
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
// once nothing of it is lacking here: hash of the kinds here (4) and of the centre's (4), big
// endian. Without it the centre is asked to compare once more.
const heardFile = "heard"

// kindTalk is what one sync says and hears of kind files.
//
//	hash --the centre names other versions--> have --files--> kept, nothing lacks --> heard
//	                                           '--the centre lacks what it signed--> back
type kindTalk struct {
	folder *kindFolder
	told   map[syncproto.KindNumber]uint32 // in force at the centre; nil: not told in this sync
	back   bool                            // what the centre lacks was handed back
}

var _ union.KindKeeper = (*kindTalk)(nil)

// keeper keeps kind files during one sync.
func (a *Agent) keeper() *kindTalk { return &kindTalk{folder: &a.kinds} }

// Say implements [union.KindKeeper].
func (t *kindTalk) Say() (hash uint32, have []uint32, back []*syncpb.KindFile) {
	now := t.folder.inUse()
	hash = t.folder.heard(now.set.Fingerprint())
	if t.told == nil {
		return hash, nil, nil
	}
	if !t.back {
		t.back = true
		back = t.folder.lackedBy(t.told)
	}
	here := now.has()
	for _, n := range slices.Sorted(maps.Keys(here)) {
		have = append(have, uint32(n), here[n])
	}
	return hash, have, back
}

// Hear implements [union.KindKeeper].
func (t *kindTalk) Hear(inForce []uint32, files []*syncpb.KindFile) (again bool, err error) {
	before := t.folder.inUse().has()
	for _, f := range files {
		if err := t.folder.keep(f); err != nil {
			return false, err
		}
	}
	if len(inForce) == 0 {
		return false, nil
	}
	first := t.told == nil
	t.told = kind.PairMap(inForce)
	now := t.folder.inUse()
	lacking, gained := false, false
	for n, version := range t.told {
		lacking = lacking || now.has()[n] < version
		gained = gained || now.has()[n] > before[n]
	}
	// What was handed back and is not taken is not said again until something changes.
	if !lacking && (t.back || len(t.folder.lackedBy(t.told)) == 0) {
		return false, t.folder.noteHeard(now.set.Fingerprint(), kind.FingerprintOf(inForce))
	}
	return first || gained, nil
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

// heard gives the hash to name to the centre when own are the kinds here.
func (k *kindFolder) heard(own uint32) uint32 {
	b, err := os.ReadFile(filepath.Join(k.dir, heardFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("what the centre has in force cannot be read", "error", err)
	}
	if len(b) != 8 || binary.BigEndian.Uint32(b) != own {
		return own
	}
	return binary.BigEndian.Uint32(b[4:])
}

func (k *kindFolder) noteHeard(own, centre uint32) error {
	if k.heard(own) == centre {
		return nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32(nil, own)
	return atomicfile.Write(filepath.Join(k.dir, heardFile), binary.BigEndian.AppendUint32(b, centre), 0o600)
}

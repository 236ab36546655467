package kind

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"unionsync/syncproto"
)

// Versions are kinds in all versions that are known: the newest of each is in force, the
// older ones say how changes of their time are read. It is read only and safe for
// concurrent use.
type Versions struct {
	newest *Set
	older  map[versionKey]*Kind
	files  []File // all, by number and version
}

type versionKey struct {
	number  syncproto.KindNumber
	version uint32
}

// FileName is the name of a kind's file wherever files are published or kept.
func FileName(kind string) string { return kind + ".yaml" }

// ReadFile reads what stands at the head of a kind file, whose name is given for messages.
// It says nothing of other kinds that the file names: [LoadVersions] does.
func ReadFile(name string, data []byte) (File, error) {
	for _, f := range Embedded().files {
		if f.Name == name && bytes.Equal(f.Data, data) {
			f.Data = slices.Clone(data)
			return f, nil
		}
	}
	d, err := read(name, data)
	if err != nil {
		return File{}, err
	}
	return File{Kind: d.kind.Name, Number: d.kind.Number, Version: d.kind.Version, Name: name, Data: slices.Clone(data)}, nil
}

// LoadVersions reads kind files, several versions of a kind among them, rules of the newest
// included. One that stands twice counts once. An older version is read beside the newest
// ones of other kinds.
func LoadVersions(files []File) (*Versions, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Version, b.Version))
	})
	v := &Versions{older: map[versionKey]*Kind{}}
	newest := map[syncproto.KindNumber]File{}
	for _, f := range files {
		if n := len(v.files); n > 0 && v.files[n-1].Number == f.Number && v.files[n-1].Version == f.Version {
			continue
		}
		v.files = append(v.files, f)
		newest[f.Number] = f
	}
	byName := map[string][]byte{}
	for _, f := range newest {
		if _, ok := byName[f.Name]; ok {
			return nil, fileError(f.Name, 1, "the file stands for two kinds", nil)
		}
		byName[f.Name] = f.Data
	}
	var err error
	if v.newest, err = LoadFiles(byName); err != nil {
		return nil, err
	}
	for _, f := range v.files {
		if f.Version == newest[f.Number].Version {
			continue
		}
		k, err := v.newest.beside(f)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", f.Version, err)
		}
		v.older[versionKey{f.Number, f.Version}] = k
	}
	return v, nil
}

// VersionsOf makes versions of a set alone.
func VersionsOf(s *Set) *Versions { return &Versions{newest: s, files: s.Files()} }

// beside reads another version of a kind of s, as if it stood in its place. s is not changed.
func (s *Set) beside(f File) (*Kind, error) {
	d, err := read(f.Name, f.Data)
	if err != nil {
		return nil, err
	}
	k := d.kind
	if now := s.byNumber[k.Number]; now == nil || now.Name != k.Name {
		return nil, fileError(f.Name, 1, "the kind's name or number is not that of its newest version", nil)
	}
	other := &Set{byName: maps.Clone(s.byName), byNumber: maps.Clone(s.byNumber), files: []File{f}}
	other.byName[k.Name], other.byNumber[k.Number] = k, k
	for _, now := range s.kinds {
		if now.Number == k.Number {
			now = k
		}
		other.kinds = append(other.kinds, now)
	}
	k.set = other
	if err := d.linkFields(other); err != nil {
		return nil, err
	}
	return k, d.link(other)
}

// Newest gives the kinds in force.
func (v *Versions) Newest() *Set { return v.newest }

// At gives one version of a kind.
func (v *Versions) At(n syncproto.KindNumber, version uint32) (*Kind, bool) {
	if k, ok := v.newest.ByNumber(n); ok && k.Version == version {
		return k, true
	}
	k, ok := v.older[versionKey{n, version}]
	return k, ok
}

// Of gives the versions of a kind that are known, ascending.
func (v *Versions) Of(n syncproto.KindNumber) []*Kind {
	var out []*Kind
	for _, f := range v.files {
		if f.Number == n {
			if k, ok := v.At(n, f.Version); ok {
				out = append(out, k)
			}
		}
	}
	return out
}

// Files gives all files, by kind number and version.
func (v *Versions) Files() []File { return slices.Clone(v.files) }

// Publish says what becomes of v when new files come into force: more, the versions after
// it, and fresh, the files that were not known. With a breach more is nil and nothing may be
// published; a file that is in force already is neither fresh nor a breach.
func (v *Versions) Publish(files []File) (more *Versions, fresh []File, breaches []Breach) {
	for _, f := range files {
		found, known := v.judge(f, fresh)
		breaches = append(breaches, found...)
		if !known && len(found) == 0 {
			fresh = append(fresh, f)
		}
	}
	switch {
	case len(breaches) > 0:
		return nil, nil, breaches
	case len(fresh) == 0:
		return v, nil, nil
	}
	more, err := LoadVersions(slices.Concat(v.files, fresh))
	if err != nil {
		return nil, nil, []Breach{broken(fresh[0].Kind, err)}
	}
	for _, f := range fresh { // now with the tables that fields name
		all := more.Of(f.Number)
		for i := 1; i < len(all); i++ {
			if all[i].Version == f.Version {
				breaches = append(breaches, Compatible(all[i-1], all[i])...)
			}
		}
	}
	if len(breaches) > 0 {
		return nil, nil, breaches
	}
	return more, fresh, nil
}

// Judge compares one file with what is in force, before what it says of other kinds is
// looked at: it may need a file that has yet to come.
func (v *Versions) Judge(f File) []Breach {
	found, _ := v.judge(f, nil)
	return found
}

// judge compares one file with what is in force and with the others of its publication,
// before what it says of other kinds is looked at.
func (v *Versions) judge(f File, others []File) (found []Breach, known bool) {
	if f.Name != FileName(f.Kind) {
		return []Breach{{Code: syncproto.CodeKindFileName, Kind: f.Kind, Args: []string{"file", f.Name}}}, false
	}
	d, err := read(f.Name, f.Data)
	if err != nil {
		return []Breach{broken(f.Kind, err)}, false
	}
	d.kind.set = &Set{files: []File{f}}
	for _, o := range others {
		if o.Kind == f.Kind && o.Version == f.Version {
			found = append(found, Breach{Code: syncproto.CodeKindSame, Kind: f.Kind, Args: []string{"is", number(f.Version)}})
		}
	}
	old := v.newest.byName[f.Kind]
	if old == nil {
		old = v.newest.byNumber[f.Number]
	}
	if old == nil {
		return found, false
	}
	if old.Version == f.Version && bytes.Equal(old.data(), f.Data) {
		return found, true
	}
	return append(found, Compatible(old, d.kind)...), false
}

// broken turns an error of loading into a breach: its cause names file and line.
func broken(kind string, err error) Breach {
	return Breach{Code: syncproto.CodeKindsBroken, Kind: kind, Args: []string{"cause", causeOf(err)}}
}

// causeOf gives the words of an error of a kind file, with file and line.
func causeOf(err error) string {
	var e *syncproto.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Args["file"] + ":" + e.Args["line"] + ": " + e.Args["cause"]
}

// Fingerprint tells apart what versions of kinds are in force: the first four bytes of the
// SHA-256 over number and version of each kind, by number.
func (s *Set) Fingerprint() uint32 { return FingerprintOf(s.Pairs()) }

// Pairs gives number and version of each kind, by number, as messages carry them.
func (s *Set) Pairs() []uint32 {
	out := make([]uint32, 0, 2*len(s.kinds))
	for _, k := range s.kinds {
		out = append(out, uint32(k.Number), k.Version)
	}
	return out
}

// FingerprintOf is [Set.Fingerprint] of pairs of number and version.
func FingerprintOf(pairs []uint32) uint32 {
	h := sha256.New()
	for _, n := range pairs {
		_ = binary.Write(h, binary.BigEndian, n) // a hash takes everything
	}
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// ContentOf tells apart two files of one version: the first four bytes of the SHA-256.
func ContentOf(data []byte) uint32 {
	sum := sha256.Sum256(data)
	return binary.BigEndian.Uint32(sum[:])
}

// PairMap reads pairs of number and version; what is left over at the end is not looked at.
func PairMap(pairs []uint32) map[syncproto.KindNumber]uint32 {
	out := make(map[syncproto.KindNumber]uint32, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if n := pairs[i]; n > 0 && n <= 0xffff {
			out[syncproto.KindNumber(n)] = max(out[syncproto.KindNumber(n)], pairs[i+1])
		}
	}
	return out
}

package agent

import (
	"os"
	"path/filepath"

	"unionsync/agent/union"
	"unionsync/syncproto"
)

// KindOrigin says which version of a kind is in use here and where it comes from. Its JSON
// form is stable.
type KindOrigin struct {
	Kind    string   `json:"kind"`
	Number  uint16   `json:"number"`
	Zh      string   `json:"zh"`
	En      string   `json:"en"`
	Version uint32   `json:"version"`
	Centre  bool     `json:"centre"`  // published by the centre; else built in
	Builtin uint32   `json:"builtin"` // version built in; 0: none
	Kept    []uint32 `json:"kept"`    // versions kept of the centre's
	Waiting bool     `json:"waiting"` // a newer one is kept and cannot be used yet
}

// KindOrigins lists the kinds by number, and the names of files that were set aside.
func (a *Agent) KindOrigins() (kinds []KindOrigin, asides []string) {
	now := a.kinds.inUse()
	for _, k := range now.set.All() {
		o := KindOrigin{Kind: k.Name, Number: uint16(k.Number), Zh: k.Label.Zh, En: k.Label.En, Version: k.Version, Kept: []uint32{}}
		if b, ok := a.c.Kinds.Kind(k.Name); ok {
			o.Builtin = b.Version
		}
		for _, f := range now.kept {
			if f.Kind == k.Name {
				o.Kept = append(o.Kept, f.Version)
				o.Centre = o.Centre || f.used
				o.Waiting = o.Waiting || f.Version > k.Version
			}
		}
		kinds = append(kinds, o)
	}
	return kinds, now.asides
}

// notices tell what a person should know of kind files.
func (k *kindFolder) notices() []union.Notice {
	var out []union.Notice
	for _, name := range k.inUse().asides {
		if info, err := os.Stat(filepath.Join(k.dir, name)); err == nil && len(out) == 0 {
			out = append(out, union.Notice{Code: syncproto.CodeKindAside, Since: info.ModTime()})
		}
	}
	return out
}

package agent

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// kindFolder is the folder of the kind files that the centre published: for each the file
// NAME.vN.yaml and beside it NAME.vN.sig, the city's signature. The signature is written
// first: a crash between the two leaves a signature without a file, which is nothing. What
// does not verify or is not to follow what is in use is renamed to NAME.vN.yaml.aside.
type kindFolder struct {
	dir     string
	builtin *kind.Set
	log     *slog.Logger
	ca      func() (ed25519.PublicKey, error) // the city's key; nil before the PC enrolled

	mu   sync.Mutex // guards the rest
	seen string     // the folder as it was read
	now  *kindsInUse
}

// kindsInUse are the kinds that an agent works by, and where they come from.
type kindsInUse struct {
	set    *kind.Set
	kept   []keptKind // all that verify, newest of a kind last
	asides []string   // names of files that were set aside
}

// keptKind is a kept file, signed by the city.
type keptKind struct {
	kind.File
	signature []byte
	used      bool
}

const (
	asideEnd = ".aside"
	sigEnd   = ".sig"
	yamlEnd  = ".yaml"
)

var keptName = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,39})\.v([1-9][0-9]{0,9})\.yaml$`)

func keptFile(f kind.File) string { return fmt.Sprintf("%s.v%d", f.Kind, f.Version) }

// inUse gives the kinds in use; the folder is read again only when it is not as it was.
func (k *kindFolder) inUse() *kindsInUse {
	k.mu.Lock()
	defer k.mu.Unlock()
	entries, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("the folder of kind files cannot be read; those built in are used", "error", err)
	}
	if seen := stampOf(entries); k.now == nil || seen != k.seen {
		k.now = k.read(entries)
		again, _ := os.ReadDir(k.dir) // files may have been set aside
		k.seen = stampOf(again)
	}
	return k.now
}

// stampOf tells apart what a folder holds.
func stampOf(entries []os.DirEntry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Name() + "\n")
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(&b, "%d %d\n", info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// read verifies what the folder holds and works out which kinds are used.
func (k *kindFolder) read(entries []os.DirEntry) *kindsInUse {
	out := &kindsInUse{set: k.builtin}
	ca, err := k.ca()
	if err != nil || ca == nil {
		return out
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), asideEnd) {
			out.asides = append(out.asides, e.Name())
		}
		if !keptName.MatchString(e.Name()) {
			continue
		}
		f, err := k.open(e.Name(), ca)
		if err != nil {
			k.log.Warn("a kind file of the centre is set aside", "file", e.Name(), "error", err)
			out.asides = append(out.asides, e.Name()+asideEnd)
			k.setAside(e.Name())
			continue
		}
		out.kept = append(out.kept, f)
	}
	slices.SortFunc(out.kept, func(a, b keptKind) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Version, b.Version))
	})
	out.choose(k.builtin, k.log)
	return out
}

// open reads one kept file and checks that the city signed it as what its name says.
func (k *kindFolder) open(name string, ca ed25519.PublicKey) (keptKind, error) {
	data, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		return keptKind{}, err
	}
	sig, err := os.ReadFile(filepath.Join(k.dir, strings.TrimSuffix(name, yamlEnd)+sigEnd))
	if err != nil {
		return keptKind{}, err
	}
	parts := keptName.FindStringSubmatch(name)
	version, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return keptKind{}, err
	}
	f, err := verifyKind(ca, &syncpb.KindFile{Name: kind.FileName(parts[1]), Version: uint32(version), Yaml: data, Signature: sig})
	if err != nil {
		return keptKind{}, err
	}
	if bad := misfit(k.builtin, f); bad != nil {
		return keptKind{}, bad
	}
	return keptKind{File: f, signature: sig}, nil
}

// misfit says why a file of the city may not stand beside a set. That it is older, or another
// of the same version, is no reason.
func misfit(set *kind.Set, f kind.File) error {
	breaches := kind.VersionsOf(set).Judge(f)
	if len(breaches) == 0 || breaches[0].Code == syncproto.CodeKindOlder || breaches[0].Code == syncproto.CodeKindSame {
		return nil
	}
	return breaches[0].Err()
}

// verifyKind checks that the city signed a file, and that it is what the message says.
func verifyKind(ca ed25519.PublicKey, f *syncpb.KindFile) (kind.File, error) {
	msg := syncproto.KindFileMessage(f.GetName(), f.GetVersion(), f.GetYaml())
	if err := seal.Verify(ca, syncproto.DomainKindFile, msg, f.GetSignature()); err != nil {
		return kind.File{}, syncproto.Fail(syncproto.CodeKindSignature, "verify kind file", err)
	}
	file, err := kind.ReadFile(f.GetName(), f.GetYaml())
	if err != nil {
		return kind.File{}, err
	}
	if file.Version != f.GetVersion() || f.GetName() != kind.FileName(file.Kind) {
		return kind.File{}, syncproto.Fail(syncproto.CodeKindSignature, "verify kind file", errors.New("it is not what its name says"))
	}
	return file, nil
}

// choose takes the newest of each kind that can be read beside the others. One that cannot,
// because it needs a file that has not come yet, waits.
func (u *kindsInUse) choose(builtin *kind.Set, log *slog.Logger) {
	out := map[string]bool{} // kept files that are not to be used, by their names
	for {
		files, from := map[string][]byte{}, map[string]keptKind{}
		for _, f := range builtin.Files() {
			files[kind.FileName(f.Kind)] = f.Data
		}
		for _, f := range u.kept {
			if own, ok := builtin.Kind(f.Kind); out[keptFile(f.File)] || ok && (own.Version > f.Version || own.Version == f.Version && isOf(builtin, f.File)) {
				continue
			}
			files[f.Name], from[f.Name] = f.Data, f
		}
		if len(from) == 0 {
			u.set = builtin
			return
		}
		set, err := kind.LoadFiles(files)
		if err == nil {
			u.set = set
			for i, f := range u.kept {
				x, ok := from[f.Name]
				u.kept[i].used = ok && x.Version == f.Version
			}
			return
		}
		u.leaveOut(out, from, err, log)
	}
}

// isOf reports whether a set has this very file.
func isOf(s *kind.Set, f kind.File) bool {
	return slices.ContainsFunc(s.Files(), func(x kind.File) bool { return x.Kind == f.Kind && bytes.Equal(x.Data, f.Data) })
}

// leaveOut gives up the file at fault; if that is none of the kept ones, the last of them.
func (u *kindsInUse) leaveOut(out map[string]bool, from map[string]keptKind, err error, log *slog.Logger) {
	var e *syncproto.Error
	name := ""
	if errors.As(err, &e) {
		name = e.Args["file"]
	}
	if _, ok := from[name]; !ok {
		name = slices.Max(slices.Collect(maps.Keys(from)))
	}
	log.Warn("a kind file of the centre is not used", "file", keptFile(from[name].File), "error", err)
	out[keptFile(from[name].File)] = true
}

// keep writes a file that the centre sent, if it verifies and is newer than what is used, or
// another of the same version: then a restore forgot the one here, and what is in force
// counts; replaced tells that. What is wrong with a file is told; it is then set aside and the
// ones before it stay in use.
func (k *kindFolder) keep(f *syncpb.KindFile) (replaced bool, err error) {
	ca, err := k.ca()
	if err != nil {
		return false, err
	}
	now := k.inUse()
	file, bad := verifyKind(ca, f)
	if bad == nil {
		own, ok := now.set.Kind(file.Kind)
		if ok && (own.Version > file.Version || isOf(now.set, file)) {
			return false, nil
		}
		if replaced = ok && own.Version == file.Version; replaced {
			bad = misfit(k.builtin, file) // what it replaces is no measure
		} else if breaches := kind.VersionsOf(now.set).Judge(file); len(breaches) > 0 {
			bad = breaches[0].Err()
		}
	}
	base := keptFile(file)
	if bad != nil {
		base = fmt.Sprintf("%s.v%d", strings.TrimSuffix(filepath.Base(f.GetName()), yamlEnd), f.GetVersion())
		if !keptName.MatchString(base + yamlEnd) {
			base = "unnamed.v1"
		}
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return false, err
	}
	if bad != nil {
		k.log.Warn("a kind file of the centre is set aside", "file", base, "error", bad)
		return false, atomicfile.Write(filepath.Join(k.dir, base+yamlEnd+asideEnd), f.GetYaml(), 0o600)
	}
	if err := atomicfile.Write(filepath.Join(k.dir, base+sigEnd), f.GetSignature(), 0o600); err != nil {
		return false, err
	}
	if err := atomicfile.Write(filepath.Join(k.dir, base+yamlEnd), f.GetYaml(), 0o600); err != nil { // from here on it is kept
		return false, err
	}
	if replaced {
		k.log.Warn("a kind file was replaced by the one in force at the centre", "file", base)
	}
	return replaced, k.clearAsides(file.Kind)
}

func (k *kindFolder) setAside(name string) {
	if err := os.Rename(filepath.Join(k.dir, name), filepath.Join(k.dir, name+asideEnd)); err != nil {
		k.log.Warn("a kind file cannot be set aside", "file", name, "error", err)
	}
}

// clearAsides forgets what was wrong with a kind once a good file of it has come.
func (k *kindFolder) clearAsides(name string) error {
	old, err := filepath.Glob(filepath.Join(k.dir, name+".v*"+yamlEnd+asideEnd))
	for _, path := range old {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// cityKey is the key of the city's CA, nil before the PC enrolled.
func (a *Agent) cityKey() (ed25519.PublicKey, error) {
	c, ok, err := a.loadCentre()
	if err != nil || !ok {
		return nil, err
	}
	key, ok := c.ca.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, deviceError(centreFile, errors.New("the CA's key is of another kind"))
	}
	return key, nil
}

package archive

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// TestBackup: what is put back is the state to its last byte, as it was when the backup was
// begun, and the manifest says what it is.
func TestBackup(t *testing.T) {
	c := newCentre(t)
	c.members(500)
	w := c.writer(newFolder(t))
	want := dump(t, c.ledger)
	m := c.backup(w)
	c.members(30)
	if len(m.Parts) < 3 || m.Bytes != int64(len(want)) || m.Position != syncproto.MakePosition(1, 500) || m.Tally.Changes != 500 {
		t.Errorf("manifest %+v", m)
	}
	got, err := w.Manifest(t.Context(), m.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	b := rebuild(t, w.Reader, got, Rebuilding{WithLog: true})
	if !bytes.Equal(dump(t, b.Ledger), want) || b.Digest != m.Digest || b.At.Head != m.Position {
		t.Error("the state that was put back differs")
	}
}

// TestStreamed: a backup and the log behind it are the state as it is, also across nodes that
// lead one after the other and cut the log elsewhere.
func TestStreamed(t *testing.T) {
	c := newCentre(t)
	c.members(50)
	w := c.writer(newFolder(t))
	s := c.stream(w)
	if err := s.catchUp(t.Context()); !errors.Is(err, ErrGone) {
		t.Fatalf("streamed without a backup to begin from: %v", err)
	}
	first := c.backup(w)
	c.members(200)
	c.catchUp(s)
	late := c.stream(w) // of a node that is not told yet that it has lost its lead
	c.catchUp(late)
	c.members(70)
	c.catchUp(s)
	c.members(35)
	c.catchUp(late)
	c.members(11)
	next := c.stream(w)
	c.catchUp(next)
	second := c.backup(w)
	c.members(90)
	c.catchUp(next)
	for _, m := range []*Manifest{first, second} {
		b := rebuild(t, w.Reader, m, Rebuilding{WithLog: true})
		if b.Digest != digest(t, c.ledger) || b.At.Head != c.ledger.Head() || b.Log.Position != c.ledger.Head() || b.Log.Gap {
			t.Errorf("behind %s: at %s of %s, log %+v", m.Position, b.At.Head, c.ledger.Head(), b.Log)
		}
	}
}

// TestStreamBeginsAnew: a log that was cut off in front before it was streamed needs a
// backup; from the one before it one comes up to the gap and is told so.
func TestStreamBeginsAnew(t *testing.T) {
	c := newCentre(t)
	w := c.writer(newFolder(t))
	first := c.backup(w)
	c.members(20)
	s := c.stream(w)
	c.catchUp(s)
	at := c.ledger.Whole()
	c.members(20)
	c.first = c.index
	c.members(20)
	if err := s.catchUp(t.Context()); !errors.Is(err, ErrGone) {
		t.Fatalf("%v", err)
	}
	second := c.backup(w)
	s.begin(second)
	c.members(20)
	c.catchUp(s)
	if b := rebuild(t, w.Reader, first, Rebuilding{WithLog: true}); !b.Log.Gap || b.At.Head != at.Head {
		t.Errorf("from the first: %+v at %s, want a gap at %s", b.Log, b.At.Head, at.Head)
	}
	if b := rebuild(t, w.Reader, second, Rebuilding{WithLog: true}); b.Log.Gap || b.Digest != digest(t, c.ledger) {
		t.Errorf("from the second: %+v at %s", b.Log, b.At.Head)
	}
}

// tampering is something that somebody, or a disk, does to what is kept.
type tampering struct {
	why  string
	says string // what the drill says is not as it was written: the guard meant for it, not a later one
	do   func(t *testing.T, f *folder, backups []*Manifest)
}

func (f *folder) mustGet(t *testing.T, name string) []byte {
	t.Helper()
	b, err := f.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *folder) mustPut(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := f.Put(t.Context(), name, b); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) mustDelete(t *testing.T, name string) {
	t.Helper()
	if err := f.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) swap(t *testing.T, a, b string) {
	t.Helper()
	x, y := f.mustGet(t, a), f.mustGet(t, b)
	f.mustPut(t, a, y)
	f.mustPut(t, b, x)
}

func (f *folder) segments(t *testing.T) []string {
	t.Helper()
	all, err := f.List(t.Context(), logDir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range all {
		if strings.HasSuffix(o.Name, ".seg") {
			out = append(out, o.Name)
		}
	}
	return out
}

func manifestOf(m *Manifest) string { return backupsDir + m.Name + manifestName }

var tamperings = []tampering{
	{"a number in the newest manifest", "manifest", func(t *testing.T, f *folder, b []*Manifest) {
		name := manifestOf(b[1])
		f.mustPut(t, name, bytes.Replace(f.mustGet(t, name), []byte(`"index":`), []byte(`"index":1`), 1))
	}},
	{"two parts swapped", "part", func(t *testing.T, f *folder, b []*Manifest) {
		f.swap(t, b[1].at(b[1].Parts[0].Name), b[1].at(b[1].Parts[1].Name))
	}},
	{"the last part cut", "part", func(t *testing.T, f *folder, b []*Manifest) {
		name := b[1].at(b[1].Parts[len(b[1].Parts)-1].Name)
		whole := f.mustGet(t, name)
		f.mustPut(t, name, whole[:len(whole)-1])
	}},
	{"the last part gone", "part", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustDelete(t, b[1].at(b[1].Parts[len(b[1].Parts)-1].Name))
	}},
	{"a part of another night", "part", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustPut(t, b[1].at(b[1].Parts[0].Name), f.mustGet(t, b[0].at(b[0].Parts[0].Name)))
	}},
	{"the manifest of another night", "manifest", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustPut(t, manifestOf(b[1]), f.mustGet(t, manifestOf(b[0])))
	}},
	{"a bit of an older backup", "part", func(t *testing.T, f *folder, b []*Manifest) {
		name := b[0].at(b[0].Parts[1].Name)
		x := f.mustGet(t, name)
		x[len(x)/2] ^= 1
		f.mustPut(t, name, x)
	}},
	{"a bit of the log", "segment", func(t *testing.T, f *folder, b []*Manifest) {
		name := f.segments(t)[len(f.segments(t))-1]
		x := f.mustGet(t, name)
		x[len(x)-9] ^= 1
		f.mustPut(t, name, x)
	}},
	{"a piece of the log gone from its middle", "missing", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustDelete(t, f.segments(t)[len(f.segments(t))-2])
	}},
	{"the end of the log gone", "missing", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustDelete(t, f.segments(t)[len(f.segments(t))-1])
	}},
	{"a life of the centre swapped for another", "generation", func(t *testing.T, f *folder, b []*Manifest) {
		f.mustPut(t, livesDir+"00002-000000000000004d.age", f.mustGet(t, livesDir+"00001-000000000000004d.age"))
	}},
}

// TestTampering: nothing that is kept can be changed, swapped, cut or mixed unnoticed. Seen to
// fail with each guard taken out by itself: the signature of a note, a manifest's name, a part's length
// and hash, the name of a life; what stands behind a guard (the state's own checksum and digest) would
// notice most of it later, and is seen by what the drill says.
func TestTampering(t *testing.T) {
	c := newCentre(t)
	f := newFolder(t)
	w := c.writer(f)
	c.members(300)
	backups := []*Manifest{c.backup(w)}
	s := c.stream(w)
	c.members(150)
	c.catchUp(s)
	backups = append(backups, c.backup(w))
	c.members(150)
	c.catchUp(s)
	r, err := w.Drill(t.Context(), drilling(t))
	if err != nil || !r.OK() || r.Digest != digest(t, c.ledger) || r.Checked != 1 {
		t.Fatalf("before anything was touched: %+v, %v", r, err)
	}
	for _, row := range tamperings {
		t.Run(row.why, func(t *testing.T) {
			copied := copyOf(t, f)
			row.do(t, copied, backups)
			reader, err := NewReader(copied, c.keys())
			if err != nil {
				t.Fatal(err)
			}
			r, err := reader.Drill(t.Context(), drilling(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.OK() || r.Err() == nil {
				t.Fatalf("a drill says that all is well: %+v", r)
			}
			coded := new(syncproto.Error)
			if !errors.As(r.Problems[0].Err, &coded) || !strings.HasPrefix(coded.Args["what"], row.says) {
				t.Errorf("it says that %q is damaged, want %q: %v", coded.Args["what"], row.says, r.Problems[0].Err)
			}
		})
	}
}

func copyOf(t *testing.T, f *folder) *folder {
	t.Helper()
	to := newFolder(t)
	all, err := f.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		to.mustPut(t, o.Name, f.mustGet(t, o.Name))
	}
	return to
}

// TestOtherCity: the backup of another city is no backup of this one, whatever its name.
func TestOtherCity(t *testing.T) {
	c, other := newCentre(t), newCentre(t)
	f := newFolder(t)
	m := other.backup(other.writer(f))
	w := c.writer(f)
	_, err := w.Manifest(t.Context(), m.Name)
	wantCode(t, "another city's manifest", err, syncproto.CodeBackupKey)
	r, err := NewReader(f, Keys{CA: other.city.Certificate(), City: c.city.ArchiveKey()})
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Drill(t.Context(), drilling(t))
	if err != nil || report.OK() {
		t.Errorf("opened with another key: %+v, %v", report, err)
	}
}

// TestRecipients: who is named in the configuration can open a backup with age alone.
func TestRecipients(t *testing.T) {
	c := newCentre(t)
	f := newFolder(t)
	extra := newCity(t).ArchiveKey()
	w, err := NewWriter(f, c.keys(), c.own, c.city.Sealed(), recipientOf(t, extra))
	if err != nil {
		t.Fatal(err)
	}
	m := c.backup(w)
	r, err := NewReader(f, Keys{CA: c.city.Certificate(), City: extra})
	if err != nil {
		t.Fatal(err)
	}
	rebuild(t, r, m, Rebuilding{})
}

// lying is a target that forgets, or changes, one object that it was given.
type lying struct {
	Target
	about string
	do    func([]byte) []byte
}

// Put implements Target.
func (l *lying) Put(ctx ctxT, name string, data []byte) error {
	if strings.Contains(name, l.about) {
		if data = l.do(bytes.Clone(data)); data == nil {
			return nil
		}
	}
	return l.Target.Put(ctx, name, data)
}

// TestReadBack: a target that does not give back what it was given has no backup, and moves
// no watermark.
func TestReadBack(t *testing.T) {
	c := newCentre(t)
	c.members(300)
	for _, about := range []string{"part-00002", "manifest", livesDir} {
		for why, do := range map[string]func([]byte) []byte{
			"forgets": func([]byte) []byte { return nil },
			"changes": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		} {
			f := newFolder(t)
			w := c.writer(&lying{f, about, do})
			if _, err := w.Backup(t.Context(), c.ledger, Making{Rand: rand.Reader, Now: c.now}); err == nil {
				t.Errorf("a target that %s %s: the backup counts", why, about)
			}
			if _, ok, err := w.Prefix(t.Context(), nil); ok && about != "manifest" || err != nil {
				t.Errorf("a target that %s %s: %v, %v", why, about, ok, err)
			}
		}
	}
}

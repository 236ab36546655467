package agent

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/schedule"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// fixed is an agent whose key and randomness are the same in every run.
func fixed(t testing.TB) *Agent {
	t.Helper()
	a, err := Open(Config{Dir: t.TempDir(), Rand: rand.NewChaCha8([32]byte{5}), Now: func() time.Time { return time.Unix(1780000000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	a.dataKey = &[32]byte{1, 2, 3}
	return a
}

// golden compares with a file of testdata. The files are never edited: a new form gets a
// new version.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v; it would be\n%s", err, got)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestDeviceFormat(t *testing.T) {
	a := fixed(t)
	d, err := a.makeDevice()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(a.c.Dir, deviceFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "device.v1.golden", []byte(hex.EncodeToString(b)+"\n"))
	back, ok, err := a.loadDevice()
	if err != nil || !ok || back.id != d.id || !bytes.Equal(back.key, d.key) {
		t.Errorf("%v, %v, %v", back.id, ok, err)
	}
}

func TestContactFormat(t *testing.T) {
	a := fixed(t)
	if err := os.MkdirAll(a.unionDir("u"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := contact{Name: "某公司工会", Slot: schedule.Slot{Minute: 1380, WindowStart: 1320, WindowEnd: 300},
		Complete: 1780000000, Tried: 1780000060, Failures: 2, Wait: 600, Error: int(syncproto.CodeBusy)}
	if err := a.saveContact("u", c); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(a.unionDir("u"), contactFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "agent.v1.json.golden", b)
	c.Version = contactVersion
	if got := a.loadContact("u"); got != c {
		t.Errorf("%+v", got)
	}
}

func TestCentreFormat(t *testing.T) {
	a := fixed(t)
	c := centre{CA: []byte{1, 2}, Certificate: []byte{3, 4}, Typed: "https://typed:1", Last: "https://b:2",
		Addresses: []string{"https://a:1", "https://b:2"}, Recipient: "age1x"}
	if err := a.saveCentre(c); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(a.c.Dir, centreFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "centre.v1.json.golden", b)
	if got := strings.Join(c.order(), " "); got != "https://b:2 https://a:1 https://b:2 https://typed:1" {
		t.Errorf("addresses are tried as %s", got)
	}
}

// FuzzFiles: whatever a disk gives back for the folder's files, nothing panics, and what is
// not right is an error with a code or, for the note, an empty one.
func FuzzFiles(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "device.v1.golden"))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(seed)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"ca":"MAA=","certificate":"MAA=","addresses":["x"]}`))
	f.Add([]byte(`{"name":1,"slot":{"Minute":-5}}`))
	f.Add([]byte{})
	a := fixed(f)
	if err := os.MkdirAll(a.unionDir("u"), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{deviceFile, centreFile, filepath.Join(unionsDir, "u", contactFile)} {
			if err := os.WriteFile(filepath.Join(a.c.Dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := a.loadDevice(); err != nil && syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Errorf("device: %v", err)
		}
		if _, ok, err := a.loadCentre(); ok != (err == nil) || err != nil && syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Errorf("centre: %v, %v", ok, err)
		}
		a.Next("u")
	})
}

// TestHeardFormat: what is kept of the kinds in force at the centre.
func TestHeardFormat(t *testing.T) {
	a := fixed(t)
	life := lifeOf(&syncpb.GenerationRef{Number: 2, Random: 0x1122334455667788})
	if err := a.kinds.noteHeard(0x01020304, 0xa0b0c0d0, life); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(a.c.Dir, kindsDir, heardFile))
	if err != nil || hex.EncodeToString(b) != "01020304a0b0c0d000021122334455667788" {
		t.Errorf("%x %v", b, err)
	}
	if a.kinds.heard(0x01020304, life) != 0xa0b0c0d0 || a.kinds.heard(5, life) != 5 {
		t.Error("it holds for other kinds than those it was noted with")
	}
	older := filepath.Join(a.c.Dir, kindsDir, heardFile)
	if err := os.WriteFile(older, b[:8], 0o600); err != nil { // as it was before it named a life
		t.Fatal(err)
	}
	if a.kinds.heard(0x01020304, life) != 0x01020304 {
		t.Error("an older form is more than a reason to ask once more")
	}
}

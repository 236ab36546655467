package keystore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateAndOpen(t *testing.T) {
	dir := t.TempDir()
	if Exists(dir) {
		t.Error("an empty folder has a key")
	}
	key, err := Create(dir, rand.Reader)
	must(t, err)
	got, err := Open(dir)
	must(t, err)
	if *got != *key || *key == (Key{}) || !Exists(dir) {
		t.Error("another key was opened")
	}
	if _, err := Create(dir, rand.Reader); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second key: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	must(t, err)
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	other, err := Create(t.TempDir(), rand.Reader)
	must(t, err)
	if *other == *key {
		t.Error("two keys are equal")
	}
}

func TestOpenRefuses(t *testing.T) {
	flip := func(i int) func(b []byte) []byte {
		return func(b []byte) []byte { b[i] ^= 1; return b }
	}
	for name, row := range map[string]struct {
		damage func(b []byte) []byte
		code   syncproto.Code
	}{
		"gone":             {nil, syncproto.CodeKeyMissing},
		"empty":            {func([]byte) []byte { return nil }, syncproto.CodeKeyDamaged},
		"cut":              {func(b []byte) []byte { return b[:len(b)-1] }, syncproto.CodeKeyDamaged},
		"one bit":          {flip(10), syncproto.CodeKeyDamaged},
		"zeroed":           {func(b []byte) []byte { return make([]byte, len(b)) }, syncproto.CodeKeyDamaged},
		"a newer program":  {func(b []byte) []byte { b[0] = 9; return b }, syncproto.CodeNewerFormat},
		"its own checksum": {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, syncproto.CodeKeyDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Create(dir, rand.Reader)
			must(t, err)
			path := filepath.Join(dir, FileName)
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.Remove(path))
			if row.damage != nil {
				must(t, os.WriteFile(path, row.damage(b), 0o600))
			}
			if _, err := Open(dir); syncproto.CodeOf(err) != row.code {
				t.Errorf("%v, want code %d", err, row.code)
			}
		})
	}
}

func TestCity(t *testing.T) {
	dir := t.TempDir()
	key, err := Create(dir, rand.Reader)
	must(t, err)
	escrow, wrong := &Key{7}, &Key{8}
	if _, err := OpenForCity(dir, escrow); syncproto.CodeOf(err) != syncproto.CodeKeyMissing {
		t.Errorf("before sealing: %v", err)
	}
	recipient, err := seal.Recipient(escrow)
	must(t, err)
	must(t, SealForCity(dir, key, recipient))
	if err := SealForCity(dir, key, "nobody"); err == nil {
		t.Error("sealed for nobody")
	}
	// The PC is dead; the disk came to the city and then to another PC.
	must(t, os.Remove(filepath.Join(dir, FileName)))
	got, err := OpenForCity(dir, escrow)
	must(t, err)
	if *got != *key {
		t.Error("another key")
	}
	if _, err := OpenForCity(dir, wrong); syncproto.CodeOf(err) != syncproto.CodeKeyDamaged {
		t.Errorf("another city: %v", err)
	}
	if _, err := Create(dir, rand.Reader); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a new key hid the loss of the old one: %v", err)
	}
	must(t, Rewrap(dir, got))
	if again, err := Open(dir); err != nil || *again != *key {
		t.Errorf("after wrapping anew: %v", err)
	}
}

// dpapiFile stands for a key of a Windows PC: no other system can unwrap it.
type dpapiFile struct{ fileWrapper }

func (dpapiFile) method() byte { return methodDPAPI }

func TestKeyOfAnotherSystem(t *testing.T) {
	dir := t.TempDir()
	must(t, write(dir, &Key{1}, dpapiFile{}))
	if _, err := open(dir, fileWrapper{}); syncproto.CodeOf(err) != syncproto.CodeKeyDamaged {
		t.Errorf("%v", err)
	}
}

// TestGolden: a key file of the first release is read by every later one.
func TestGolden(t *testing.T) {
	dir := t.TempDir()
	must(t, write(dir, &Key{1, 2, 3}, fileWrapper{}))
	got, err := os.ReadFile(filepath.Join(dir, FileName))
	must(t, err)
	want, err := os.ReadFile("testdata/v1.golden")
	must(t, err)
	if hex.EncodeToString(got) != strings.TrimSpace(string(want)) {
		t.Errorf("key file %x", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{version, methodFile, 1, 2, 3})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, err := decode(b, fileWrapper{}); (key == nil) == (err == nil) {
			t.Errorf("%v %v", key, err)
		}
	})
}

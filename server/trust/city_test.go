package trust

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

func TestOpenCity(t *testing.T) {
	city, key := found(t, 1)
	got, err := OpenCity(city.Sealed(), key, &stream{seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Sealed(), city.Sealed()) || got.Fingerprint() != city.Fingerprint() {
		t.Error("another city came out")
	}
	for name, pair := range map[string][2]*[32]byte{
		"person": {city.PersonKey(), got.PersonKey()},
		"data":   {city.DataKey(), got.DataKey()},
		"enrol":  {city.EnrolKey(), got.EnrolKey()},
		"store":  {city.StoreKey("n1"), got.StoreKey("n1")},
	} {
		if *pair[0] != *pair[1] || *pair[0] == [32]byte{} {
			t.Errorf("%s key: %x, %x", name, pair[0], pair[1])
		}
	}
	if _, err := got.SignDevice(devicePub(t, 2), deviceID, day); err != nil {
		t.Errorf("the opened CA cannot sign: %v", err)
	}
}

func TestKeysDiffer(t *testing.T) {
	city, _ := found(t, 1)
	other, _ := found(t, 2)
	seen := map[[32]byte]string{}
	for name, k := range map[string]*[32]byte{
		"person": city.PersonKey(), "data": city.DataKey(), "enrol": city.EnrolKey(),
		"store n1": city.StoreKey("n1"), "store n2": city.StoreKey("n2"), "another city's data": other.DataKey(),
	} {
		if twin, twice := seen[*k]; twice {
			t.Errorf("%s and %s are one key", name, twin)
		}
		seen[*k] = name
	}
}

func TestOpenCityRefuses(t *testing.T) {
	city, key := found(t, 1)
	other, otherKey := found(t, 2)
	wrong := key
	wrong.Secret[0] ^= 1
	sealed := city.Sealed()
	later := bytes.Clone(sealed)
	later[0] = 2
	// The other city's secrets behind this city's CA, sealed with the right key.
	swapped := *other
	swapped.Authority = &Authority{cert: city.cert, key: other.key}
	mixed, err := swapped.seal(key, &stream{seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	head, _, err := splitSealed(sealed)
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.Seal(key.sealing(), &stream{seed: 3}, []byte("short"), head)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why    string
		sealed []byte
		key    ClusterKey
		want   syncproto.Code
	}{
		{"another city's key file", sealed, otherKey, syncproto.CodeClusterKeyCity},
		{"the right city, a wrong secret", sealed, wrong, syncproto.CodeClusterKeyWrong},
		{"nothing", nil, key, syncproto.CodeClusterKeyWrong},
		{"two bytes", sealed[:2], key, syncproto.CodeClusterKeyWrong},
		{"cut inside the certificate", sealed[:40], key, syncproto.CodeClusterKeyWrong},
		{"cut behind the certificate", head, key, syncproto.CodeClusterKeyWrong},
		{"cut at the end", sealed[:len(sealed)-1], key, syncproto.CodeClusterKeyWrong},
		{"a version of a later release", later, key, syncproto.CodeClusterKeyWrong},
		{"a CA key that is not the certificate's", mixed, key, syncproto.CodeClusterKeyWrong},
		{"secrets of another length", append(bytes.Clone(head), box...), key, syncproto.CodeClusterKeyWrong},
	} {
		_, err := OpenCity(row.sealed, row.key, &stream{})
		wantCode(t, row.why, err, row.want)
	}
}

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew; only for a new version of a format")

// describe gives all that is permanent about a city, as lines of text.
func describe(t *testing.T, city *City, key ClusterKey) string {
	t.Helper()
	recipient, err := seal.Recipient(city.EscrowKey())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("person %x\ndata %x\nenrol %x\nstore %x\nescrow %s\njoin %x\n",
		*city.PersonKey(), *city.DataKey(), *city.EnrolKey(), *city.StoreKey("n1"), recipient, key.JoinProof(devicePub(t, 2)))
}

// TestGolden: a key file and a sealed city of an earlier release open and give the same
// keys, and sealing gives the same bytes again. (How crypto/x509 writes a certificate may
// change with a release of Go; hence the city is read, not made.)
func TestGolden(t *testing.T) {
	const keyFile, cityFile, keysFile = "testdata/v1-cluster.key", "testdata/v1-city.golden", "testdata/v1-keys.golden"
	if *rewrite {
		city, key := found(t, 7)
		again, err := city.seal(key, &stream{seed: 8})
		if err != nil {
			t.Fatal(err)
		}
		put(t, keyFile, key.Encode())
		put(t, cityFile, fmt.Appendf(nil, "%x\n", again))
		put(t, keysFile, []byte(describe(t, city, key)))
	}
	text := get(t, keyFile)
	key, err := ParseClusterKey(text, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(key.Encode())); diff != "" {
		t.Errorf("key file changed (-want +got):\n%s", diff)
	}
	sealed, err := hex.DecodeString(strings.TrimSpace(string(get(t, cityFile))))
	if err != nil {
		t.Fatal(err)
	}
	city, err := OpenCity(sealed, key, &stream{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(get(t, keysFile)), describe(t, city, key)); diff != "" {
		t.Errorf("keys changed (-want +got):\n%s", diff)
	}
	if again, err := city.seal(key, &stream{seed: 8}); err != nil || !bytes.Equal(again, sealed) {
		t.Errorf("sealing changed: %x, %v", again, err)
	}
}

// TestSecretsStayOutOfLogs: neither logging nor printing a cluster key shows its secret.
func TestSecretsStayOutOfLogs(t *testing.T) {
	_, key := found(t, 1)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "key", key)
	fmt.Fprintf(&log, "%v %+v %s %#v", key, key, key, key)
	for _, form := range []string{fmt.Sprintf("%x", key.Secret), fmt.Sprint(key.Secret)[1:9]} {
		if strings.Contains(log.String(), form) {
			t.Errorf("the secret is in %s", &log)
		}
	}
}

func FuzzOpenCity(f *testing.F) {
	city, key := found(f, 1)
	sealed := city.Sealed()
	f.Add(sealed)
	f.Add(sealed[:100])
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := OpenCity(b, key, &stream{})
		if (err == nil) != bytes.Equal(b, sealed) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

package trust

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

func initNode(t *testing.T, dir string, seed byte) *Node {
	t.Helper()
	n, err := Init(dir, Founding{City: "城", NodeID: "n1", Hosts: []string{"centre.example"}, Rand: &stream{seed: seed}, Now: day})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInitAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "trust")
	made := initNode(t, dir, 1)
	got, err := Open(dir, &stream{seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID() != "n1" || !got.Own.Key.Equal(made.Own.Key) || got.City.Fingerprint() != made.City.Fingerprint() {
		t.Errorf("another identity came back: %s", got.ID())
	}
	for _, name := range []string{ClusterKeyFile, CityFile, NodeKeyFile, NodeCertFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
	}
}

// TestInitOverwritesNothing: a cluster key that an operator has put there to join with must
// survive an init by mistake.
func TestInitOverwritesNothing(t *testing.T) {
	for _, name := range []string{ClusterKeyFile, CityFile, NodeKeyFile, NodeCertFile} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Init(dir, Founding{City: "x", NodeID: "n1", Rand: &stream{}, Now: day})
		wantCode(t, name, err, syncproto.CodeTrustExists)
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: something was written: %v, %v", name, entries, err)
		}
	}
}

func TestInitRefuses(t *testing.T) {
	if _, err := Init(t.TempDir(), Founding{City: "x", NodeID: "no/id", Rand: &stream{}, Now: day}); err == nil {
		t.Error("a node id with a slash")
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(file, Founding{City: "x", NodeID: "n1", Rand: &stream{}, Now: day}); err == nil {
		t.Error("a file where the folder should be")
	}
	for n := 0; n < 300; n += 20 { // randomness that runs out leaves no half identity
		dir := t.TempDir()
		_, err := Init(dir, Founding{City: "x", NodeID: "n1", Rand: &dry{n: n, src: &stream{}}, Now: day})
		if err != nil && !errors.Is(err, errDry) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if entries, rerr := os.ReadDir(dir); err != nil && (rerr != nil || len(entries) != 0) {
			t.Errorf("%d bytes: left %v, %v", n, entries, rerr)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	other := t.TempDir()
	initNode(t, other, 2)
	foreign := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, name), get(t, filepath.Join(other, name)))
		}
	}
	garbage := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { put(t, filepath.Join(dir, name), []byte("garbage")) }
	}
	gone := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range []struct {
		why  string
		harm func(*testing.T, string)
		want syncproto.Code
		file string
	}{
		{"no cluster key", gone(ClusterKeyFile), syncproto.CodeClusterKeyFile, ""},
		{"another city's cluster key", foreign(ClusterKeyFile), syncproto.CodeClusterKeyCity, ""},
		{"no sealed city", gone(CityFile), syncproto.CodeTrustFile, CityFile},
		{"a sealed city that is none", garbage(CityFile), syncproto.CodeClusterKeyWrong, ""},
		{"no node key: a join that crashed", gone(NodeKeyFile), syncproto.CodeTrustFile, NodeKeyFile},
		{"a node key that is none", garbage(NodeKeyFile), syncproto.CodeTrustFile, NodeKeyFile},
		{"the other node's key", foreign(NodeKeyFile), syncproto.CodeTrustFile, NodeCertFile},
		{"no certificate: a join that crashed", gone(NodeCertFile), syncproto.CodeTrustFile, NodeCertFile},
		{"a certificate that is none", garbage(NodeCertFile), syncproto.CodeTrustFile, NodeCertFile},
		{"another city's certificate", foreign(NodeCertFile), syncproto.CodeTrustFile, NodeCertFile},
	} {
		dir := t.TempDir()
		initNode(t, dir, 1)
		row.harm(t, dir)
		_, err := Open(dir, &stream{})
		wantCode(t, row.why, err, row.want)
		var e *syncproto.Error
		if errors.As(err, &e) && row.file != "" && e.Args["file"] != row.file {
			t.Errorf("%s: blames %s", row.why, e.Args["file"])
		}
	}
}

func get(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestJoin walks a new node in: key file by hand, proof, certificate, identity on disk.
func TestJoin(t *testing.T) {
	first := initNode(t, t.TempDir(), 1)
	dir := t.TempDir()
	put(t, filepath.Join(dir, ClusterKeyFile), first.Key.Encode())
	j, err := BeginJoin(dir, &stream{seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Key.CheckJoin(j.Public(), j.Proof()); err != nil {
		t.Fatal(err)
	}
	cert, err := first.City.SignNode(j.Public(), "n2", nil, day)
	if err != nil {
		t.Fatal(err)
	}
	made, err := j.Finish(first.City.Sealed(), cert.Raw, &stream{seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(dir, &stream{seed: 6})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID() != "n2" || made.ID() != "n2" || *got.City.DataKey() != *first.City.DataKey() {
		t.Errorf("%s, %s", got.ID(), made.ID())
	}
	if got.Own.Key.Equal(first.Own.Key) {
		t.Error("two nodes share a key")
	}
	_, err = BeginJoin(dir, &stream{})
	wantCode(t, "joining twice", err, syncproto.CodeTrustExists)
}

// TestJoinTrustsNobody: an answer that does not fit the cluster key or the node's own key
// leaves nothing on disk.
func TestJoinTrustsNobody(t *testing.T) {
	first, stranger := initNode(t, t.TempDir(), 1), initNode(t, t.TempDir(), 2)
	dir := t.TempDir()
	_, err := BeginJoin(dir, &stream{})
	wantCode(t, "no key file", err, syncproto.CodeClusterKeyFile)
	put(t, filepath.Join(dir, ClusterKeyFile), first.Key.Encode())
	j, err := BeginJoin(dir, &stream{seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	good, err := first.City.SignNode(j.Public(), "n2", nil, day)
	if err != nil {
		t.Fatal(err)
	}
	device, err := first.City.SignDevice(j.Public(), deviceID, day)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why          string
		sealed, cert []byte
		want         syncproto.Code
	}{
		{"another city's secrets", stranger.City.Sealed(), good.Raw, syncproto.CodeClusterKeyCity},
		{"damaged secrets", bytes.Repeat([]byte{1}, 500), good.Raw, syncproto.CodeClusterKeyWrong},
		{"no certificate", first.City.Sealed(), nil, syncproto.CodeCertificate},
		{"another node's certificate", first.City.Sealed(), first.Own.Cert.Raw, syncproto.CodeTrustFile},
		{"a device's certificate", first.City.Sealed(), device.Raw, syncproto.CodeTrustFile},
	} {
		_, err := j.Finish(row.sealed, row.cert, &stream{})
		wantCode(t, row.why, err, row.want)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}

// TestNodeSpeaksTLS: what Init makes is what tlsid takes.
func TestNodeSpeaksTLS(t *testing.T) {
	n := initNode(t, t.TempDir(), 1)
	id, err := n.Own.Identity()
	if err != nil || id.Role != tlsid.RoleNode {
		t.Errorf("%v, %v", id, err)
	}
	c, err := tlsid.ServerTLS(n.Own).GetCertificate(nil)
	if err != nil || len(c.Certificate) != 2 {
		t.Error("the CA is not shown: an enrolling device could not find it")
	}
}

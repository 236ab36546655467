package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// ClusterKey is the secret that every node of a centre has from its operator. It opens the
// city's secrets and proves that a new node may join.
type ClusterKey struct {
	CA     tlsid.Fingerprint // the city that the key belongs to; not secret
	Secret [32]byte
}

// LogValue keeps the secret out of logs.
func (k ClusterKey) LogValue() slog.Value { return slog.StringValue("cluster key of " + k.CA.String()) }

// String keeps the secret out of messages.
func (k ClusterKey) String() string { return "cluster key of " + k.CA.String() }

// GoString keeps the secret out of %#v.
func (k ClusterKey) GoString() string { return k.String() }

const clusterKeyHead = "unionsync-cluster-key 1"

// Encode gives the text of the key file:
//
//	# comments
//	unionsync-cluster-key 1
//	ca <64 hexadecimal digits>
//	secret <64 hexadecimal digits>
//	check <the first 8 digits of SHA-256 over "<ca> <secret>">
func (k ClusterKey) Encode() []byte {
	var b bytes.Buffer
	b.WriteString("# Opens the secrets of this city's centre. Every node needs this file, readable by\n" +
		"# its own user only. Keep one more copy in a safe: without it a backup cannot be opened.\n")
	fmt.Fprintf(&b, "%s\nca %s\nsecret %x\ncheck %s\n", clusterKeyHead, k.CA, k.Secret, k.check())
	return b.Bytes()
}

func (k ClusterKey) check() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %x", k.CA, k.Secret))
	return hex.EncodeToString(sum[:4])
}

// ParseClusterKey reads what [ClusterKey.Encode] gives; name is the file's, for the error
// ([syncproto.CodeClusterKeyForm] with the line).
func ParseClusterKey(text []byte, name string) (ClusterKey, error) {
	var k ClusterKey
	var check string
	steps := []func(string) error{
		func(s string) error {
			if s != clusterKeyHead {
				return errors.New("not a cluster key of a version known here")
			}
			return nil
		},
		func(s string) error { return hexField(s, "ca ", k.CA[:]) },
		func(s string) error { return hexField(s, "secret ", k.Secret[:]) },
		func(s string) error {
			var ok bool
			if check, ok = strings.CutPrefix(s, "check "); !ok || check != k.check() {
				return errors.New("the check does not fit: the file was changed")
			}
			return nil
		},
		func(string) error { return errors.New("more than a cluster key") },
	}
	at, line := 0, 0
	for raw := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		line++
		s := strings.TrimSpace(raw)
		if s == "" || s[0] == '#' {
			continue
		}
		if err := steps[at](s); err != nil {
			return ClusterKey{}, keyForm(name, line, err)
		}
		at++
	}
	if at != len(steps)-1 {
		return ClusterKey{}, keyForm(name, line, errors.New("the file ends early"))
	}
	return k, nil
}

func hexField(s, prefix string, dst []byte) error {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) != 2*len(dst) {
		return fmt.Errorf("want %q and %d hexadecimal digits", prefix, 2*len(dst))
	}
	if _, err := hex.Decode(dst, []byte(digits)); err != nil {
		return errors.New("not hexadecimal digits") // err would show a digit of the secret
	}
	return nil
}

func keyForm(name string, line int, err error) error {
	return syncproto.Fail(syncproto.CodeClusterKeyForm, "read cluster key", err,
		"file", filepath.Base(name), "line", strconv.Itoa(line))
}

// ReadClusterKey reads the key file. On systems with file modes nobody but its owner may be
// able to read it ([syncproto.CodeClusterKeyOpen]).
func ReadClusterKey(path string) (ClusterKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return ClusterKey{}, syncproto.Fail(syncproto.CodeClusterKeyFile, "read cluster key", err, "file", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return ClusterKey{}, syncproto.Fail(syncproto.CodeClusterKeyOpen, "read cluster key",
			fmt.Errorf("mode %v", info.Mode().Perm()), "file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ClusterKey{}, syncproto.Fail(syncproto.CodeClusterKeyFile, "read cluster key", err, "file", path)
	}
	return ParseClusterKey(text, path)
}

func newClusterKey(rand io.Reader, ca tlsid.Fingerprint) (ClusterKey, error) {
	k := ClusterKey{CA: ca}
	if _, err := io.ReadFull(rand, k.Secret[:]); err != nil {
		return ClusterKey{}, fmt.Errorf("draw cluster key: %w", err)
	}
	return k, nil
}

// sealing is the key under which the city's secrets are sealed.
func (k ClusterKey) sealing() *[32]byte { return seal.Derive(k.Secret[:], "unionsync city secrets v1") }

// JoinProof shows that whoever holds the private key of pub knows the cluster key. It is of
// no use to anybody who overhears it: the certificate that it earns is for pub alone.
func (k ClusterKey) JoinProof(pub ed25519.PublicKey) []byte {
	spki := tlsid.SPKIHash(pub)
	mac := hmac.New(sha256.New, k.Secret[:])
	mac.Write([]byte("join v1"))
	mac.Write(spki[:])
	return mac.Sum(nil)
}

// CheckJoin checks a [ClusterKey.JoinProof]; it fails with [syncproto.CodeJoinProof].
func (k ClusterKey) CheckJoin(pub ed25519.PublicKey, proof []byte) error {
	if len(pub) != ed25519.PublicKeySize || !hmac.Equal(proof, k.JoinProof(pub)) {
		return syncproto.Fail(syncproto.CodeJoinProof, "admit node", nil)
	}
	return nil
}

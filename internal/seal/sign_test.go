package seal

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

func signingKey(fill byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(testKey(fill)[:])
}

func TestVerify(t *testing.T) {
	priv := signingKey(1)
	pub := priv.Public().(ed25519.PublicKey)
	sig := Sign(priv, "unionsync segment v1", []byte("msg"))
	for _, row := range []struct {
		why    string
		pub    ed25519.PublicKey
		domain string
		msg    string
		sig    []byte
		want   error
	}{
		{"as signed", pub, "unionsync segment v1", "msg", sig, nil},
		{"another key", signingKey(2).Public().(ed25519.PublicKey), "unionsync segment v1", "msg", sig, ErrSignature},
		{"another domain: a segment is no receipt", pub, "unionsync receipt v1", "msg", sig, ErrSignature},
		{"domain and message do not run into each other", pub, "unionsync segment v1m", "sg", sig, ErrSignature},
		{"another message", pub, "unionsync segment v1", "msh", sig, ErrSignature},
		{"no signature", pub, "unionsync segment v1", "msg", nil, ErrSignature},
		{"a bare Ed25519 signature, without suite byte", pub, "unionsync segment v1", "msg", sig[1:], ErrSuite},
		{"a byte short", pub, "unionsync segment v1", "msg", sig[:64], ErrSignature},
		{"a byte too long", pub, "unionsync segment v1", "msg", append(bytes.Clone(sig), 0), ErrSignature},
		{"a suite of a later release", pub, "unionsync segment v1", "msg", append([]byte{2}, sig[1:]...), ErrSuite},
		{"no key: must not panic", nil, "unionsync segment v1", "msg", sig, ErrSignature},
	} {
		if err := Verify(row.pub, row.domain, []byte(row.msg), row.sig); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.why, err, row.want)
		}
	}
}

// TestSignatureIsDomainSeparated: what is signed is never the bare message, so that a
// signature cannot be taken for one by another protocol that uses the same key (TLS does).
func TestSignatureIsDomainSeparated(t *testing.T) {
	priv := signingKey(1)
	sig := Sign(priv, "d", []byte("msg"))
	if ed25519.Verify(priv.Public().(ed25519.PublicKey), []byte("msg"), sig[1:]) {
		t.Error("the bare message was signed")
	}
}

func TestBadDomainPanics(t *testing.T) {
	for _, domain := range []string{"", strings.Repeat("d", 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a domain of %d bytes was taken", len(domain))
				}
			}()
			Sign(signingKey(1), domain, nil)
		}()
	}
}

func FuzzVerify(f *testing.F) {
	priv := signingKey(1)
	pub := priv.Public().(ed25519.PublicKey)
	sig := Sign(priv, "d", []byte("msg"))
	f.Add(sig)
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := Verify(pub, "d", []byte("msg"), b); (err == nil) != bytes.Equal(b, sig) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

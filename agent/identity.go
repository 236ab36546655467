package agent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"unionsync/internal/atomicfile"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// device is what this PC is: an id and a key that never leaves it.
type device struct {
	id  [16]byte
	key ed25519.PrivateKey
}

// name is the id as certificates have it.
func (d device) name() string { return hex.EncodeToString(d.id[:]) }

func (d device) sign(msg []byte) []byte { return seal.Sign(d.key, syncproto.DomainSegment, msg) }

func (d device) signBundle(msg []byte) []byte { return seal.Sign(d.key, syncproto.DomainBundle, msg) }

// bundleKey opens the answers to this PC's bundles.
func (d device) bundleKey() *[32]byte {
	return seal.Derive(d.key.Seed(), "unionsync device bundle identity v1")
}

// The file of the device: version (1), id (16), sealed seed.
const deviceVersion = 1

var devicePurpose = "unionsync agent device"

// loadDevice reads the PC's identity; ok is false if there is none yet.
func (a *Agent) loadDevice() (d device, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(a.c.Dir, deviceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err != nil {
		return d, false, deviceError(deviceFile, err)
	}
	if len(b) < 1+len(d.id) || b[0] > deviceVersion {
		if len(b) > 0 && b[0] > deviceVersion {
			return d, false, syncproto.Fail(syncproto.CodeNewerFormat, "read device", nil, "file", deviceFile)
		}
		return d, false, deviceError(deviceFile, errors.New("too short"))
	}
	key, err := a.key()
	if err != nil {
		return d, false, err
	}
	copy(d.id[:], b[1:])
	seed, err := seal.Open(seal.Derive(key[:], devicePurpose), b[1+len(d.id):], b[:1+len(d.id)])
	if err != nil || len(seed) != ed25519.SeedSize {
		return d, false, deviceError(deviceFile, err)
	}
	d.key = ed25519.NewKeyFromSeed(seed)
	return d, true, nil
}

// makeDevice draws an identity and keeps it, before anything is sent: should the answer to
// the enrolment be lost, the same key comes again with the same code.
func (a *Agent) makeDevice() (device, error) {
	var d device
	seed := make([]byte, ed25519.SeedSize)
	for _, b := range [][]byte{d.id[:], seed} {
		if _, err := io.ReadFull(a.c.Rand, b); err != nil {
			return d, fmt.Errorf("draw device: %w", err)
		}
	}
	key, err := a.key()
	if err != nil {
		return d, err
	}
	head := append([]byte{deviceVersion}, d.id[:]...)
	box, err := seal.Seal(seal.Derive(key[:], devicePurpose), a.c.Rand, seed, head)
	if err != nil {
		return d, fmt.Errorf("seal device: %w", err)
	}
	if err := a.write(deviceFile, append(head, box...)); err != nil {
		return d, err
	}
	d.key = ed25519.NewKeyFromSeed(seed)
	return d, nil
}

// centre is what this PC knows of its city's centre. It is one file, so that enrolment
// takes effect in one step.
type centre struct {
	Version     int      `json:"version"`
	CA          []byte   `json:"ca"`                // DER
	Certificate []byte   `json:"certificate"`       // of this PC, DER
	Typed       string   `json:"typed"`             // the address that was typed at enrolment
	Addresses   []string `json:"addresses"`         // as the centre gave them
	Last        string   `json:"last"`              // the one that answered last
	Recipient   string   `json:"recipient"`         // for which the data key is wrapped a second time
	Bundles     string   `json:"bundles,omitempty"` // for which bundles are sealed; empty: not known yet

	ca, cert *x509.Certificate
}

// loadCentre reads what is known of the centre; ok is false before the first enrolment.
func (a *Agent) loadCentre() (c centre, ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(a.c.Dir, centreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && c.Version > centreVersion {
		return c, false, syncproto.Fail(syncproto.CodeNewerFormat, "read centre", nil, "file", centreFile)
	}
	if err == nil {
		c.ca, err = tlsid.ParseCA(c.CA)
	}
	if err == nil {
		c.cert, err = x509.ParseCertificate(c.Certificate)
	}
	if err != nil {
		return c, false, deviceError(centreFile, err)
	}
	return c, true, nil
}

const centreVersion = 1

func (a *Agent) saveCentre(c centre) error {
	c.Version = centreVersion
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", centreFile, err)
	}
	return a.write(centreFile, append(b, '\n'))
}

// order gives the addresses to try: the one that answered last, those of the centre, and
// at the end the one that was typed, which may be the only one seen from here.
func (c centre) order() []string {
	var out []string
	for _, s := range append(append([]string{c.Last}, c.Addresses...), c.Typed) {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// own is the PC's identity as TLS shows it.
func (c centre) own(d device) tlsid.Own { return tlsid.Own{Key: d.key, Cert: c.cert, CA: c.ca} }

// accepts says what is wrong with a certificate that is not one of this PC by its city.
func (c centre) accepts(der []byte, d device) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	id, err := tlsid.Verify(cert, c.ca, tlsid.RoleDevice)
	if err != nil {
		return err
	}
	if id.ID != d.name() || !bytes.Equal(id.Key, d.key.Public().(ed25519.PublicKey)) {
		return errors.New("the certificate is another device's")
	}
	return nil
}

// keepsUnions says what is wrong with a certificate, of this PC, that lacks unions of the one
// here: by it a restored centre would take the PC in without them.
func (c centre) keepsUnions(der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	next, err := tlsid.Verify(cert, c.ca, tlsid.RoleDevice)
	if err != nil || c.cert == nil {
		return err
	}
	now, err := tlsid.Parse(c.cert)
	if err != nil {
		return err
	}
	for _, u := range now.Unions {
		if !slices.Contains(next.Unions, u) {
			return fmt.Errorf("the certificate lacks union %s", u)
		}
	}
	return nil
}

// identity reads both; a PC that has not enrolled has none.
func (a *Agent) identity() (device, centre, error) {
	c, ok, err := a.loadCentre()
	if err != nil {
		return device{}, c, err
	}
	if !ok {
		return device{}, c, syncproto.Fail(syncproto.CodeNotEnrolled, "read identity", nil)
	}
	d, ok, err := a.loadDevice()
	if err == nil && !ok {
		err = deviceError(deviceFile, fs.ErrNotExist)
	}
	if err == nil {
		err = c.accepts(c.Certificate, d)
		if err != nil {
			err = deviceError(centreFile, err)
		}
	}
	return d, c, err
}

func deviceError(file string, err error) error {
	return syncproto.Fail(syncproto.CodeDeviceFiles, "read identity", err, "file", file)
}

// write replaces a file of the data folder.
func (a *Agent) write(name string, data []byte) error {
	if err := atomicfile.Write(filepath.Join(a.c.Dir, name), data, 0o600); err != nil {
		return a.writeError(err)
	}
	return nil
}

// writeError tells a full disk from a folder that cannot be written.
func (a *Agent) writeError(err error) error {
	var coded *syncproto.Error
	if errors.As(err, &coded) {
		return err
	}
	if atomicfile.Full(err) {
		return syncproto.Fail(syncproto.CodeDiskFull, "write data folder", err)
	}
	return syncproto.Fail(syncproto.CodeDataDir, "write data folder", err, "dir", a.c.Dir)
}

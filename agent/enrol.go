package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"unionsync/agent/link"
	"unionsync/agent/union"
	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
)

// Enrolled tells what an enrolment came to.
type Enrolled struct {
	Union  string
	Name   string
	Device string
	First  union.Result // the first fetch
	// Fetch is why the first fetch did not come to its end; nil: it did. The enrolment
	// stands all the same.
	Fetch error
}

// Enrol makes this PC a device of the union for which the code was given out, and fetches
// its records. The code is checked before anything is sent, and the centre must be the one
// that made it. A PC may be of several unions of one city; each has its own code. When an
// answer is lost the same code works again from this PC.
func (a *Agent) Enrol(ctx context.Context, server, code string) (Enrolled, error) {
	parsed, err := enrolcode.ParseCode(code)
	if err != nil {
		return Enrolled{}, err
	}
	address, err := link.Address(server)
	if err != nil {
		return Enrolled{}, err
	}
	known, have, err := a.loadCentre()
	if err != nil {
		return Enrolled{}, err
	}
	if have && !parsed.MatchesCA(tlsid.FingerprintOf(known.ca)) {
		return Enrolled{}, syncproto.Fail(syncproto.CodeOtherCity, "enrol", nil)
	}
	d, err := a.ensureDevice()
	if err != nil {
		return Enrolled{}, err
	}
	config := link.Newcomer(parsed.CA[:])
	if have { // a centre that lost the first enrolment learns of it by the certificate
		config = link.Device(known.own(d))
	}
	r, err := a.askEnrol(ctx, d, config, address, parsed)
	if err != nil {
		return Enrolled{}, err
	}
	if err := a.takeEnrolment(d, parsed, address, r); err != nil {
		return Enrolled{}, err
	}
	a.c.Log.Info("enrolled", "union", r.GetUnion(), "device", d.name()[:8])
	out := Enrolled{Union: r.GetUnion(), Name: r.GetUnionName(), Device: d.name()}
	out.First, out.Fetch = a.Sync(ctx, r.GetUnion(), nil)
	return out, nil
}

// ensureDevice makes the data folder, its key and the PC's identity where they are not
// there yet.
func (a *Agent) ensureDevice() (device, error) {
	if err := os.MkdirAll(a.c.Dir, 0o700); err != nil {
		return device{}, a.writeError(err)
	}
	if err := a.makeKey(); err != nil {
		return device{}, err
	}
	d, ok, err := a.loadDevice()
	if err != nil || ok {
		return d, err
	}
	return a.makeDevice()
}

func (a *Agent) askEnrol(ctx context.Context, d device, config *tls.Config, address string, code enrolcode.Code) (*unionrpc.EnrolResponse, error) {
	line, err := a.c.Dial(config, []string{address})
	if err != nil {
		return nil, err
	}
	defer line.Close()
	return line.Enrol(ctx, &unionrpc.EnrolRequest{
		Code: code.String(), Device: d.id[:], PublicKey: d.key.Public().(ed25519.PublicKey),
	})
}

// takeEnrolment checks the centre's answer and keeps it. The order: the certificate with
// the CA, in one file; then the union's journal. A crash in between leaves a PC that asks
// again with the same code.
func (a *Agent) takeEnrolment(d device, code enrolcode.Code, address string, r *unionrpc.EnrolResponse) error {
	ca, err := tlsid.ParseCA(r.GetCa())
	if err != nil {
		return err
	}
	if !code.MatchesCA(tlsid.FingerprintOf(ca)) {
		return syncproto.Fail(syncproto.CodeWrongCentre, "enrol", errors.New("the answer names another CA"))
	}
	if !unionCode.MatchString(r.GetUnion()) {
		return syncproto.Fail(syncproto.CodeAnswer, "enrol", errors.New("the union's code is malformed"))
	}
	c := centre{
		CA: r.GetCa(), Certificate: r.GetCertificate(), Typed: address, Last: address,
		Addresses: r.GetAddresses(), Recipient: r.GetCityRecipient(), Bundles: r.GetRecipient(), ca: ca,
	}
	if err := c.accepts(c.Certificate, d); err != nil {
		return syncproto.Fail(syncproto.CodeAnswer, "enrol", err)
	}
	if err := a.wrapForCity(c.Recipient); err != nil {
		return err
	}
	if err := a.saveCentre(c); err != nil {
		return err
	}
	return a.makeUnion(r)
}

// makeUnion makes the union's folder and journal, if they are not there from an enrolment
// that was cut.
func (a *Agent) makeUnion(r *unionrpc.EnrolResponse) (err error) {
	dir := a.unionDir(r.GetUnion())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a.writeError(err)
	}
	o, err := a.options()
	if err != nil {
		return err
	}
	u, err := union.Open(dir, o)
	if syncproto.CodeOf(err) == syncproto.CodeNoUnion {
		u, err = union.Create(dir, r.GetUnion(), o)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	g := r.GetGeneration()
	if g.GetNumber() == 0 || g.GetNumber() > 0xffff {
		return syncproto.Fail(syncproto.CodeAnswer, "enrol", fmt.Errorf("generation %d", g.GetNumber()))
	}
	note := a.loadContact(r.GetUnion())
	note.Name, note.Slot = r.GetUnionName(), slotOf(r.GetSlot())
	return a.saveContact(r.GetUnion(), note)
}

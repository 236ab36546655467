package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Diagnosis is what [Doctor] found. Its JSON form is stable.
type Diagnosis struct {
	Node    string          `json:"node"`
	OK      bool            `json:"ok"`
	Checks  []health.Result `json:"checks"`
	Members []MemberView    `json:"members"`
}

// MemberView is a member of the centre as this machine sees it.
type MemberView struct {
	ID      string `json:"id"`
	API     string `json:"api"`
	Answers bool   `json:"answers"`
	Role    string `json:"role,omitempty"`
	Version string `json:"version,omitempty"`
	Applied uint64 `json:"applied,omitempty"`
	Clock   int64  `json:"clock_seconds"` // by which its clock is ahead of this machine's
}

// Bounds of looking at members.
const (
	memberPatience = 3 * time.Second
	maxClock       = 5 * time.Second // between two machines that keep time
)

// Doctor looks at a node's folder, at the node if it runs, and at the other members.
func Doctor(ctx context.Context, dir string, env func(string) string, now func() time.Time) *Diagnosis {
	d := &Diagnosis{Checks: []health.Result{}, Members: []MemberView{}}
	defer func() { d.OK = !health.Failed(d.Checks) }()
	c, err := LoadConfig(dir, env, nil)
	d.add("config", err)
	if err != nil {
		return d
	}
	d.Node = c.ID
	d.add("secrets", checkSecrets(dir))
	own, err := trust.Open(dir, rand.Reader)
	d.add("identity", err)
	if err != nil {
		return d
	}
	d.add("certificate", errors.Join(
		health.CheckCertificate(trust.NodeCertFile, own.Own.Cert.NotAfter, now()), health.CheckCertificate("CA", own.Own.CA.NotAfter, now())))
	room, err := health.DiskOf(dir)
	if err == nil {
		err = health.CheckDisk(room)
	}
	d.add("disk", err)
	d.askNodes(ctx, dir, env, own, now)
	return d
}

func (d *Diagnosis) add(name string, err error) {
	r := health.Result{Name: name, For: health.ForOperator}
	r.Note(err)
	d.Checks = append(d.Checks, r)
}

// checkSecrets fails if others on the machine can read what is secret.
func checkSecrets(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // the folder inherits who may read it
	}
	for _, name := range []string{".", trust.ClusterKeyFile, trust.CityFile, trust.NodeKeyFile, configFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // opening the identity tells
		}
		if err != nil {
			return fmt.Errorf("check secrets: %w", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return syncproto.Fail(syncproto.CodeFileOpen, "check secrets", nil, "file", name)
		}
	}
	return nil
}

// askNodes adds what the node says of itself, and how the others answer.
func (d *Diagnosis) askNodes(ctx context.Context, dir string, env func(string) string, own *trust.Node, now func() time.Time) {
	a, err := Dial(dir, env, "")
	if err != nil {
		d.add("node", err)
		return
	}
	defer a.Close()
	st, err := a.Status(ctx)
	if err != nil || st.Node != d.Node {
		d.add("node", syncproto.Fail(syncproto.CodeMemberSilent, "ask node", err, "node", d.Node))
	} else {
		d.add("node", nil)
		d.addNode(st.Checks)
	}
	if st == nil {
		return
	}
	d.Members = askMembers(ctx, own, st.Members, now)
	var silent, clocks error
	for _, m := range d.Members {
		switch {
		case m.ID == d.Node:
		case !m.Answers:
			silent = syncproto.Fail(syncproto.CodeMemberSilent, "ask members", nil, "node", m.ID)
		case time.Duration(max(m.Clock, -m.Clock))*time.Second > maxClock:
			clocks = syncproto.Fail(syncproto.CodeClockDiffers, "ask members", nil, "node", m.ID, "seconds", fmt.Sprint(m.Clock))
		}
	}
	d.add("answers", silent)
	d.add("clocks", clocks)
}

// addNode adds the node's own checks, but those that were made here.
func (d *Diagnosis) addNode(results []health.Result) {
	for _, r := range results {
		if r.Name != "disk" && r.Name != "certificate" {
			d.Checks = append(d.Checks, r)
		}
	}
}

// askMembers asks all members how they are, side by side.
func askMembers(ctx context.Context, own *trust.Node, members []gate.Member, now func() time.Time) []MemberView {
	out := make([]MemberView, len(members))
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(own.Own)})
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, memberPatience)
	defer cancel()
	var group errgroup.Group
	for i, m := range members {
		group.Go(func() error {
			out[i] = MemberView{ID: m.ID, API: m.API}
			one := &Admin{client: client, addresses: []string{m.API}, fixed: true}
			began := now()
			st, err := one.Status(ctx)
			if err != nil {
				return nil //nolint:nilerr // that it does not answer is the answer
			}
			middle := began.Add(now().Sub(began) / 2)
			out[i].Answers, out[i].Role, out[i].Version, out[i].Applied = true, st.Role, st.Version, st.Applied
			out[i].Clock = st.Clock - middle.Unix()
			return nil
		})
	}
	_ = group.Wait() // nobody fails
	return out
}

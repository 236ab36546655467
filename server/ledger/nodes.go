package ledger

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
)

// node notes a node's addresses, certificate and program. Certificates over other keys that
// nodes of its name had stay: what was signed with these keys must be checked for ever. A
// node that is taken in again, after it left, begins with a state of its own.
func (a *applier) node(n *entrypb.Node) error {
	a.raiseTime(n.GetTime())
	was, err := a.readNode(n.GetId())
	if err != nil {
		return err
	}
	is := proto.CloneOf(n)
	is.Left, is.Past, is.Differs = false, nil, 0
	if was != nil {
		is.Past = was.GetPast()
		if !was.GetLeft() {
			is.Differs = was.GetDiffers()
		}
		if c := was.GetCertificate(); len(c) > 0 && !bytes.Equal(c, is.GetCertificate()) {
			is.Past = append(is.Past, c)
		}
	}
	return a.setMessage(keyNamed(prefixNode, []byte(n.GetId())), is)
}

// left takes a node out of the list. Its name may be used again.
func (a *applier) left(m *entrypb.NodeLeft) (any, error) {
	a.raiseTime(m.GetTime())
	n, err := a.readNode(m.GetId())
	if err != nil {
		return nil, err
	}
	if n == nil || n.GetLeft() {
		return nil, nil // it was told before
	}
	n.Left, n.RaftAddress, n.ApiAddress, n.Differs = true, "", "", 0
	return nil, a.setMessage(keyNamed(prefixNode, []byte(m.GetId())), n)
}

func (a *applier) readNode(id string) (*entrypb.Node, error) {
	n := new(entrypb.Node)
	ok, err := getMessage(a.txn, keyNamed(prefixNode, []byte(id)), n)
	if err != nil || !ok {
		return nil, err
	}
	return n, nil
}

// Node gives what is known of a node that belongs to the centre, nil if none of this name
// does.
func (l *Ledger) Node(id string) (*entrypb.Node, error) {
	n, err := lookup(l, keyNamed(prefixNode, []byte(id)), new(entrypb.Node))
	if err != nil || n.GetLeft() {
		return nil, err
	}
	return n, nil
}

// Nodes gives all nodes that belong to the centre, in the order of their names.
func (l *Ledger) Nodes() ([]*entrypb.Node, error) {
	r := l.read()
	defer r.done()
	var out []*entrypb.Node
	err := eachMessage(r.txn, []byte{prefixNode}, func(_, v []byte) error {
		n := new(entrypb.Node)
		if err := proto.Unmarshal(v, n); err != nil {
			return err
		}
		if !n.GetLeft() {
			out = append(out, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	return out, nil
}

// NodeCertificates gives the certificates (DER) of all nodes that have had a name, also of
// those that left: whoever checks what one of them signed needs its own. None: no node ever
// had it.
func (l *Ledger) NodeCertificates(id string) ([][]byte, error) {
	n, err := lookup(l, keyNamed(prefixNode, []byte(id)), new(entrypb.Node))
	if err != nil || n == nil {
		return nil, err
	}
	if len(n.GetCertificate()) == 0 {
		return n.GetPast(), nil
	}
	return append([][]byte{n.GetCertificate()}, n.GetPast()...), nil
}

// LogID names the raft log that the state is of: drawn when the centre was founded and at
// each forced recovery. None before genesis.
func (l *Ledger) LogID() []byte {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return bytes.Clone(l.meta.GetLogId())
}

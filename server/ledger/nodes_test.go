package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
)

// TestNodes: a node that left is on no list and its name is free; certificates of all that
// have had the name stay, since what they signed stays.
func TestNodes(t *testing.T) {
	n := begun(t, Config{Memory: true})
	for _, row := range []struct {
		why   string
		entry *entrypb.Node // nil: it leaves
		in    bool
		certs [][]byte
	}{
		{"new", &entrypb.Node{Id: "n1", ApiAddress: "a", Certificate: []byte("one")}, true, [][]byte{[]byte("one")}},
		{"another address", &entrypb.Node{Id: "n1", ApiAddress: "b", Certificate: []byte("one")}, true, [][]byte{[]byte("one")}},
		{"gone", nil, false, [][]byte{[]byte("one")}},
		{"gone twice", nil, false, [][]byte{[]byte("one")}},
		{"another machine of the name", &entrypb.Node{Id: "n1", ApiAddress: "c", Certificate: []byte("two")}, true, [][]byte{[]byte("two"), []byte("one")}},
		{"it cannot say itself that it left", &entrypb.Node{Id: "n1", Certificate: []byte("two"), Left: true, Differs: 7, Past: [][]byte{{1}}}, true,
			[][]byte{[]byte("two"), []byte("one")}},
	} {
		if row.entry != nil {
			n.apply(row.entry)
		} else {
			n.apply(&entrypb.NodeLeft{Id: "n1"})
		}
		is, err := n.l.Node("n1")
		if err != nil || (is != nil) != row.in || is.GetDiffers() != 0 || is.GetApiAddress() != row.entry.GetApiAddress() {
			t.Errorf("%s: %v %v", row.why, is, err)
		}
		all, err := n.l.Nodes()
		if err != nil || len(all) == 1 != row.in {
			t.Errorf("%s: %d nodes, %v", row.why, len(all), err)
		}
		certs, err := n.l.NodeCertificates("n1")
		if diff := cmp.Diff(row.certs, certs); diff != "" || err != nil {
			t.Errorf("%s: %v %s", row.why, err, diff)
		}
	}
	if certs, err := n.l.NodeCertificates("n2"); certs != nil || err != nil {
		t.Errorf("of no node: %v %v", certs, err)
	}
}

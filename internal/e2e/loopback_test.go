package e2e

import (
	"net"
	"testing"
)

// loopback gives an address that nobody listens on.
func loopback(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was sent over it
	return l.Addr().String()
}

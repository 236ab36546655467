package proc

import (
	"errors"
	"fmt"
	"net"
)

// FreePorts gives n loopback addresses on which nothing listens now. Another process may
// take one before it is used: then the program that wants it says so.
func FreePorts(n int) (addresses []string, err error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		open = append(open, l)
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

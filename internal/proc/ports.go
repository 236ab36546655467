package proc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// Ports are taken from a range out of which no system that we build for gives ports to
// connections, so that none is gone when its program wants it.
const (
	firstPort = 10_000
	ports     = 22_000
)

var (
	handedOut   = map[int]bool{}
	handedOutMu sync.Mutex
)

// FreePorts gives n loopback addresses on which nothing listens now and which this process has
// not given before. Another process may take one before it is used: then the program that
// wants it says so.
func FreePorts(n int) (addresses []string, err error) {
	handedOutMu.Lock()
	defer handedOutMu.Unlock()
	for tries := 0; len(addresses) < n; tries++ {
		port := firstPort + rand.IntN(ports)
		if handedOut[port] && tries < ports {
			continue
		}
		address, free, err := tryPort(port)
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		if free {
			handedOut[port] = true
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

func tryPort(port int) (address string, free bool, err error) {
	address = fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return address, true, l.Close()
}

package netspace

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// PacketBytes is the largest packet of an interface made here, with room.
const PacketBytes = 2 << 10

// OpenTun makes a network interface of the kernel's whose packets we carry, in the calling
// thread's namespace, with an address in a network of 256.
func OpenTun(name string, address [4]byte) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	q, err := unix.NewIfreq(name)
	if err == nil {
		q.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, q)
	}
	if err == nil {
		err = SetUp(name, address)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make interface %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// SetUp gives an interface of the calling thread's namespace an address and brings it up.
func SetUp(name string, address [4]byte) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	set := func(what uint, value func(*unix.Ifreq) error) error {
		q, err := unix.NewIfreq(name)
		if err == nil {
			err = value(q)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, what, q)
		}
		return err
	}
	err = set(unix.SIOCSIFADDR, func(q *unix.Ifreq) error { return q.SetInet4Addr(address[:]) })
	if err == nil {
		err = set(unix.SIOCSIFNETMASK, func(q *unix.Ifreq) error { return q.SetInet4Addr([]byte{255, 255, 255, 0}) })
	}
	if err == nil {
		err = set(unix.SIOCSIFFLAGS, func(q *unix.Ifreq) error { q.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil })
	}
	return errors.Join(err, unix.Close(s))
}

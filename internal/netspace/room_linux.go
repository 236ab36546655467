package netspace

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Room is a further network namespace, joined to the program by one interface.
type Room struct {
	jobs chan func()
}

// NewRoom makes a room with an interface of a name and an address, and gives the end of the
// interface: the packets that leave the room are read there, those written there enter it.
// The room lives in g until [Room.Close].
func NewRoom(g *errgroup.Group, name string, address [4]byte) (*Room, *os.File, error) {
	r := &Room{jobs: make(chan func())}
	made := make(chan error, 1)
	var end *os.File
	g.Go(func() error {
		runtime.LockOSThread() // never unlocked: the thread, and the namespace with it, end here
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = SetUp("lo", [4]byte{127, 0, 0, 1})
		}
		if err == nil {
			end, err = OpenTun(name, address)
		}
		made <- err
		for job := range r.jobs {
			job()
		}
		return nil
	})
	if err := <-made; err != nil {
		close(r.jobs)
		return nil, nil, errors.Join(fmt.Errorf("make a room: %w", err))
	}
	return r, end, nil
}

// Do runs a job in the room, one at a time; processes that it starts live there.
func (r *Room) Do(job func() error) error {
	done := make(chan error, 1)
	r.jobs <- func() { done <- job() }
	return <-done
}

// Close ends the room.
func (r *Room) Close() { close(r.jobs) }

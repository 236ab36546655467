package main

import (
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/netspace"
)

// insideName is set in the environment of the process that has the namespace for itself.
const insideName = "UNIONSYNC_NETLAB_INSIDE"

// room is a second namespace: a PC's, which reaches the centre over a wire only.
type room struct {
	*netspace.Room
	wire  *wire
	outer string // our address, as the PC sees it
}

// newRoom makes the number-th room, with a wire from it to the namespace of the process.
func newRoom(g *errgroup.Group, number byte) (*room, error) {
	r := &room{wire: &wire{}, outer: fmt.Sprintf("10.77.%d.1", number)}
	var err error
	name := fmt.Sprintf("wire%d", number)
	if r.wire.ends[0], err = netspace.OpenTun(name, [4]byte{10, 77, number, 1}); err != nil {
		return nil, err
	}
	if r.Room, r.wire.ends[1], err = netspace.NewRoom(g, name, [4]byte{10, 77, number, 2}); err != nil {
		return nil, errors.Join(err, r.wire.ends[0].Close())
	}
	return r, nil
}

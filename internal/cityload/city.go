package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"unionsync/server/trust"
	"unionsync/syncproto"
)

// city is what is sent: devices, and the file of their packed requests.
type city struct {
	sizes   []int
	records int
	devices []*device
	history []byte
	life    syncproto.Generation

	mu    sync.Mutex // guards the rest while the file is written
	file  *os.File
	end   int64
	parts []part // by union
}

// part is where a union's request stands in the file, behind its length in four bytes.
type part struct {
	at      int64
	size    int
	records int
}

const (
	unionsOfDevice = 64 // the most that one may have
	leastDevices   = 32 // as many requests are under way at once
)

// newCity certifies the devices. The node's folder holds the city's keys.
func newCity(unions int, nodeDir, file string) (*city, error) {
	node, err := trust.Open(nodeDir, rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &city{sizes: rosterSizes(unions), parts: make([]part, unions), life: syncproto.Generation{Number: 1}}
	ca := node.City.Fingerprint()
	c.history = ca[:syncproto.HistorySize]
	for _, n := range c.sizes {
		c.records += n * recordsOf
	}
	each := max(1, min(unionsOfDevice, unions/leastDevices))
	for from := 0; from < unions; from += each {
		var of []int
		for u := from; u < min(from+each, unions); u++ {
			of = append(of, u)
		}
		d, err := newDevice(node, of)
		if err != nil {
			return nil, err
		}
		c.devices = append(c.devices, d)
	}
	if c.file, err = os.Create(file); err != nil {
		return nil, fmt.Errorf("make file of requests: %w", err)
	}
	return c, nil
}

func (c *city) close() error { return c.file.Close() }

// greet makes every device known to the centre, by an exchange without changes, and learns which
// life the centre is in.
func (c *city) greet(ctx context.Context, url string) error {
	enc, err := newPacker()
	if err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	for i, d := range c.devices {
		q, err := newAgent(c, unionCode(d.unions[0]), d.own.Key, journalOf(d.unions[0]), nil).request()
		if err != nil {
			return err
		}
		body, err := packed(q, enc)
		if err != nil {
			return err
		}
		r, _, err := d.insist(ctx, url, body)
		if err != nil {
			return fmt.Errorf("greet: %w", err)
		}
		if i == 0 {
			c.life.Number, c.life.Random = uint16(r.GetGeneration().GetNumber()), r.GetGeneration().GetRandom()
		}
	}
	return nil
}

// journalOf names a union's journal.
func journalOf(union int) syncproto.JournalID { return syncproto.JournalID(union+1)<<20 | 0x5eed }

// write invents all unions and writes their requests into the file.
func (c *city) write(ctx context.Context, workers int) error {
	var g errgroup.Group
	next := make(chan *device)
	for range workers {
		g.Go(func() error {
			var failed error
			for d := range next { // to the end: the sender must not wait
				if failed == nil {
					failed = c.writeDevice(d)
				}
			}
			return failed
		})
	}
	for _, d := range c.devices {
		if ctx.Err() != nil {
			break
		}
		next <- d
	}
	close(next)
	return errors.Join(g.Wait(), ctx.Err())
}

func (c *city) writeDevice(d *device) error {
	enc, err := newPacker()
	if err != nil {
		return fmt.Errorf("write requests: %w", err)
	}
	for _, u := range d.unions {
		changes, err := changesOf(u, c.sizes[u])
		if err != nil {
			return err
		}
		q, err := newAgent(c, unionCode(u), d.own.Key, journalOf(u), changes).request()
		if err != nil {
			return err
		}
		body, err := packed(q, enc)
		if err != nil {
			return err
		}
		if err := c.put(u, body, len(changes)); err != nil {
			return err
		}
	}
	return nil
}

func (c *city) put(union int, body []byte, records int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	if _, err := c.file.Write(sized); err != nil {
		return fmt.Errorf("write requests: %w", err)
	}
	c.parts[union] = part{at: c.end + 4, size: len(body), records: records}
	c.end += int64(len(sized))
	return nil
}

// body reads a union's request.
func (c *city) body(union int) ([]byte, error) {
	p := c.parts[union]
	b := make([]byte, p.size)
	if _, err := io.ReadFull(io.NewSectionReader(c.file, p.at, int64(p.size)), b); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	return b, nil
}

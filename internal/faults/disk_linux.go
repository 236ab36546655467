package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a file with ext4 in it, mounted for one node.
type disk struct {
	image, dir string
	root       *os.File // the mounted folder, while something is done to the file system
}

// diskBytes is how large a node's disk is. The file is sparse.
const diskBytes = 2 << 30

// Requests to ext4, from the kernel's headers.
const (
	ioctlFreeze   = 0xC0045877 // FIFREEZE
	ioctlThaw     = 0xC0045878 // FITHAW
	ioctlShutdown = 0x8004587D // EXT4_IOC_SHUTDOWN
	withoutFlush  = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
)

func newDisk(image, dir string) (*disk, error) {
	d := &disk{image: image, dir: dir}
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(diskBytes), f.Close())
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	if err := command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1", image); err != nil {
		return nil, err
	}
	return d, d.mount()
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func (d *disk) mount() error   { return command("mount", "-o", "loop", d.image, d.dir) }
func (d *disk) unmount() error { return command("umount", d.dir) }

// on asks the file system for something.
func (d *disk) on(request uint, argument int) error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only asked
	return unix.IoctlSetPointerInt(int(f.Fd()), request, argument)
}

// freeze lets everything that writes wait until thaw.
func (d *disk) freeze() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ioctlFreeze, 0); err != nil {
		return errors.Join(fmt.Errorf("freeze: %w", err), f.Close())
	}
	d.root = f
	return nil
}

func (d *disk) thaw() error {
	if d.root == nil {
		return nil
	}
	f := d.root
	d.root = nil
	return errors.Join(unix.IoctlSetPointerInt(int(f.Fd()), ioctlThaw, 0), f.Close())
}

// cutPower drops all that was not fsynced. Nothing may have the disk open; it is mounted
// again, as after the power came back.
func (d *disk) cutPower() error {
	if err := d.on(ioctlShutdown, withoutFlush); err != nil {
		return fmt.Errorf("shut the file system down: %w", err)
	}
	var err error
	for range 50 { // the killed process's last files are let go
		if err = d.unmount(); err == nil {
			return d.mount()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// fill takes all room that is free, but some bytes.
func (d *disk) fill(left int64) error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for at, step := info.Size(), int64(256<<20); step >= 4<<10; {
		var st unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
			return errors.Join(err, f.Close())
		}
		if int64(st.Bavail)*st.Bsize-step < left || unix.Fallocate(int(f.Fd()), 0, at, step) != nil {
			step /= 2
			continue
		}
		at += step
	}
	return f.Close()
}

// free gives it back.
func (d *disk) free() error {
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "citynight:", err)
		os.Exit(1)
	}
}

// cityUnions are those of the real city.
const cityUnions = 12_040

// options say what is measured and where.
type options struct {
	unions  int
	dir     string // for the temporary folder; "": the system's
	profile string // a folder for profiles of the leader; "": none
	server  string // a union-server that is built already; "": it is built
	only    string // "night": no stampede
}

// run is the program without the process around it.
func run(ctx context.Context, env func(string) string, stdout, stderr io.Writer) (err error) {
	o := options{dir: env("DIR"), profile: env("PROFILE"), server: env("SERVER"), only: env("ONLY"), unions: cityUnions}
	if v := env("UNIONS"); v != "" {
		if o.unions, err = strconv.Atoi(v); err != nil || o.unions < 1 || o.unions > cityUnions {
			return fmt.Errorf("UNIONS is %q, want 1 to %d", v, cityUnions)
		}
	}
	l, err := newLab(o, stdout, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	return l.measure(ctx)
}

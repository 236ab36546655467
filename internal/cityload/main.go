package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cityload:", err)
		os.Exit(1)
	}
}

// plainWord begins the arguments of a process of city_plain.
const plainWord = "plain"

// run is the program without the process around it.
func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == plainWord {
		return runPlain(ctx, args[1:], stdout)
	}
	f := flag.NewFlagSet("cityload", flag.ContinueOnError)
	f.SetOutput(stderr)
	o := options{dir: env("DIR"), profile: env("PROFILE"), server: env("SERVER"), unions: cityUnions}
	only := f.String("only", "", "only these `figures`, separated by commas; each but city_plain and city_rss needs those before it")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if v := env("UNIONS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > cityUnions {
			return fmt.Errorf("UNIONS is %q, want 1 to %d", v, cityUnions)
		}
		o.unions = n
	}
	return load(ctx, o, stdout, stderr)
}

// options say what is measured and where.
type options struct {
	unions  int
	dir     string   // for the temporary folder; "": the system's
	profile string   // a folder for profiles of the leader; "": none
	server  string   // a union-server that is built already; "": it is built
	only    []string // figures; empty: all. city_disk comes with city_snapshot
}

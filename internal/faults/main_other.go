//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "faults: it needs the namespaces of Linux")
	os.Exit(1)
}

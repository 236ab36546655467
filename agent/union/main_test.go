package union_test

import (
	"flag"
	"os"
	"testing"

	"unionsync/agent/store"
)

// TestMain keeps the random lives few: each opens many stores. -rapid.checks gives more.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == store.SalvageArg { // the child of a test
		if err := store.SalvageChild(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

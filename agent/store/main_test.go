package store

import (
	"flag"
	"os"
	"testing"
)

// TestMain keeps the random lives few: each opens many stores. -rapid.checks gives more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

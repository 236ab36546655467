package kind_test

import (
	"testing"

	"unionsync/syncproto/kind"
)

func TestEmbedded(t *testing.T) {
	s := kind.Embedded()
	files := map[string][]byte{}
	for _, f := range s.Files() {
		files[f.Name] = f.Data
	}
	if _, err := kind.LoadFiles(files); err != nil {
		t.Fatal(err)
	}
}

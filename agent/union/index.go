package union

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"unionsync/agent/store"
	"unionsync/syncproto/kind"
)

// factIndex is the hash of what the store finds records by; see [indexOf].
var factIndex = []byte("index")

// indexOf tells apart which fields the store's index is made of: the key fields and the
// references of each kind. Other differences between versions of a kind leave it as it is.
func indexOf(kinds *kind.Set) []byte {
	h := sha256.New()
	put := func(n int) { _ = binary.Write(h, binary.BigEndian, uint32(n)) } // a hash takes everything
	for _, k := range kinds.All() {
		put(int(k.Number))
		put(len(k.Key))
		for _, name := range k.Key {
			f, _ := k.Field(name)
			put(int(f.Number))
		}
		for _, f := range k.Fields {
			if f.Type == kind.TypeReference {
				put(int(f.Number))
			}
		}
	}
	return h.Sum(nil)[:8]
}

// checkIndex makes the store be made again when it finds records by other fields than the
// kinds in use say: records that came before their kind was known would not be found. Who
// calls has the union alone.
func (u *Union) checkIndex() error {
	was, err := u.j.Get(factBucket, factIndex)
	if err != nil || was == nil || bytes.Equal(was, indexOf(u.o.Kinds)) {
		return err
	}
	err = os.Remove(filepath.Join(u.dir, store.CleanName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the index again: %w", err)
	}
	return nil
}

// noteIndex keeps what the open store finds records by.
func (u *Union) noteIndex() error {
	now := indexOf(u.o.Kinds)
	was, err := u.j.Get(factBucket, factIndex)
	if err != nil || bytes.Equal(was, now) {
		return err
	}
	return u.PutFacts(Fact{Bucket: factBucket, Key: factIndex, Value: now})
}

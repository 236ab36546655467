package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// Salvaged is what a folder that was set aside tells: the own changes that lay over its
// records, as far as it can be read.
type Salvaged struct {
	Journal syncproto.JournalID
	Settled syncproto.Place // the newest own change that was in its records
	Pending []Own           // by record and number; without verdicts
}

// SalvageArg is the only argument of the program when it is started to read a folder that
// was set aside, see [Salvage].
const SalvageArg = "read-store-set-aside"

// job is what the child reads from its input.
type job struct {
	Dir string
	Key [seal.KeySize]byte
}

// readingName is the copy that is opened: what was set aside stays as it is.
const readingName = "store.reading"

// Salvage reads the newest folder that was set aside in dir. It does so in a child process,
// this program with [SalvageArg]: opening a damaged folder can end the process from a
// goroutine of Badger's own, which nobody can recover. Nothing set aside gives nothing.
func Salvage(ctx context.Context, dir string, key *[seal.KeySize]byte) (out Salvaged, err error) {
	s := &Store{dir: dir}
	numbers, err := s.asides()
	if err != nil || len(numbers) == 0 {
		return out, err
	}
	reading := s.path(readingName)
	if err := os.RemoveAll(reading); err != nil {
		return out, fmt.Errorf("read store set aside: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(reading)) }()
	if err := os.CopyFS(reading, os.DirFS(s.asidePath(numbers[len(numbers)-1]))); err != nil {
		return out, fmt.Errorf("read store set aside: %w", err)
	}
	in, err := json.Marshal(job{Dir: reading, Key: *key})
	if err != nil {
		return out, fmt.Errorf("read store set aside: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return out, fmt.Errorf("read store set aside: %w", err)
	}
	child := exec.CommandContext(ctx, program, SalvageArg)
	child.Stdin = bytes.NewReader(in) // the key is never seen in a list of processes
	b, err := child.Output()
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return Salvaged{}, fmt.Errorf("read store set aside: %w", err)
	}
	return out, nil
}

// SalvageChild is what the child does.
func SalvageChild(in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("read store set aside: %w", err)
	}
	if filepath.Base(j.Dir) != readingName {
		return errors.New("read store set aside: not a copy")
	}
	got, err := readAside(j.Dir, &j.Key)
	if err != nil {
		return fmt.Errorf("read store set aside: %w", err)
	}
	return json.NewEncoder(out).Encode(got)
}

// readAside opens a folder and reads what it holds. It may end the process.
func readAside(dir string, key *[seal.KeySize]byte) (out Salvaged, err error) {
	k := seal.Derive(key[:], "unionsync store badger")
	db, err := badger.Open(badgerOptions(dir, k[:], slog.New(slog.DiscardHandler)))
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	txn := db.NewTransaction(false)
	defer txn.Discard()
	r := &readTxn{txn}
	b, err := r.get(stateKey)
	if err != nil {
		return out, err
	}
	st, err := decodeState(b)
	if err != nil {
		return out, err
	}
	out.Journal, out.Settled = st.Journal, st.Settled
	err = r.scan([]byte{keyPending}, []byte{keyPending}, true, func(k []byte, item *badger.Item) (bool, error) {
		v, err := item.ValueCopy(nil)
		if err != nil {
			return true, nil //nolint:nilerr // damaged: the others count
		}
		if o, err := decodePending(st.Journal, k, v); err == nil {
			o.Verdict = syncproto.Verdict{}
			out.Pending = append(out.Pending, o)
		}
		return true, nil
	})
	return out, err
}

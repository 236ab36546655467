package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"unionsync/internal/atomicfile"
)

// logIDFile names the raft log that a node belongs to. Nodes of another log are not spoken
// to: a forced recovery, and a restore, begin another one.
const logIDFile = "raft.id"

const logIDSize = 16

func newLogID(rand io.Reader) ([]byte, error) {
	id := make([]byte, logIDSize)
	if _, err := io.ReadFull(rand, id); err != nil {
		return nil, fmt.Errorf("draw log id: %w", err)
	}
	return id, nil
}

func saveLogID(dir string, id []byte) error {
	return atomicfile.Write(filepath.Join(dir, logIDFile), []byte(hex.EncodeToString(id)+"\n"), 0o600)
}

// loadLogID gives nil when there is no such file.
func loadLogID(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, logIDFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log id: %w", err)
	}
	id, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(id) != logIDSize {
		return nil, badConfig(logIDFile, errors.New("it holds no log id"))
	}
	return id, nil
}

// openLogID finds the log that this node belongs to: that of its file or, where a state was
// put back without one, that of its state.
func (n *Node) openLogID() error {
	var err error
	if n.logID, err = loadLogID(n.opt.Dir); err != nil || n.logID != nil {
		return err
	}
	if n.logID = n.ledger.LogID(); len(n.logID) != logIDSize {
		if n.logID, err = newLogID(n.opt.World.Rand); err != nil {
			return err
		}
	}
	return saveLogID(n.opt.Dir, n.logID)
}

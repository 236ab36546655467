package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"unionsync/agent/keystore"
	"unionsync/internal/seal"
)

// key is the data key of this folder.
func (a *Agent) key() (*[seal.KeySize]byte, error) {
	if a.dataKey != nil {
		return a.dataKey, nil
	}
	key, err := keystore.Open(a.c.Dir)
	if err != nil {
		return nil, err
	}
	a.dataKey = key
	return key, nil
}

// makeKey makes the data key of a new folder. Where something is sealed with one already, a
// key that is missing is a loss and never replaced.
func (a *Agent) makeKey() error {
	if keystore.Exists(a.c.Dir) || a.sealedAlready() {
		_, err := a.key()
		return err
	}
	key, err := keystore.Create(a.c.Dir, a.c.Rand)
	if err != nil {
		return a.writeError(err)
	}
	a.dataKey = key
	return nil
}

func (a *Agent) sealedAlready() bool {
	for _, name := range []string{deviceFile, unionsDir} {
		if _, err := os.Lstat(filepath.Join(a.c.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// wrapForCity seals the data key for the city too, so that staff can open the disk of a
// dead PC. A centre that names no recipient has none.
func (a *Agent) wrapForCity(recipient string) error {
	if recipient == "" {
		return nil
	}
	key, err := a.key()
	if err != nil {
		return err
	}
	if err := keystore.SealForCity(a.c.Dir, key, recipient); err != nil {
		return a.writeError(err)
	}
	return nil
}

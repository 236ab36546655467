package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"unionsync/agent/journal"
	"unionsync/agent/keystore"
	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
)

// secondFile names the second place of all unions of this folder.
const secondFile = "second.json"

type secondNote struct {
	Version int    `json:"version"`
	Dir     string `json:"dir"`
}

const secondVersion = 1

// Second is the folder that receives each entry of the journals too, empty if there is none.
// A file that cannot be read is like none: nothing waits for the second place.
func (a *Agent) Second() string {
	b, err := os.ReadFile(filepath.Join(a.c.Dir, secondFile))
	var n secondNote
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil || n.Version > secondVersion {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.c.Log.Warn("the note of the second place cannot be read", "error", err)
		}
		return ""
	}
	return n.Dir
}

// SetSecond makes a folder that exists the second place, or none with an empty name. What
// the journals hold so far is copied at the next opening of each.
func (a *Agent) SetSecond(dir string) error {
	name := filepath.Join(a.c.Dir, secondFile)
	if dir == "" {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return a.writeError(err)
		}
		return nil
	}
	full, err := filepath.Abs(dir)
	if err == nil {
		err = a.usable(full)
	}
	if err != nil {
		return syncproto.Fail(syncproto.CodeSecondDir, "set second place", err, "dir", dir)
	}
	b, err := json.Marshal(secondNote{Version: secondVersion, Dir: full})
	if err != nil {
		return fmt.Errorf("set second place: %w", err)
	}
	if err := atomicfile.Write(name, append(b, '\n'), 0o600); err != nil {
		return a.writeError(err)
	}
	return nil
}

// usable tries to write into a folder, which must not be on the data folder's own ground. It
// puts a copy of the data key there that only the city can open: with the PC's disk gone,
// nobody else could read what is there.
func (a *Agent) usable(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(a.c.Dir, dir); !info.IsDir() || err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return errors.New("no folder, or inside the data folder")
	}
	probe := filepath.Join(dir, "unionsync.try")
	if err := errors.Join(os.WriteFile(probe, []byte("unionsync"), 0o600), os.Remove(probe)); err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(a.c.Dir, keystore.CityFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d, ok, err := a.loadDevice()
	if err != nil || !ok {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, d.name()+"-"+keystore.CityFileName), key, 0o600)
}

// RestoreSecond gets a union's journal back from the second place, or from a folder that is
// named. Entries that the journal lacks come back by opening it; a journal that is missing,
// or that cannot be opened and then is set aside, is made again. It gives how many entries
// came back.
func (a *Agent) RestoreSecond(code, from string) (n uint64, err error) {
	if from == "" {
		from = a.Second()
	}
	if from == "" {
		return 0, syncproto.Fail(syncproto.CodeSecondDir, "restore from second place", errors.New("none is set"), "dir", "-")
	}
	if code, err = a.Which(code); err != nil {
		return 0, err
	}
	o, err := a.options()
	if err != nil {
		return 0, err
	}
	o.Second = from
	dir := a.unionDir(code)
	u, err := union.Open(dir, o)
	switch syncproto.CodeOf(err) {
	case syncproto.CodeJournalDamaged:
		if err := setAside(filepath.Join(dir, journal.FileName)); err != nil {
			return 0, a.writeError(err)
		}
	case syncproto.CodeJournalMissing, syncproto.CodeNoUnion:
	default:
		if err != nil {
			return 0, err
		}
		place, err := u.SecondPlace()
		return place.Back, errors.Join(err, u.Close())
	}
	back, err := union.RestoreJournal(dir, code, from, o)
	return uint64(back), err
}

// setAside gives a file a name that nobody else has: it may hold what nothing else does.
func setAside(name string) error {
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s.damaged-%d", name, n)
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(name, to)
		}
	}
}

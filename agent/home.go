package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"unionsync/agent/store"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Names inside the data folder.
const (
	deviceFile  = "device.key"  // this PC's id and private key, sealed with the data key
	centreFile  = "centre.json" // the city's CA, this PC's certificate, addresses
	unionsDir   = "unions"      // a folder for each union, named by its code
	kindsDir    = "kinds"       // kind files that the centre published, signed
	contactFile = "agent.json"  // inside a union's: name, slot, how the newest syncs went
)

// Config of an [Agent]. Dir is required.
type Config struct {
	Dir     string           // the data folder; made when the PC enrols
	Kinds   *kind.Set        // default: those built in
	Actor   string           // who saves when a draft does not say
	Version string           // of the program, for the help desk
	Now     func() time.Time // default time.Now
	Rand    io.Reader        // default crypto/rand
	Log     *slog.Logger     // default: nothing is logged
	Dial    Dialer           // default: agent/link
	Timeout time.Duration    // how long to wait for another program; default 10 s
	Jitter  func() float64   // spreads PCs, in [0, 1); default math/rand
	// Salvage reads a store that was set aside, see [union.Options]; nil: nobody does.
	Salvage func(ctx context.Context, dir string, key *[seal.KeySize]byte) (store.Salvaged, error)
	// Free gives the bytes free on the disk of a folder; default: what the system says.
	Free func(dir string) (uint64, error)
}

// Agent is one PC's data folder. It holds nothing open between calls but what [Agent.Union]
// gives out, so several programs may use one folder in turn.
type Agent struct {
	c       Config
	dataKey *[seal.KeySize]byte // nil until needed
	kinds   kindFolder
}

// Open looks at a data folder; that it does not exist is no error.
func Open(c Config) (*Agent, error) {
	if c.Dir == "" {
		return nil, syncproto.Fail(syncproto.CodeDataDir, "open data folder", errors.New("no name"), "dir", c.Dir)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeDataDir, "open data folder", err, "dir", c.Dir)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, syncproto.Fail(syncproto.CodeDataDir, "open data folder", errors.New("not a folder"), "dir", dir)
	}
	c.Dir = dir
	if c.Kinds == nil {
		c.Kinds = kind.Embedded()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Jitter == nil {
		c.Jitter = mathrand.Float64
	}
	if c.Dial == nil {
		c.Dial = dialLink
	}
	a := &Agent{c: c}
	a.kinds = kindFolder{dir: filepath.Join(dir, kindsDir), builtin: c.Kinds, log: c.Log, ca: a.cityKey}
	return a, nil
}

// Dir is the data folder.
func (a *Agent) Dir() string { return a.c.Dir }

// Kinds are the kinds by which this agent works: of each the newest of those built in and
// those that the centre published.
func (a *Agent) Kinds() *kind.Set { return a.kinds.inUse().set }

// DefaultDir is where the data folder is when nobody says: as the system has it for data
// of programs. env and home are the process's own, system is runtime.GOOS.
func DefaultDir(system string, env func(string) string, home func() (string, error)) (string, error) {
	const name = "unionsync"
	variable, below := "XDG_DATA_HOME", []string{".local", "share"}
	switch system {
	case "windows":
		variable, below = "LOCALAPPDATA", []string{"AppData", "Local"}
	case "darwin":
		variable, below = "", []string{"Library", "Application Support"}
	}
	if variable != "" {
		if dir := env(variable); filepath.IsAbs(dir) {
			return filepath.Join(dir, name), nil
		}
	}
	dir, err := home()
	if err != nil {
		return "", syncproto.Fail(syncproto.CodeDataDir, "find home folder", err, "dir", "~")
	}
	return filepath.Join(append(append([]string{dir}, below...), name)...), nil
}

// unionCode is what may be the name of a folder: the form that the centre gives codes.
var unionCode = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{0,31}$`)

func (a *Agent) unionDir(code string) string { return filepath.Join(a.c.Dir, unionsDir, code) }

// Unions gives the codes of the unions kept here, in order.
func (a *Agent) Unions() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(a.c.Dir, unionsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeDataDir, "read data folder", err, "dir", a.c.Dir)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && unionCode.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// Which gives the union meant: the one named, or the only one there is.
func (a *Agent) Which(code string) (string, error) {
	all, err := a.Unions()
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", syncproto.Fail(syncproto.CodeNotEnrolled, "choose union", nil)
	case code != "" && !slices.Contains(all, code):
		return "", syncproto.Fail(syncproto.CodeUnionNotHere, "choose union", nil, "union", code)
	case code != "":
		return code, nil
	case len(all) > 1:
		return "", syncproto.Fail(syncproto.CodeWhichUnion, "choose union", nil, "unions", join(all))
	}
	return all[0], nil
}

// join lists a few words and says how many more there are.
func join(words []string) string {
	const most = 5
	out := ""
	for i, w := range words {
		if i == most {
			return fmt.Sprintf("%s … (+%d)", out, len(words)-most)
		}
		if i > 0 {
			out += ", "
		}
		out += w
	}
	return out
}

package layers

import (
	"slices"
	"strings"
	"testing"
)

// helpers have no business of their own; every room may use them.
var helpers = []string{
	"internal/atomicfile", "internal/bundlefile", "internal/cnid", "internal/enrolcode", "internal/rpc/...",
	"internal/seal", "internal/text", "internal/webkit/...",
}

// arrow says what the packages of one row may import of this project. The first row that
// matches counts. Imports point down: cmd → agent | server → their rooms → syncproto.
type arrow struct {
	from []string
	to   []string
}

var arrows = []arrow{
	// The language of both sides. It knows no room and no helper but the number checks.
	{[]string{"syncproto/syncpb"}, nil},
	{[]string{"syncproto/protofield"}, nil},
	{[]string{"syncproto"}, []string{"syncproto/protofield"}},
	{[]string{"syncproto/kind"}, []string{"syncproto", "internal/cnid"}},
	{[]string{"syncproto/merge"}, []string{"syncproto", "syncproto/kind", "syncproto/protofield"}},
	{[]string{"syncproto/session/..."}, []string{"syncproto/...", "internal/seal"}},
	{[]string{"syncproto/bundle"}, []string{"syncproto", "syncproto/protofield"}},

	// The agent. union → journal, second, store; second → journal; desk → union, sheet, schedule.
	{[]string{"agent"}, rooms("agent/...", "syncproto/...")},
	{[]string{"agent/journal", "agent/store", "agent/keystore", "agent/sheet", "agent/schedule", "agent/link"}, rooms("syncproto/...")},
	{[]string{"agent/second"}, rooms("agent/journal", "syncproto/...")},
	{[]string{"agent/union"}, rooms("agent/journal", "agent/second", "agent/store", "syncproto/...")},
	{[]string{"agent/union/uniontest"}, rooms("agent/union", "agent/store", "syncproto/...")},
	{[]string{"agent/agenttest"}, rooms("syncproto/...")},
	{[]string{"agent/desk/..."}, rooms("agent/union", "agent/sheet", "agent/schedule", "syncproto/...")},

	// The centre. gate, console → cluster → ledger; gate, console → census → ledger;
	// gate, console, cluster → trust → ledger; gate → archive → ledger.
	{[]string{"server"}, rooms("server/...", "syncproto/...")},
	{[]string{"server/ledger/entrypb"}, []string{"syncproto/syncpb"}},
	{[]string{"server/ledger"}, rooms("server/ledger/...", "syncproto/...")},
	{[]string{"server/trust", "server/census", "server/archive"}, rooms("server/ledger/...", "syncproto/...")},
	{[]string{"server/health"}, rooms("syncproto")}, // every room is told to it by functions
	{[]string{"server/cluster"}, rooms("server/trust", "server/ledger/...", "syncproto/...")},
	{[]string{"server/gate", "server/console/..."}, rooms("server/cluster", "server/census",
		"server/health", "server/trust", "server/archive", "server/ledger/...", "syncproto/...")},

	// The programs: flags and printing. The words of their commands are records and codes.
	{[]string{"cmd/union-agent/..."}, rooms("agent/...", "syncproto/...", "internal/clikit", "cmd/union-agent/...")},
	{[]string{"cmd/union-server/..."}, rooms("server/...", "syncproto/...", "internal/clikit", "cmd/union-server/...")},

	// Helpers. The message catalogue needs the codes; the commands' kit needs the catalogue.
	{[]string{"internal/clikit"}, []string{"internal/text", "syncproto"}},
	{[]string{"internal/text", "internal/seal", "internal/enrolcode"}, []string{"syncproto"}},
	{[]string{"internal/bundlefile"}, []string{"internal/atomicfile", "internal/rpc/tlsid", "internal/seal", "syncproto", "syncproto/bundle"}},
	{[]string{"internal/rpc/..."}, []string{"internal/rpc/...", "syncproto", "syncproto/syncpb"}},
	{[]string{"internal/webkit/..."}, []string{"internal/text", "internal/webkit/...", "syncproto"}},
	{[]string{"internal/atomicfile", "internal/cnid", "internal/layers", "internal/opsdoc", "internal/protodoc"}, nil},
	{[]string{"internal/testcity"}, nil}, // what it checks, it must not use
	{[]string{"internal/proc"}, nil},     // it knows the programs by their command lines only
	{[]string{"internal/netspace"}, nil},
	{[]string{"internal/netlab"}, []string{"internal/netspace", "internal/proc", "internal/testcity"}}, // as a person at a PC

	// Programs and tests that put both sides together; nothing imports them.
	{both, []string{"agent/...", "server/...", "syncproto/...", "internal/..."}},
}

// both may import agent and server together.
var both = []string{"internal/sim/...", "internal/demo/...", "internal/bench/...", "internal/citynight/...", "internal/cityload/...", "internal/e2e/...", "internal/faults", "internal/restorecity/..."}

func rooms(names ...string) []string { return append(names, helpers...) }

// TestArrows fails when a package imports against the arrows, or has none.
func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		i := slices.IndexFunc(arrows, func(a arrow) bool { return under(s.dir, a.from) })
		if i < 0 {
			t.Errorf("%s: no arrow for this package: add a row here and to docs/design.md", s.dir)
			continue
		}
		for _, imp := range s.imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			if ours && !under(to, arrows[i].to) {
				t.Errorf("%s must not import %s", s.path, to)
			}
		}
	}
}

// TestSidesStayApart holds for tests too: agent and server never import each other, and
// nobody imports a program or what puts both sides together.
func TestSidesStayApart(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			switch {
			case !ours:
			case under(s.dir, []string{"agent/...", "cmd/union-agent/..."}) && under(to, []string{"server/..."}),
				under(s.dir, []string{"server/...", "cmd/union-server/..."}) && under(to, []string{"agent/..."}):
				t.Errorf("%s must not import %s: agent and server meet in syncproto only", s.path, to)
			case under(to, []string{"cmd/..."}) && !under(s.dir, []string{"cmd/..."}),
				under(to, both) && !under(s.dir, both):
				t.Errorf("%s must not import %s: nothing imports it", s.path, to)
			}
		}
	}
}

// homes are the only packages that may use a library, apart from tests and from what puts
// both sides together.
var homes = []struct {
	library string
	in      []string
	why     string
}{
	{"github.com/dgraph-io/badger", []string{"agent/store", "server/ledger", "server/archive"}, "one writer per store"},
	{"go.etcd.io/bbolt", []string{"agent/journal", "server/cluster"}, "one writer per store"},
	{"github.com/hashicorp/raft", []string{"server/cluster"}, "the rest of the centre knows no raft"},
	{"github.com/xuri/excelize", []string{"agent/sheet", "internal/testcity"}, "spreadsheets have one room"},
	{"cel.dev/cel-go", []string{"syncproto/kind"}, "rules are part of kinds"},
	{"github.com/urfave/cli", []string{"cmd/...", "internal/clikit"}, "rooms know no command line"},
	{"github.com/prometheus", []string{"server/health"}, "one registry, and the rest of the centre knows no metrics library"},
	{"github.com/coreos/go-systemd", []string{"server/health"}, "one place talks to the service manager"},
	{"filippo.io/age", []string{"internal/seal"}, "one home for sealing"},
	{"github.com/minio/minio-go", []string{"server/archive"}, "the rest of the centre knows no object store"},
	{"github.com/goccy/go-yaml", []string{"internal/text", "syncproto/kind", "server"}, "people write YAML in three places only"},
}

// TestLibrariesStayHome fails when a library is used outside its home.
func TestLibrariesStayHome(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || under(s.dir, both) {
			continue
		}
		for _, imp := range s.imports {
			for _, h := range homes {
				if strings.HasPrefix(imp, h.library) && !under(s.dir, h.in) {
					t.Errorf("%s must not import %s: %s", s.path, imp, h.why)
				}
			}
		}
	}
}

// pure packages give equal results for equal input: no I/O, no clock, no randomness.
var pure = []string{"syncproto/...", "server/ledger"}

var impureImports = []string{"os", "os/exec", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "testing"}

var impureCalls = []string{
	"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.Tick", "time.NewTimer", "time.NewTicker",
	"os.Getenv", "os.LookupEnv", "os.Environ", "os.Hostname", "rand.Read", "uuid.New", "uuid.NewV7", "uuid.NewString",
}

// TestPurePackages fails when a package that must be deterministic reaches for the world.
// The ledger keeps its state in Badger, so it alone may use package os for folders.
func TestPurePackages(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.generated || !under(s.dir, pure) {
			continue
		}
		for _, imp := range s.imports {
			if slices.Contains(impureImports, imp) && !(s.dir == "server/ledger" && imp == "os") {
				t.Errorf("%s must not import %s", s.path, imp)
			}
		}
		forEachSelector(s, func(name, at string) {
			if slices.Contains(impureCalls, name) {
				t.Errorf("%s: %s in a package that must be deterministic", at, name)
			}
		})
	}
}

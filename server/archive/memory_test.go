package archive

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// What a process of its own is to do: see BenchmarkArchive.
const (
	envJob = "UNIONSYNC_ARCHIVE_JOB"
	envDir = "UNIONSYNC_ARCHIVE_DIR"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(envJob); job != "" {
		if err := alone(job, os.Getenv(envDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// BenchmarkArchive makes a backup of b.N members with their history, and puts it back, each in
// a process of its own, and tells the peak of resident memory of each:
//
//	go test ./server/archive -run ^$ -bench Archive -benchtime 300000x
func BenchmarkArchive(b *testing.B) {
	dir := b.TempDir()
	city, key, err := trust.Found(rand.Reader, "test", time.Unix(1_000_000, 0))
	if err != nil {
		b.Fatal(err)
	}
	for name, data := range map[string][]byte{"city": city.Sealed(), "key": key.Encode()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "target"), 0o700); err != nil {
		b.Fatal(err)
	}
	fillCity(b, city, filepath.Join(dir, "ledger"), b.N)
	b.ResetTimer()
	for _, job := range []string{"backup", "restore", "install"} {
		begun := time.Now()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envJob+"="+job, envDir+"="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%s: %v\n%s", job, err, out)
		}
		var resident, own float64
		if _, err := fmt.Sscan(string(out), &resident, &own); err != nil {
			b.Fatalf("%s: %v\n%s", job, err, out)
		}
		b.ReportMetric(resident/1024, job+"_rss_MiB")
		b.ReportMetric(own/1024, job+"_own_MiB")
		b.ReportMetric(time.Since(begun).Seconds(), job+"_s")
	}
}

var sealKey = new([32]byte)

// fillCity makes a ledger with n members of about 600 bytes in 500 unions.
func fillCity(b *testing.B, city *trust.City, dir string, n int) {
	l, err := ledger.Open(ledger.Config{Dir: dir, Key: sealKey})
	if err != nil {
		b.Fatal(err)
	}
	c := foundIn(b, city, l)
	k, err := kind.Embedded().Find("member")
	if err != nil {
		b.Fatal(err)
	}
	name, err := k.Find("name")
	if err != nil {
		b.Fatal(err)
	}
	noise := make([]byte, 300)
	for done := 0; done < n; {
		union := fmt.Sprintf("%06d", done/500)
		s := &entrypb.Segment{Journal: uint64(1 + done/500), First: 1, Signature: make([]byte, 65)}
		for range min(500, n-done) {
			if _, err := rand.Read(noise); err != nil {
				b.Fatal(err)
			}
			ch := syncproto.Change{Union: union, Kind: k.Number, Actor: "clerk", Edits: []syncproto.Edit{
				{Field: name.Number, Value: []byte(hex.EncodeToString(noise))}}}
			binary.BigEndian.PutUint64(ch.ID[:], uint64(done+1))
			s.Changes = append(s.Changes, ch.Encode(syncproto.JournalID(s.Journal)))
			done++
		}
		c.apply(&entrypb.Batch{Time: 2000, Items: []*entrypb.Item{{Union: union, Segments: []*entrypb.Segment{s}}}})
		c.log = map[uint64][]byte{}
	}
	if err := c.ledger.Close(); err != nil {
		b.Fatal(err)
	}
}

// alone does one job in this process and prints its peaks of memory in KiB: resident, and
// of that what is not pages of files, which the system takes back when it needs them.
func alone(job, dir string) error {
	debug.SetMemoryLimit(512 << 20) // as the program does
	stop, peak := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			most = max(most, memory("RssAnon:"))
			select {
			case <-stop:
				peak <- most
				return
			case <-tick.C:
			}
		}
	}()
	err := doJob(context.Background(), job, dir)
	close(stop)
	fmt.Println(memory("VmHWM:"), <-peak)
	return err
}

// memory gives one of the numbers that Linux keeps of this process, in KiB.
func memory(name string) (kib int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name)
	_, _ = fmt.Sscan(rest, &kib)
	return kib
}

func doJob(ctx context.Context, job, dir string) error {
	sealed, err := os.ReadFile(filepath.Join(dir, "city"))
	if err != nil {
		return err
	}
	key, err := trust.ReadClusterKey(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	city, err := trust.OpenCity(sealed, key, rand.Reader)
	if err != nil {
		return err
	}
	target := &folder{dir: filepath.Join(dir, "target")}
	keys := Keys{CA: city.Certificate(), City: city.ArchiveKey()}
	if job == "restore" {
		return putBackAlone(ctx, target, keys, filepath.Join(dir, "restored"))
	}
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(dir, "ledger"), Key: sealKey})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if job == "install" {
		return install(l, filepath.Join(dir, "installed"))
	}
	w, err := NewWriter(target, keys, ownOf(city), sealed)
	if err != nil {
		return err
	}
	_, err = w.Backup(ctx, l, Making{Rand: rand.Reader, Now: time.Now()})
	return err
}

func putBackAlone(ctx context.Context, target Target, keys Keys, dir string) error {
	r, err := NewReader(target, keys)
	if err != nil {
		return err
	}
	all, err := r.List(ctx)
	if err != nil {
		return err
	}
	b, err := r.Rebuild(ctx, all[0].Manifest, ledger.Config{Dir: dir, Key: sealKey}, Rebuilding{WithLog: true})
	if err != nil {
		return err
	}
	return b.Ledger.Close()
}

// install does what a new node of the cluster does with the snapshot of another one.
func install(from *ledger.Ledger, dir string) error {
	file := dir + ".snapshot"
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	snap, err := from.Snapshot()
	if err != nil {
		return err
	}
	if err := snap.Stream(f); err != nil {
		return err
	}
	snap.Release()
	if _, err := f.Seek(0, 0); err != nil {
		return err
	}
	l, err := ledger.Open(ledger.Config{Dir: dir, Key: sealKey})
	if err != nil {
		return err
	}
	if err := l.Restore(f); err != nil {
		return err
	}
	return l.Close()
}

func ownOf(city *trust.City) tlsid.Own {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	cert, err := city.SignNode(pub, "n1", nil, time.Unix(1_000_000, 0))
	if err != nil {
		panic(err)
	}
	return tlsid.Own{Key: priv, Cert: cert, CA: city.Certificate()}
}

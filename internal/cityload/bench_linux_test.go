package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// BenchmarkApply applies unions as a node does, in entries as large as they may be; one
// iteration is one record. It tells the processor's time too: on a busy machine that is what
// can be compared.
func BenchmarkApply(b *testing.B) {
	unions := 200
	if s := os.Getenv("BENCH_UNIONS"); s != "" {
		unions, _ = strconv.Atoi(s)
	}
	entries := benchEntries(b, unions)
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(b.TempDir(), "ledger"), Key: new([32]byte)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := l.Apply(1, genesisEntry(b)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	records, before := 0, cpu()
	for i, e := range entries {
		res, err := l.Apply(uint64(i)+2, e.data)
		if err != nil || res == nil {
			b.Fatal(res, err)
		}
		records += e.records
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(records), "cpu-us/record")
	b.ReportMetric(float64(records), "records")
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func benchKey(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

type benchEntry struct {
	data    []byte
	records int
}

func benchEntries(tb testing.TB, unions int) (out []benchEntry) {
	tb.Helper()
	d := benchKey(tb)
	sizes := rosterSizes(unions)
	var b entrypb.Batch
	size, records := 0, 0
	flush := func() {
		e, err := ledger.Entry(&b)
		if err != nil {
			tb.Fatal(err)
		}
		out, b, size, records = append(out, benchEntry{e, records}), entrypb.Batch{}, 0, 0
	}
	for u := range unions {
		changes, err := changesOf(u, sizes[u])
		if err != nil {
			tb.Fatal(err)
		}
		q, err := newAgent(&city{life: syncproto.Generation{Number: 1}}, unionCode(u), d, journalOf(u), changes).request()
		if err != nil {
			tb.Fatal(err)
		}
		item := &entrypb.Item{Union: q.GetUnion(), Device: []byte("0123456789abcdef")}
		for _, s := range q.GetBatch() {
			item.Segments = append(item.Segments, &entrypb.Segment{Journal: q.GetJournal(), First: s.GetFirst(), Previous: s.GetPrevious(), Changes: s.GetChanges(), Signature: s.GetSignature()})
		}
		if n := proto.Size(item); size+n > syncproto.MaxEntryBytes-100 {
			flush()
		}
		b.Items, size, records = append(b.Items, item), size+proto.Size(item)+10, records+len(changes)
	}
	flush()
	return out
}

func genesisEntry(tb testing.TB) []byte {
	tb.Helper()
	g := &entrypb.Genesis{LogId: []byte{1}, Time: savedAt, Ca: []byte{3}, Generation: &entrypb.Generation{Number: 1, Random: 4}}
	for _, f := range kind.Embedded().Files() {
		g.Kinds = append(g.Kinds, &entrypb.KindFile{Name: f.Name, Yaml: f.Data, Version: f.Version})
	}
	e, err := ledger.Entry(g)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

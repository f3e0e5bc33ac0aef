//go:build linux

package journal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

var benchEngines = []struct {
	name string
	at   func(b *testing.B) store.Options
}{
	{"sqlite", func(b *testing.B) store.Options { return store.Options{Data: b.TempDir()} }},
	{"postgres", func(b *testing.B) store.Options { return store.Options{Database: storetest.PostgresURL(b)} }},
}

// BenchmarkAppend is the rate of durable appends of facts of about 1 KB from a
// number of submitters who each wait for their receipt; 300 streams are live.
// Beside it stand the processor time of this process for a fact and the rate of
// a bare write of 1 KB with fdatasync, half of it taken before and half after.
func BenchmarkAppend(b *testing.B) {
	for _, e := range benchEngines {
		for _, submitters := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%s/%d", e.name, submitters), func(b *testing.B) {
				appendFrom(b, benchJournals(b, e.at(b), 1), submitters)
			})
		}
	}
}

// BenchmarkReplicas is BenchmarkAppend with the submitters spread over several
// processes' worth of journals on one PostgreSQL.
func BenchmarkReplicas(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, submitters := range []int{3, 192} {
			b.Run(fmt.Sprintf("%d/%d", replicas, submitters), func(b *testing.B) {
				o := store.Options{Database: storetest.PostgresURL(b)}
				appendFrom(b, benchJournals(b, o, replicas), submitters)
			})
		}
	}
}

func benchJournals(b *testing.B, o store.Options, n int) []*kit {
	var all []*kit
	for range n {
		db, err := store.Open(context.Background(), o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		all = append(all, start(b, db, nil))
	}
	return all
}

func appendFrom(b *testing.B, ks []*kit, submitters int) {
	var next atomic.Int64
	var all sync.WaitGroup
	filler := strings.Repeat("x", 500)
	raw := rawSync(b)
	used := processorTime(b)
	b.ResetTimer()
	for s := range submitters {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				c := add(fmt.Sprint(i%300), 1)
				c.ID = uuid.NewString()
				c.Result = []byte(filler)
				c.Facts[0].Private = map[string]string{"note": "for the benchmark"}
				if _, err := ks[s%len(ks)].Append(context.Background(), c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(float64((processorTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/fact")
	raw = (raw + rawSync(b)) / 2
	b.ReportMetric(rate, "facts/s")
	b.ReportMetric(raw, "raw/s")
	b.ReportMetric(rate/raw*100, "%raw")
	for _, k := range ks {
		_ = k.Close()
	}
}

// rawSync is how many times a second 1 KB can be written and synced at the end of a file.
func rawSync(b *testing.B) float64 {
	const times = 400
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	line := make([]byte, 1024)
	began := time.Now()
	for range times {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return times / time.Since(began).Seconds()
}

// processorTime is what this process has used, in user and system mode.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAcknowledge is what a receipt costs its command, after the commit,
// and what it costs to give one again, from the stored tree.
func BenchmarkAcknowledge(b *testing.B) {
	for _, e := range benchEngines {
		db, err := store.Open(b.Context(), e.at(b))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		k := start(b, db, nil)
		first := k.must(b, keyed("x"))
		again, err := k.Command(b.Context(), "x")
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name    string
			receipt journal.Receipt
		}{{"at once", first}, {"again", again}} {
			b.Run(e.name+"/"+c.name, func(b *testing.B) {
				_, note := k.acknowledged(b, c.receipt)
				for b.Loop() {
					if _, err := k.Acknowledge(b.Context(), c.receipt); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(note)), "bytes")
			})
		}
	}
}

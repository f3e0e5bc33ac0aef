package journal_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// BenchmarkAppend is the rate of durable appends of facts of about 1 KB from a
// number of submitters who each wait for their receipt; 300 streams are live.
func BenchmarkAppend(b *testing.B) {
	engines := map[string]func(b *testing.B) store.Options{
		"sqlite":   func(b *testing.B) store.Options { return store.Options{Data: b.TempDir()} },
		"postgres": func(b *testing.B) store.Options { return store.Options{Database: storetest.PostgresURL(b)} },
	}
	for _, name := range []string{"sqlite", "postgres"} {
		for _, submitters := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%s/%d", name, submitters), func(b *testing.B) {
				db, err := store.Open(context.Background(), engines[name](b))
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = db.Close() })
				benchmarkAppend(b, start(b, db, nil), submitters)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, k *kit, submitters int) {
	var next atomic.Int64
	var all sync.WaitGroup
	filler := strings.Repeat("x", 500)
	b.ResetTimer()
	for range submitters {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				c := add(fmt.Sprint(i%300), 1)
				c.ID = uuid.NewString()
				c.Result = []byte(filler)
				c.Facts[0].Private = map[string]string{"note": "for the benchmark"}
				if _, err := k.Append(context.Background(), c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "facts/s")
	k.Close()
}

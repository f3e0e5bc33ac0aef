//go:build linux

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// hung is when a call is taken to have hung; it is far beyond every bound that
// the journal keeps.
const hung = 2 * time.Minute

// outcomes counts what the journal says of commits whose answer was lost.
type outcomes struct {
	slog.Handler
	unknown, recorded, unlearnt atomic.Int64
}

// Enabled is slog.Handler.
func (o *outcomes) Enabled(context.Context, slog.Level) bool { return true }

// Handle is slog.Handler.
func (o *outcomes) Handle(_ context.Context, r slog.Record) error {
	numbers := map[string]int64{}
	r.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindInt64 {
			numbers[a.Key] = a.Value.Int64()
		}
		return true
	})
	switch r.Message {
	case "the outcome of a commit was unknown and has been learnt":
		o.unknown.Add(numbers["commands"])
		o.recorded.Add(numbers["recorded"])
	case "the outcome of a commit could not be learnt":
		o.unlearnt.Add(numbers["commands"])
	}
	return nil
}

// load is several writers, each of which sends a command under its key until it
// is acknowledged, and a reader.
type load struct {
	k       *kit
	stop    chan struct{}
	all     sync.WaitGroup
	mu      sync.Mutex
	acked   map[string]uint64
	refused map[string]int // by code
	longest time.Duration
}

func (l *load) writer(t *testing.T, w int) {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", w, i)
		for {
			began := time.Now()
			r, err := l.k.Append(context.Background(), keyed(id))
			took := time.Since(began)
			l.note(id, r, err, took)
			if took > hung {
				t.Errorf("%s hung for %v", id, took)
			}
			if err == nil {
				break
			}
			if !retryable(err) {
				t.Errorf("%s: %v", id, err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		select {
		case <-l.stop:
			return
		default:
		}
	}
}

// retryable is what a client is told that may try again: Unavailable, with what to do.
func retryable(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind == fault.Unavailable && f.Fix != ""
}

func (l *load) note(id string, r journal.Receipt, err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, took)
	if err == nil {
		l.acked[id] = r.First
		return
	}
	var f *fault.Error
	if errors.As(err, &f) {
		l.refused[f.Code]++
	}
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// reader reads all the time: what it gets is right or Unavailable.
func (l *load) reader(t *testing.T) {
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Millisecond):
		}
		if _, err := l.k.Facts(context.Background(), 0, 5); err != nil && !retryable(err) {
			t.Errorf("a reader was told %v", err)
			return
		}
	}
}

// The server is killed under load, again and again, while our process goes on:
// nothing that was acknowledged is lost, nothing is recorded twice, and every
// commit whose answer was lost is told as it was.
func TestKillPostgresServer(t *testing.T) {
	const writers = 8
	kills := cycles(6, 1000)
	if testing.Short() {
		kills = 2
	}
	server := storetest.NewKillable(t)
	db, err := store.Open(t.Context(), store.Options{Database: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var o outcomes
	l := &load{stop: make(chan struct{}), acked: map[string]uint64{}, refused: map[string]int{}}
	l.k = start(t, db, func(j *journal.Options) { j.Logger = slog.New(&o) })
	for w := range writers {
		l.all.Go(func() { l.writer(t, w) })
	}
	l.all.Go(func() { l.reader(t) })
	random := rand.New(rand.NewPCG(9, 10))
	var slowest time.Duration
	n := 0
	for ; n < kills || o.unknown.Load() == 0 && n < kills+50; n++ { // a commit must have been hit
		before := l.count()
		for deadline := time.Now().Add(hung); l.count() == before && !t.Failed(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is acknowledged any more")
			}
		}
		time.Sleep(time.Duration(random.IntN(40_000)) * time.Microsecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		killed := time.Now()
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(killed))
		if t.Failed() {
			break
		}
	}
	close(l.stop)
	l.all.Wait()
	l.check(t)
	if o.unknown.Load() == 0 {
		t.Error("no commit was cut off: the kills fell beside the load")
	}
	t.Logf("%d kills, %d acknowledged; %d outcomes unknown, of which %d had been committed, and %d more not learnt in time; told meanwhile: %v; longest call %v, slowest restart %v",
		n, len(l.acked), o.unknown.Load(), o.recorded.Load(), o.unlearnt.Load(), l.refused, l.longest, slowest)
}

func (l *load) check(t *testing.T) {
	for id, at := range l.acked {
		r, err := l.k.Command(t.Context(), id)
		if err != nil || r.First != at {
			t.Fatalf("%s was acknowledged at %d: %+v, %v", id, at, r, err)
		}
	}
	if v, c := l.k.load(t, counterStream("k")); v != uint64(len(l.acked)) || c.Sum != int64(len(l.acked)) {
		t.Errorf("version %d, sum %d of %d commands", v, c.Sum, len(l.acked))
	}
	l.k.verify(t)
}

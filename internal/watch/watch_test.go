package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// Two processes do a task once a period between them; one that fails is tried
// again, and keeps no other from being done.
func TestOnceForAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		var daily, failing atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		again := make(chan struct{})
		var once sync.Once
		tasks := []Task{
			{Name: "daily", Every: time.Hour, Retry: time.Hour, Do: func(context.Context) error { daily.Add(1); return nil }},
			{Name: "failing", Every: time.Hour, Retry: time.Millisecond, Do: func(context.Context) error {
				if failing.Add(1) == 5 {
					once.Do(func() { close(again) })
				}
				return errors.New("no")
			}},
		}
		var all sync.WaitGroup
		for range 2 {
			w := Watch{DB: db, Log: slog.New(slog.DiscardHandler), Tasks: tasks, Look: 2 * time.Millisecond}
			all.Go(func() {
				if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
			})
		}
		select {
		case <-again:
		case <-time.After(30 * time.Second):
			t.Error("what failed is not tried again")
		}
		cancel()
		all.Wait()
		if n := daily.Load(); n != 1 {
			t.Errorf("what is due once was done %d times", n)
		}
	})
}

// After a period a task is done again; a success in between is not undone by a
// shorter retry.
func TestAgainAfterAPeriod(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	n := 0
	w := Watch{DB: db, Log: slog.New(slog.DiscardHandler)}
	task := Task{Name: "daily", Every: 24 * time.Hour, Retry: time.Hour, Do: func(context.Context) error { n++; return nil }}
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{0, 1}, {time.Minute, 1}, {2 * time.Hour, 1}, {21 * time.Hour, 1}, {time.Hour, 2}, {0, 2}} {
		now = now.Add(c.later)
		if err := w.once(t.Context(), task); err != nil || n != c.want {
			t.Errorf("at %v it was done %d times, want %d: %v", now, n, c.want, err)
		}
	}
}

// Package watch does by itself what is due from time to time.
//
// It knows when a task is due and which of several processes does it; it leaves
// what the task is to whoever names it. Its invariant: within a period a task
// is done once for all processes on one database, by the database's clock; one
// that fails, or whose process dies, is tried again sooner. Rarely two
// processes may do a task at once, so a task must bear that.
package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/store"
)

// Task is something that is due from time to time.
type Task struct {
	Name  string        // of the lease, such as "vault/sweep"
	Every time.Duration // from one success to the next
	Retry time.Duration // after a failure, or a process that died over it
	Do    func(context.Context) error
}

// Watch is the tasks of one process.
type Watch struct {
	DB    *store.DB // of the leases
	Log   *slog.Logger
	Tasks []Task
	Look  time.Duration // how often to look what is due; 0 is a minute
}

// Run does what is due until ctx ends. It begins after one Look, so that a
// start is not slowed down.
func (w *Watch) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, t := range w.Tasks {
		all.Go(func() { w.keep(ctx, t) })
	}
	all.Wait()
	return ctx.Err()
}

func (w *Watch) keep(ctx context.Context, t Task) {
	look := w.Look
	if look <= 0 {
		look = time.Minute
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.once(ctx, t); err != nil && ctx.Err() == nil {
			w.Log.Error("a task failed", "task", t.Name, "error", err)
		}
	}
}

// once does a task if its lease is free. Each run is a holder of its own, so
// that not even this process does it again before the lease is over: that is at
// first the time to a retry, and with success the whole period.
func (w *Watch) once(ctx context.Context, t Task) error {
	run := uuid.NewString()
	due, err := w.DB.Acquire(ctx, "watch/"+t.Name, run, t.Retry)
	if err != nil || !due {
		return err
	}
	if err := t.Do(ctx); err != nil {
		return err
	}
	_, err = w.DB.Acquire(ctx, "watch/"+t.Name, run, t.Every)
	return err
}

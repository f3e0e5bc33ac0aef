package journal

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/health"
	"signalbox.dev/signalbox/internal/store"
)

// growth is how many facts are known to be committed, and who waits for more.
type growth struct {
	mu      sync.Mutex
	facts   uint64
	changed chan struct{} // closed and replaced at each growth
}

// raise says that there are at least size facts.
func (g *growth) raise(size uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if size > g.facts {
		g.facts = size
		close(g.changed)
		g.changed = make(chan struct{})
	}
}

// now is the number of facts, and a channel that is closed when there are more.
func (g *growth) now() (uint64, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.facts, g.changed
}

func (g *growth) size() uint64 { n, _ := g.now(); return n }

// pollEvery is how often another process's facts are looked for.
const pollEvery = 200 * time.Millisecond

// watchHead learns of facts that other processes append. SQLite has one process.
func (j *Journal) watchHead(ctx context.Context) {
	if j.db.Dialect == store.SQLite {
		return
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	reading := health.Outage{Log: j.log, Level: slog.LevelWarn, Fault: "the journal's head cannot be read; trying on", Over: "the journal's head is read again"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		size, err := j.Size(ctx)
		if ctx.Err() == nil {
			reading.Note(ctx, err)
		}
		if err == nil {
			j.grown.raise(size)
		}
		if j.awaits.Load() != nil {
			_ = j.recallRestoration(ctx) // another replica may have taken the confirmation
		}
	}
}

// Follow calls fn with every fact from position from on, in order and without a
// gap, until ctx ends or fn fails, and returns that error. What this process
// appends arrives at once, what others append within a quarter of a second.
// The caller keeps its own position; after a failure it follows on from there.
func (j *Journal) Follow(ctx context.Context, from uint64, fn func([]event.Recorded) error) error {
	for {
		size, changed := j.grown.now()
		if from >= size {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			}
			continue
		}
		facts, err := j.Facts(ctx, from, FactsMax)
		if err != nil {
			return err
		}
		if len(facts) == 0 {
			return noFact(from)
		}
		if err := fn(facts); err != nil {
			return err
		}
		from += uint64(len(facts))
	}
}

// Changed is closed when the journal grows beyond its size now.
func (j *Journal) Changed() <-chan struct{} {
	_, changed := j.grown.now()
	return changed
}

// WaitBeyond waits until the journal has more than size facts, and returns how
// many, or until ctx ends.
func (j *Journal) WaitBeyond(ctx context.Context, size uint64) (uint64, error) {
	for {
		now, changed := j.grown.now()
		if now > size {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-changed:
		}
	}
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// job is a command in the queue. Its submitter gives it up, or the committer
// takes it, whichever comes first.
type job struct {
	Command
	facts  []encoded
	minted bool // the id is ours, so nobody has used it before
	claim  atomic.Bool
	done   chan struct{} // closed when receipt and err are set
	result
}

type result struct {
	receipt Receipt
	err     error
}

// Append appends a command and returns when it is durable. Errors: *Stale when
// what was read has changed, *Taken for a unique key of another stream; faults
// Conflict for a reused id, TooLarge, Invalid for text that cannot be stored,
// Busy when the queue is full, Unavailable when the database cannot be written
// or the outcome cannot be learnt (repeat with the same id), Interrupted when
// ctx ended before the command was taken up. Only with the code
// "journal.unknown" may the command have been appended nevertheless.
func (j *Journal) Append(ctx context.Context, c Command) (Receipt, error) {
	if j.appended == nil {
		return j.append(ctx, c)
	}
	began := time.Now()
	r, err := j.append(ctx, c)
	j.appended(ctx, c.Facts, r, time.Since(began), err)
	return r, err
}

func (j *Journal) append(ctx context.Context, c Command) (Receipt, error) {
	if err := j.admits(ctx, c); err != nil {
		return Receipt{}, err
	}
	w, err := j.prepare(c)
	if err != nil {
		return Receipt{}, err
	}
	if err := j.submit(w); err != nil {
		return Receipt{}, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.claim.CompareAndSwap(false, true) {
			return Receipt{}, fault.New(fault.Interrupted, "journal.interrupted", "the command was given up before it was taken up").Cause(ctx.Err())
		}
		<-w.done
	}
	return w.receipt, w.err
}

func (j *Journal) submit(w *job) error {
	j.gate.RLock()
	defer j.gate.RUnlock()
	if j.closed {
		return fault.New(fault.Unavailable, "journal.closed", "the journal is being closed")
	}
	if why := j.stopped.Load(); why != nil {
		return why
	}
	select {
	case j.queue <- w:
		return nil
	default:
		return fault.New(fault.Busy, "journal.busy", "too many commands are waiting to be recorded").Remedy("try again in a moment")
	}
}

// work is the committer: it commits whatever waits, without waiting for more,
// until the queue is closed and empty.
func (j *Journal) work() {
	var batch []*job
	facts := 0
	flush := func() {
		if len(batch) > 0 {
			j.commit(batch)
		}
		batch, facts = nil, 0
	}
	for w := range j.queue {
		for more := true; more; {
			if w.claim.CompareAndSwap(false, true) {
				if facts+w.weight() > CommandFacts {
					flush()
				}
				batch, facts = append(batch, w), facts+w.weight()
			}
			select {
			case next, open := <-j.queue:
				w, more = next, open
			default:
				more = false
			}
		}
		flush()
	}
}

// weight is how much of a commit's CommandFacts a job takes up: its facts, or
// its bytes as if facts were 4 KiB each, so that a commit stays near 2 MiB.
func (w *job) weight() int {
	bytes := len(w.Result)
	for _, f := range w.facts {
		bytes += len(f.body) + len(f.private)
	}
	for _, p := range w.Parts {
		bytes += len(p)
	}
	return max(1, len(w.facts), bytes/(4<<10))
}

// commitTime is how long one commit may take before it is given up, and
// learnTime how long its outcome is looked for where it was not told: all other
// commands wait meanwhile, and whoever sends the command again learns it as well.
const (
	commitTime = 45 * time.Second
	learnTime  = 8 * time.Second
)

// commit commits a batch and answers its jobs.
func (j *Journal) commit(batch []*job) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	if why := j.stopped.Load(); why != nil {
		for _, w := range batch {
			w.answer(result{err: why})
		}
		return
	}
	p, err := j.try(ctx, batch)
	if store.Refused(err) && len(batch) > 1 {
		for _, w := range batch {
			j.commit([]*job{w})
		}
		return
	}
	if err != nil {
		err = j.failed(ctx, p, err)
	}
	for i, w := range batch {
		switch {
		case err == nil || p != nil && p.settled(i):
			w.answer(p.results[i])
		default:
			w.answer(result{err: err})
		}
	}
}

func (w *job) answer(r result) {
	w.result = r
	close(w.done)
}

// failed says what to tell the jobs of a transaction that ended in err, having
// learnt the outcome of an uncertain commit; nil means that it did commit.
func (j *Journal) failed(ctx context.Context, p *plan, err error) error {
	var wrong *fault.Error
	switch {
	case store.InDoubt(err):
		return j.learn(ctx, p, err)
	case errors.As(err, &wrong):
		return wrong
	case store.Broken(err):
		j.stop(fault.New(fault.Unavailable, "journal.stopped", "nothing more is recorded since the disk has failed").
			Remedy("check the disk, then start again").Cause(err))
		return unknown(err)
	case store.Refused(err):
		return fmt.Errorf("append: %w", err)
	}
	j.log.Error("append failed", "error", err)
	return fault.New(fault.Unavailable, "journal.unavailable", "the database cannot be written").Remedy("try again").Cause(err)
}

func unknown(err error) *fault.Error {
	return fault.New(fault.Unavailable, "journal.unknown", "it could not be learnt whether the command was recorded").
		Remedy("send it again with the same idempotency key").Cause(err)
}

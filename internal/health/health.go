// Package health spares those who are asked how something is, and those who read
// how it was: one answer serves everybody for a second, and a fault is told when
// it begins and when it is over.
//
// It leaves what is asked and what is told to its callers. Its invariant: an
// answer is never older than a second when a question comes, and a fault of
// another kind is never passed over.
package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Bounds of a shared answer: how long it serves, and how long is asked for it.
const (
	fresh   = time.Second
	patient = 5 * time.Second
)

// Shared is an answer for everybody who asks within a second: the first asks, and
// who comes meanwhile waits for the same. The zero Shared is ready.
type Shared[T any] struct {
	mu   sync.Mutex
	last *asked[T]
}

type asked[T any] struct {
	done  chan struct{} // closed once there is an answer
	until time.Time     // that it serves; zero before
	value T
	err   error
}

// Ask is the answer that ask gives or has just given. What it asks for goes on
// where the first who wanted it gives up, for others may wait. The error is that
// of ask, or of ctx where that ends sooner.
func (s *Shared[T]) Ask(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	s.mu.Lock()
	a := s.last
	mine := a == nil || !a.until.IsZero() && !time.Now().Before(a.until)
	if mine {
		a = &asked[T]{done: make(chan struct{})}
		s.last = a
	}
	s.mu.Unlock()
	if mine {
		s.answer(ctx, a, ask)
	}
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (s *Shared[T]) answer(ctx context.Context, a *asked[T], ask func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patient)
	defer cancel()
	a.err = fault.New(fault.Internal, "health.given-up", "whoever asked has come to no answer") // unless ask returns
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		a.until = time.Now().Add(fresh)
		close(a.done)
	}()
	a.value, a.err = ask(ctx)
}

// Outage tells of a fault that many tries in a row run into: once when it begins,
// once when it is of another kind, and once when it is over.
type Outage struct {
	Log   *slog.Logger
	Level slog.Level // of the fault
	Fault string     // what cannot be done
	Over  string     // that it can be done again

	mu    sync.Mutex
	since time.Time // zero while all is well
	kind  fault.Kind
	tries int
}

// Note takes the outcome of a try, and reports whether a fault was told of.
func (o *Outage) Note(ctx context.Context, err error, args ...any) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		if !o.since.IsZero() {
			o.Log.InfoContext(ctx, o.Over, append(args, "after", time.Since(o.since).Round(time.Millisecond), "tries", o.tries)...)
		}
		o.since, o.tries = time.Time{}, 0
		return false
	}
	o.tries++
	kind := fault.KindOf(err)
	if !o.since.IsZero() && kind == o.kind {
		return false
	}
	if o.since.IsZero() {
		o.since = time.Now()
	}
	o.kind = kind
	o.Log.Log(ctx, o.Level, o.Fault, append(args, "error", err)...)
	return true
}

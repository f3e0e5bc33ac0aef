package api

import (
	"sync"
	"time"
)

// maxAddresses bounds what a limiter remembers.
const maxAddresses = 10_000

// limiter allows each address burst events at once and refills evenly in
// every. It counts in this process alone, and in whole nanoseconds: in fractions
// of an event, one that is short by a rounding would neither wait nor be counted.
type limiter struct {
	every time.Duration
	cost  time.Duration // in which one event refills
	now   func() time.Time

	mu   sync.Mutex
	full map[string]time.Time // when an address has its whole burst again
}

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{every: every, cost: every / time.Duration(burst), now: now, full: map[string]time.Time{}}
}

// take counts an event, and says how long to wait where there were too many; 0 is none.
func (l *limiter) take(address string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	full, known := l.full[address]
	if !known {
		l.forget(now)
	}
	// More than every is used up only where the clock was set back.
	used := min(max(full.Sub(now), 0), l.every)
	if wait := used + l.cost - l.every; wait > 0 {
		return wait
	}
	l.full[address] = now.Add(used + l.cost)
	return 0
}

// forget drops who has a full bucket again, and all where that is not enough.
func (l *limiter) forget(now time.Time) {
	if len(l.full) < maxAddresses {
		return
	}
	for address, full := range l.full {
		if !full.After(now) {
			delete(l.full, address)
		}
	}
	if len(l.full) >= maxAddresses {
		clear(l.full)
	}
}

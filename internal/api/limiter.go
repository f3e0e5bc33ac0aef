package api

import (
	"sync"
	"time"
)

// maxAddresses bounds what a limiter remembers.
const maxAddresses = 10_000

// limiter allows each address burst events at once and refills evenly in
// every. It counts in this process alone.
type limiter struct {
	burst float64
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	seen map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: float64(burst), every: every, now: now, seen: map[string]bucket{}}
}

// take counts an event, and says how long to wait where there were too many; 0 is none.
func (l *limiter) take(address string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.seen[address]
	if !known {
		l.forget(now)
		b = bucket{left: l.burst, at: now}
	}
	b.left = l.refilled(b, now)
	b.at = now
	if b.left < 1 {
		l.seen[address] = b
		return time.Duration((1 - b.left) / l.burst * float64(l.every))
	}
	b.left--
	l.seen[address] = b
	return 0
}

func (l *limiter) refilled(b bucket, now time.Time) float64 {
	return min(l.burst, b.left+l.burst*float64(now.Sub(b.at))/float64(l.every))
}

// forget drops who has a full bucket again, and all where that is not enough.
func (l *limiter) forget(now time.Time) {
	if len(l.seen) < maxAddresses {
		return
	}
	for address, b := range l.seen {
		if l.refilled(b, now) >= l.burst {
			delete(l.seen, address)
		}
	}
	if len(l.seen) >= maxAddresses {
		clear(l.seen)
	}
}

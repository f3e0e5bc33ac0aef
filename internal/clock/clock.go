// Package clock makes of clocks that jump a time that decisions can go by. It
// reads none itself.
package clock

import (
	"fmt"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// How far clocks may be apart: beyond the first it is logged, beyond the second
// nothing is decided.
const (
	Warn = 2 * time.Second
	Max  = 30 * time.Second
)

// Reading is an instant as decisions see it. The database's clock is the
// reference, and one that goes back or stands still is not followed: nothing
// that was over begins again.
type Reading struct {
	Now    time.Time     // never before a fact, nor before what this process was told earlier
	Behind time.Duration // how far the database's clock is behind Now
	Apart  time.Duration // how far it is from this process's
}

// Sure is nil where the clocks agree well enough to decide by them. Errors:
// fault Unavailable, with the code "clock.unsure".
func (c Reading) Sure() error {
	unsure := fault.New(fault.Unavailable, "clock.unsure", "it is not known what time it is, so nothing is decided")
	switch {
	case c.Behind > Max:
		return unsure.Because(fmt.Sprintf("the database's clock is %s behind what was recorded or seen", c.Behind.Round(time.Second))).
			Remedy("set it right; where it was ahead and is right now, decisions go on once it has caught up")
	case c.Apart > Max:
		return unsure.Because(fmt.Sprintf("the database's clock and this server's differ by %s", c.Apart.Round(time.Second))).
			Remedy("synchronise both with NTP")
	}
	return nil
}

// Steady is time that neither goes back nor stands still: the furthest that any
// clock has shown, carried on by the process's own monotonic clock at nine tenths
// of its rate, so that a clock that was ahead and is put right catches up.
type Steady struct {
	mu   sync.Mutex
	seen time.Time
	at   time.Time // monotonic
}

// Read is the time at a monotonic instant at which a clock showed shown.
func (s *Steady) Read(shown, at time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.seen.IsZero() {
		carried := s.seen.Add(max(0, at.Sub(s.at)) / 10 * 9)
		if shown.Before(carried) {
			return carried
		}
	}
	if at.After(s.at) {
		s.seen, s.at = shown, at
	}
	return shown
}

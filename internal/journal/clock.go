package journal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// How far clocks may be apart: beyond the first it is logged, beyond the second
// nothing is decided.
const (
	clockWarn = 2 * time.Second
	clockMax  = 30 * time.Second
)

// Clock is an instant as decisions see it. The database's clock is the
// reference, and one that goes back or stands still is not followed: nothing
// that was over begins again.
type Clock struct {
	Now    time.Time     // never before a fact, nor before what this process was told earlier
	Behind time.Duration // how far the database's clock is behind Now
	Apart  time.Duration // how far it is from this process's
}

// Sure is nil where the clocks agree well enough to decide by them. Errors:
// fault Unavailable, with the code "clock.unsure".
func (c Clock) Sure() error {
	unsure := fault.New(fault.Unavailable, "clock.unsure", "it is not known what time it is, so nothing is decided")
	switch {
	case c.Behind > clockMax:
		return unsure.Because(fmt.Sprintf("the database's clock is %s behind what was recorded or seen", c.Behind.Round(time.Second))).
			Remedy("set it right; where it was ahead and is right now, decisions go on once it has caught up")
	case c.Apart > clockMax:
		return unsure.Because(fmt.Sprintf("the database's clock and this server's differ by %s", c.Apart.Round(time.Second))).
			Remedy("synchronise both with NTP")
	}
	return nil
}

// steady is time that neither goes back nor stands still: the furthest that any
// clock has shown, carried on by the process's own monotonic clock at nine tenths
// of its rate, so that a clock that was ahead and is put right catches up.
type steady struct {
	mu   sync.Mutex
	seen time.Time
	at   time.Time // monotonic
}

// read is the time at a monotonic instant at which a clock showed shown.
func (s *steady) read(shown, at time.Time) time.Time {
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

// Clock reads the clocks.
func (s *Snapshot) Clock(ctx context.Context) (Clock, error) {
	before := s.journal.wall()
	database, newest, err := readClock(ctx, s.tx)
	if err != nil {
		return Clock{}, err
	}
	now := s.journal.steady.read(later(database, newest), time.Now()).UTC().Truncate(time.Microsecond)
	c := Clock{Now: now, Behind: now.Sub(database)}
	if s.tx.Dialect == store.Postgres { // SQLite's clock is the process's own
		c.Apart = max(before.Sub(database), database.Sub(s.journal.wall()), 0)
	}
	s.journal.warnOfClock(c)
	return c, nil
}

// Now is the instant of Clock.
func (s *Snapshot) Now(ctx context.Context) (time.Time, error) {
	c, err := s.Clock(ctx)
	return c.Now, err
}

// readClock is the database's clock, and the time of the newest fact.
func readClock(ctx context.Context, tx *store.Tx) (database, newest time.Time, err error) {
	query := "SELECT time, 0 FROM head WHERE id = 1"
	if tx.Dialect == store.Postgres {
		query = "SELECT time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM head WHERE id = 1"
	}
	var last, now event.Micros
	if err := tx.QueryRow(ctx, query).Scan(&last, &now); err != nil {
		return database, newest, fmt.Errorf("read the clock: %w", err)
	}
	if tx.Dialect == store.Postgres {
		return now.Time(), last.Time(), nil
	}
	database, err = tx.Now(ctx)
	return database, last.Time(), err
}

// stamp is the time of the facts that are appended on a head: never before the
// newest, nor before what a decision was told that they record. Where the clocks
// are too far apart to decide by, the journal's time waits for the database's.
func (j *Journal) stamp(h head) event.Micros {
	plain := max(h.now, h.time)
	carried := event.MicrosOf(j.steady.read(plain.Time(), time.Now()))
	if carried.Time().Sub(h.now.Time()) > clockMax {
		return plain
	}
	return max(plain, carried)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// warnOfClock logs clocks that are apart, once a minute.
func (j *Journal) warnOfClock(c Clock) {
	if c.Behind <= clockWarn && c.Apart <= clockWarn {
		return
	}
	now := time.Now()
	if last := j.warned.Load(); last != nil && now.Sub(*last) < time.Minute || !j.warned.CompareAndSwap(j.warned.Load(), &now) {
		return
	}
	j.log.Warn("the clocks disagree", "behind", c.Behind, "apart", c.Apart, "decides", c.Sure() == nil)
}

package journal

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/clock"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Clock is an instant as decisions see it.
type Clock = clock.Reading

// Clock reads the clocks.
func (s *Snapshot) Clock(ctx context.Context) (Clock, error) {
	before := s.journal.wall()
	database, newest, err := readClock(ctx, s.tx)
	if err != nil {
		return Clock{}, err
	}
	now := s.journal.steady.Read(later(database, newest), time.Now()).UTC().Truncate(time.Microsecond)
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
	none := errNoHead
	err = tx.Ask(ctx, func(r store.Row) error {
		none = nil
		return r.Scan(&last, &now)
	}, query)
	if err == nil {
		err = tx.Answers(ctx)
	}
	if err = cmp.Or(err, none); err != nil {
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
	carried := event.MicrosOf(j.steady.Read(plain.Time(), time.Now()))
	if carried.Time().Sub(h.now.Time()) > clock.Max {
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
	if c.Behind <= clock.Warn && c.Apart <= clock.Warn {
		return
	}
	now := time.Now()
	if last := j.warned.Load(); last != nil && now.Sub(*last) < time.Minute || !j.warned.CompareAndSwap(j.warned.Load(), &now) {
		return
	}
	j.log.Warn("the clocks disagree", "behind", c.Behind, "apart", c.Apart, "decides", c.Sure() == nil)
}

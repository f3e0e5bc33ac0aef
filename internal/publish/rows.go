package publish

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// row is what is known of a target, on every replica.
type row struct {
	size    uint64 // of the newest checkpoint that it has
	time    time.Time
	failure string // of the newest try
	code    string // of what it has shown against the journal; "" for nothing
	shown   string
}

func readRow(ctx context.Context, tx *store.Tx, name string) (r row, err error) {
	var at event.Micros
	err = tx.QueryRow(ctx, "SELECT size, time, failure, code, shown FROM publications WHERE target = $1", name).
		Scan(&r.size, &at, &r.failure, &r.code, &r.shown)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, nil
	}
	r.time = at.Time()
	return r, err
}

// row is a target's row and the database's clock.
func (p *Publisher) row(ctx context.Context, name string) (r row, now time.Time, err error) {
	err = p.o.DB.ReadTx(ctx, func(tx *store.Tx) error {
		if now, err = tx.Now(ctx); err == nil {
			r, err = readRow(ctx, tx, name)
		}
		return err
	})
	if err != nil {
		return r, now, fmt.Errorf("read how far %s is: %w", name, err)
	}
	return r, now, nil
}

// record writes down what came of a try. Only success takes back what a target
// has shown: one that cannot be asked has not changed its mind.
func (p *Publisher) record(ctx context.Context, name string, size uint64, failed error) error {
	err := p.o.DB.InTx(ctx, func(tx *store.Tx) error {
		r, err := readRow(ctx, tx, name)
		if err != nil {
			return err
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		var f *fault.Error
		switch {
		case failed == nil:
			r = row{size: size, time: now}
		case errors.As(failed, &f) && (f.Code == codeBehind || f.Code == codeOther):
			r.failure, r.code, r.shown = f.What, f.Code, f.Why
		case f != nil:
			r.failure = f.What // anybody may read it, and the reason names addresses and files: that is in the log
		default:
			r.failure = "see the log"
		}
		_, err = tx.Exec(ctx, `INSERT INTO publications (target, size, time, failure, code, shown) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (target) DO UPDATE SET size = excluded.size, time = excluded.time, failure = excluded.failure, code = excluded.code, shown = excluded.shown`,
			name, int64(r.size), int64(event.MicrosOf(r.time)), r.failure, r.code, r.shown)
		return err
	})
	if err != nil {
		return fmt.Errorf("write down how far %s is: %w", name, err)
	}
	return nil
}

// heed stops the journal where a target that is in the settings has shown that it is another.
func (p *Publisher) heed(ctx context.Context) error {
	for _, t := range p.targets {
		r, _, err := p.row(ctx, t.name)
		if err != nil {
			return err
		}
		if r.code != "" {
			p.o.Journal.Refuse(shown(r.code, r.shown))
		}
	}
	return nil
}

// Check is how publishing stands, for readiness: Err is what is wrong, or nil.
type Check struct {
	Name   string
	Detail string
	Err    error
}

// stale is the age at which a target counts as failing although nobody says so.
const stale = 3 * onceMore

// Checks is one for all witnesses, and one for each place.
func (p *Publisher) Checks(ctx context.Context) ([]Check, error) {
	var all []Check
	var witnesses []row
	var troubles []string
	for _, t := range p.targets {
		r, now, err := p.row(ctx, t.name)
		if err != nil {
			return nil, err
		}
		trouble := r.failure
		switch {
		case trouble == "" && r.size == 0:
			trouble = "it has no checkpoint yet"
		case trouble == "" && now.Sub(r.time) > stale+t.pace:
			trouble = "it was not asked for " + age(now, r.time)
		}
		if strings.HasPrefix(t.name, "witness/") {
			if trouble != "" {
				troubles = append(troubles, t.what+": "+trouble)
			}
			if r.size > 0 {
				witnesses = append(witnesses, row{size: r.size, time: r.time, shown: age(now, r.time)})
			}
			continue
		}
		c := Check{Name: strings.TrimPrefix(t.name, "place/")}
		if r.size > 0 {
			c.Detail = fmt.Sprintf("%d facts, %s ago", r.size, age(now, r.time))
		}
		if trouble != "" {
			c.Err = fault.New(fault.Unavailable, "ready.place", strings.TrimSuffix(trouble+"; "+c.Detail, "; "))
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	if len(p.o.Witnesses) > 0 {
		all = slices.Insert(all, 0, p.witnesses(witnesses, troubles))
	}
	return all, nil
}

// witnesses says what as many of them as are demanded have cosigned.
func (p *Publisher) witnesses(list []row, troubles []string) Check {
	c := Check{Name: "witnesses", Detail: fmt.Sprintf("no checkpoint is cosigned by %d", p.o.Quorum)}
	if len(list) >= p.o.Quorum {
		slices.SortFunc(list, func(a, b row) int { return cmp.Compare(b.size, a.size) })
		r := list[p.o.Quorum-1]
		c.Detail = fmt.Sprintf("%d of %d have cosigned %d facts, %s ago", p.o.Quorum, len(p.o.Witnesses), r.size, r.shown)
	}
	if len(p.o.Witnesses)-len(troubles) < p.o.Quorum {
		c.Err = fault.New(fault.Unavailable, "ready.witnesses", strings.Join(append([]string{c.Detail}, troubles...), "; "))
	}
	return c
}

func age(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }

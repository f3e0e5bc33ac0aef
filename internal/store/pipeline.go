package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"signalbox.dev/signalbox/internal/failpoint"
)

// Row is a row of an answer.
type Row interface{ Scan(dest ...any) error }

// waiting is a statement that has not been sent yet. Scan is called for each of
// its rows, and nil where only its effect is wanted.
type waiting struct {
	text string
	args []any
	scan func(Row) error
}

// queue keeps a statement until flush; the first of a transaction begins it.
func (t *Tx) queue(w waiting) {
	if !t.begun {
		t.begun = true
		t.queued = append(t.queued, waiting{text: t.opening})
	}
	t.queued = append(t.queued, w)
}

// flush sends what was queued, in one round trip.
func (t *Tx) flush(ctx context.Context) error {
	if !t.pipelined || t.failed != nil {
		return t.failed
	}
	if !t.begun {
		t.begun = true
		t.queued = append(t.queued, waiting{text: t.opening})
	}
	if _, err := t.send(ctx); err != nil {
		t.failed = err
	}
	if !t.reads {
		failpoint.Hit(failpoint.TxSent)
	}
	return t.failed
}

// send sends what was queued, in one round trip, and gives each row to whoever
// waits for it. It returns how many statements have succeeded; the server skips
// all after the first that has not.
func (t *Tx) send(ctx context.Context) (done int, err error) {
	if len(t.queued) == 0 {
		return 0, nil
	}
	all := t.queued
	t.queued = nil
	batch := &pgx.Batch{}
	for _, w := range all {
		batch.Queue(w.text, w.args...)
	}
	err = t.on.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", driver)
		}
		r := c.Conn().SendBatch(ctx, batch)
		for _, w := range all {
			if err := w.read(r); err != nil {
				_ = r.Close()
				return fmt.Errorf("%s: %w", beginning(w.text), err)
			}
			done++
		}
		return r.Close()
	})
	return done, err
}

// read reads the answer to a statement.
func (w waiting) read(r pgx.BatchResults) error {
	if w.scan == nil {
		tag, err := r.Exec()
		if err == nil && w.text == commit && tag.String() == "ROLLBACK" {
			return errUndone
		}
		return err
	}
	rows, err := r.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := w.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

const commit = "commit"

// errUndone is a commit that the server has answered with a rollback, as it
// does where a statement has failed before and nobody has looked.
var errUndone = errors.New("the database has undone the transaction")

// commitPipeline commits a transaction of PostgreSQL, together with what was queued. An
// *Uncertain says that it may have taken effect; where the server itself has
// refused a statement before the commit, it has not come to the commit.
func (t *Tx) commitPipeline(ctx context.Context) error {
	if t.failed != nil || !t.begun {
		return t.failed
	}
	t.queue(waiting{text: commit})
	last := len(t.queued) - 1
	done, err := t.send(ctx)
	if err == nil {
		t.begun = false
		return nil
	}
	var said *pgconn.PgError
	if errors.Is(err, errUndone) || done < last && errors.As(err, &said) && said.SeverityUnlocalized == "ERROR" {
		return err
	}
	return &Uncertain{err}
}

// rollbackPipeline ends a transaction that was not committed. Where it cannot be sent,
// the pool closes the connection instead, and with it the transaction.
func (t *Tx) rollbackPipeline(ctx context.Context) {
	if !t.begun || len(t.queued) > 0 && t.queued[0].text == t.opening {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = t.on.ExecContext(ctx, "rollback")
}

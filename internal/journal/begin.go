package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// noun is that of the journal's own stream.
const noun = "journal"

// Begun is the body of journal.begun, the fact at position 0.
type Begun struct {
	Origin string `json:"origin"`
}

// own is the state of the journal's own stream.
type own struct {
	Begun
	Restoration *Restoration `json:"restoration,omitempty"` // the newest
}

// shape folds the journal's own stream: its origin, and how it was restored.
func shape() event.Shape {
	return event.ShapeOf(noun, 1, func(s *own, f event.Recorded) error {
		switch f.Kind {
		case event.JournalBegun:
			return f.Body(&s.Begun)
		case event.FieldsDisposed:
			return nil
		case event.JournalRestored, event.RestoreProposed, event.RestoreConfirmed:
			return s.restore(f)
		}
		return fmt.Errorf("%s is not a kind of this stream", f.Kind)
	}, nil)
}

// Begin gives an empty database its origin, "signalbox.local/<uuidv7>", and
// returns it. Begun reports whether there are facts already, whose signing keys
// must then exist. It is called before Open where the key's name is the origin.
func Begin(ctx context.Context, db *store.DB) (origin string, begun bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", false, fmt.Errorf("mint an origin: %w", err)
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO head (id, origin, size, time) VALUES (1, $1, 0, 0) ON CONFLICT (id) DO NOTHING",
			"signalbox.local/"+id.String())
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.JournalOrigin)
		h, err := lockHead(ctx, tx)
		origin, begun = h.origin, h.size > 0
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("read the journal's origin: %w", err)
	}
	return origin, begun, nil
}

// appendBegun records the first fact. Processes that begin together send the
// same command, of which one is recorded.
func (j *Journal) appendBegun(ctx context.Context) error {
	if j.grown.size() > 0 {
		return nil
	}
	begun := Begun{Origin: j.origin}
	body, err := json.Marshal(begun)
	if err != nil {
		return err
	}
	_, err = j.Append(ctx, Command{
		ID: "journal/begun", Request: sha256.Sum256(body),
		Actor: "system/journal", Auth: "local", Source: "journal",
		Facts: []event.Draft{{Stream: j.Stream(), Kind: event.JournalBegun, Body: begun}},
	})
	return err
}

// head is the one row that says how far the journal goes. Whoever holds its
// lock is the only writer, in whatever process.
type head struct {
	origin string
	size   uint64
	time   event.Micros // of the newest fact
	now    event.Micros // by the database's clock, once the head was held
}

var errNoHead = errors.New("the journal has no head")

// askHead asks for the head and its lock. What is asked after it in the same
// transaction is answered as of when the lock was given.
func askHead(ctx context.Context, tx *store.Tx, h *head) error {
	query := "SELECT origin, size, time, 0 FROM head WHERE id = 1"
	if tx.Dialect == store.Postgres {
		query = `SELECT origin, size, time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
			FROM (SELECT origin, size, time FROM head WHERE id = 1 FOR UPDATE) AS held`
	}
	err := tx.Ask(ctx, func(r store.Row) error { return r.Scan(&h.origin, &h.size, &h.time, &h.now) }, query)
	if err != nil {
		return fmt.Errorf("take the journal's head: %w", err)
	}
	return nil
}

// held completes a head that was asked for, once there are answers.
func (h *head) held(ctx context.Context, tx *store.Tx) error {
	if h.origin == "" {
		return errNoHead
	}
	if tx.Dialect == store.Postgres {
		return nil
	}
	now, err := tx.Now(ctx)
	h.now = event.MicrosOf(now)
	return err
}

func lockHead(ctx context.Context, tx *store.Tx) (head, error) {
	var h head
	if err := askHead(ctx, tx, &h); err != nil {
		return h, err
	}
	if err := tx.Answers(ctx); err != nil {
		return h, fmt.Errorf("take the journal's head: %w", err)
	}
	return h, h.held(ctx, tx)
}

const headColumns = "SELECT origin, size, time FROM head WHERE id = 1"

func readHead(ctx context.Context, tx *store.Tx) (head, error) {
	var h head
	err := tx.QueryRow(ctx, headColumns).Scan(&h.origin, &h.size, &h.time)
	if err != nil {
		return h, fmt.Errorf("read the journal's head: %w", err)
	}
	return h, nil
}

// fits checks that the last fact is where the head says, and of its time.
func (h head) fits(ctx context.Context, tx *store.Tx) error {
	if h.size == 0 {
		return nil
	}
	newest, err := facts(ctx, tx, factColumns+"ORDER BY position DESC LIMIT 1")
	if err != nil {
		return err
	}
	if len(newest) == 0 || newest[0].Position != h.size-1 || newest[0].Time != h.time {
		return fault.New(fault.Unverified, "journal.head", fmt.Sprintf("the journal's head says %d facts, the last at %v, and its last fact says otherwise", h.size, h.time)).
			Remedy("restore a backup, or the newest state")
	}
	return nil
}

// checkHead learns the size and compares head and tree with the newest
// checkpoint. A journal that has lost what was signed takes no more facts.
func (j *Journal) checkHead(ctx context.Context) error {
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		j.grown.raise(h.size)
		last, err := newest(ctx, tx)
		if err != nil {
			return err
		}
		if err := last.holds(ctx, tx, h); err != nil {
			return err
		}
		return h.fits(ctx, tx)
	})
	var wrong *fault.Error
	if errors.As(err, &wrong) && wrong.Kind == fault.Unverified {
		j.stop(wrong)
		return nil
	}
	return err
}

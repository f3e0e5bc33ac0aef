package journal

import (
	"context"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// dispose removes the private fields of the facts that a disposal names, in
// the transaction that records it: their digests stay, so every proof holds.
// It is the one change that is ever made to a fact. A crash leaves both or neither.
func (j *Journal) dispose(ctx context.Context, tx *store.Tx, p *plan) error {
	for _, f := range p.facts {
		if f.Kind != event.FieldsDisposed {
			continue
		}
		var d event.Disposed
		if err := f.Body(&d); err != nil {
			return err
		}
		for _, position := range d.Positions {
			if err := disposeOne(ctx, tx, position); err != nil {
				return err
			}
			failpoint.Hit(failpoint.JournalDisposing)
		}
		failpoint.Hit(failpoint.JournalDisposed)
	}
	return nil
}

// checkDisposal refuses a disposal of what is not there, before it could fail
// the batch that it travels in.
func (j *Journal) checkDisposal(d event.Draft) error {
	if d.Kind != event.FieldsDisposed {
		return nil
	}
	body, ok := d.Body.(event.Disposed)
	if !ok || len(body.Positions) == 0 {
		return fault.Invalidf("journal.disposal", "the disposal names no fact")
	}
	if last := slices.Max(body.Positions); last >= j.grown.size() {
		return fault.Invalidf("journal.disposal", "there is no fact at %d to dispose of", last)
	}
	return nil
}

func disposeOne(ctx context.Context, tx *store.Tx, position uint64) error {
	var private []byte
	err := tx.QueryRow(ctx, "SELECT private FROM facts WHERE position = $1", int64(position)).Scan(&private)
	if err != nil {
		return fmt.Errorf("private part of %d: %w", position, err)
	}
	digests, err := event.Dispose(private)
	if err != nil {
		return fmt.Errorf("dispose of the private part of %d: %w", position, err)
	}
	if _, err := tx.Exec(ctx, "UPDATE facts SET private = $1 WHERE position = $2", digests, int64(position)); err != nil {
		return fmt.Errorf("dispose of the private part of %d: %w", position, err)
	}
	return nil
}

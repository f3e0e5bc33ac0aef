package journal

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Walk hands every fact to page, in order and some at a time, with how many
// there are; then end may look at what stands on the same snapshot.
func (j *Journal) Walk(ctx context.Context, page func(facts []event.Recorded, size uint64) error, end func(*store.Tx) error) error {
	return j.db.ReadTx(ctx, func(tx *store.Tx) error {
		if err := walk(ctx, tx, page); err != nil {
			return err
		}
		return end(tx)
	})
}

func walk(ctx context.Context, tx *store.Tx, each func([]event.Recorded, uint64) error) error {
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	for at := uint64(0); at < h.size; {
		facts, err := page(ctx, tx, at, FactsMax)
		if err != nil {
			return err
		}
		if len(facts) == 0 || facts[0].Position != at {
			return noFact(at)
		}
		if err := each(facts, h.size); err != nil {
			return err
		}
		at += uint64(len(facts))
	}
	return nil
}

// RebuildStates folds every stream and key anew from the facts and puts them in
// the place of those that stand. Nothing is appended meanwhile.
func (j *Journal) RebuildStates(ctx context.Context, progress Progress) error {
	err := j.db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := lockHead(ctx, tx); err != nil {
			return err
		}
		if err := tx.Patience(ctx); err != nil {
			return err
		}
		cold := j.states.Cold()
		err := walk(ctx, tx, func(facts []event.Recorded, size uint64) error {
			for _, f := range facts {
				if err := cold.Add(f); err != nil {
					return err
				}
			}
			progress("states", facts[len(facts)-1].Position+1, size)
			return nil
		})
		if err != nil {
			return err
		}
		return cold.Replace(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("rebuild the states: %w", err)
	}
	return nil
}

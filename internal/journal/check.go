package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
)

// CheckRebuild folds all facts from the first in memory and compares what comes
// out with the stored versions, states and keys, on one snapshot. Errors: fault
// Unverified with the first differences, or the positions of facts that are not
// those that were recorded; see also store.DB.Sound.
func (j *Journal) CheckRebuild(ctx context.Context, progress Progress) error {
	var wrong []string
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		cold := j.states.Cold()
		for at := uint64(0); at < h.size; progress("check", at, h.size) {
			facts, err := page(ctx, tx, at, FactsMax)
			if err != nil {
				wrong = unreadable(ctx, tx, at, h.size)
				return err
			}
			for _, f := range facts {
				if err := cold.Add(f); err != nil {
					return err
				}
			}
			at += uint64(len(facts))
		}
		wrong, err = cold.Compare(ctx, tx, 10)
		return err
	})
	switch {
	case len(wrong) > 0 && err != nil:
		return fault.New(fault.Unverified, "journal.rotten", "facts are not those that were recorded").
			Because(strings.Join(wrong, "; ")).Remedy("check the disk, and restore a backup").Cause(err)
	case err != nil:
		return fmt.Errorf("fold the journal anew: %w", err)
	case len(wrong) > 0:
		return fault.New(fault.Unverified, "journal.state", "the stored state is not what the facts make").
			Because(strings.Join(wrong, "; ")).Remedy("verify an export of the journal")
	}
	return j.db.Sound(ctx)
}

// unreadable is one sentence for each of the first facts from a position on that
// cannot be read.
func unreadable(ctx context.Context, tx *store.Tx, from, size uint64) []string {
	var all []string
	for at := from; at < size && len(all) < 10 && ctx.Err() == nil; at++ {
		if _, err := page(ctx, tx, at, 1); err != nil {
			var wrong *fault.Error
			if errors.As(err, &wrong) && wrong.Code == "journal.rotten" {
				all = append(all, fmt.Sprintf("position %d: %s", at, wrong.Why))
			} else {
				all = append(all, fmt.Sprintf("position %d: %v", at, err))
			}
		}
	}
	return all
}

// sealedRow is the row of table views that says that every state has a checksum.
const sealedRow = statePrefix + state.SetNoun

// refoldChunk is how many streams are folded anew in one transaction.
const refoldChunk = 200

// refoldStates folds the streams of every noun whose fold number was raised, so
// that their keys find them. What an older process writes in the meantime is
// folded anew when it is loaded.
func (j *Journal) refoldStates(ctx context.Context) error {
	var rows map[string]ViewStatus
	err := j.db.ReadTx(ctx, func(tx *store.Tx) (err error) {
		rows, err = viewRows(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if rows[sealedRow].Number == 0 {
		err := j.db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := lockHead(ctx, tx); err != nil {
				return err
			}
			if err := j.states.Seal(ctx, tx); err != nil {
				return err
			}
			return writeView(ctx, tx, ViewStatus{Name: sealedRow, Number: 1})
		})
		if err != nil {
			return fmt.Errorf("give states their checksums: %w", err)
		}
	}
	numbers := j.states.Numbers()
	for _, noun := range slices.Sorted(maps.Keys(numbers)) {
		if rows[statePrefix+noun].Number >= numbers[noun] {
			continue
		}
		if err := j.refold(ctx, noun); err != nil {
			return fmt.Errorf("fold every %s anew: %w", noun, err)
		}
		failpoint.Hit(failpoint.StatesRefolded)
		if err := j.db.InTx(ctx, func(tx *store.Tx) error {
			return writeView(ctx, tx, ViewStatus{Name: statePrefix + noun, Number: numbers[noun]})
		}); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) refold(ctx context.Context, noun string) error {
	var older []event.Stream
	err := j.db.ReadTx(ctx, func(tx *store.Tx) (err error) {
		older, err = j.states.Older(ctx, tx, noun)
		return err
	})
	if err == nil && len(older) > 0 {
		err = j.db.Sound(ctx) // an index that has rotted hides facts from their fold
	}
	if err != nil {
		return err
	}
	total := uint64(len(older))
	for chunk := range slices.Chunk(older, refoldChunk) {
		err := j.db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := lockHead(ctx, tx); err != nil {
				return err
			}
			return j.states.Refold(ctx, tx, chunk)
		})
		if err != nil {
			return err
		}
		older = older[len(chunk):]
		j.progress(statePrefix+noun, total-uint64(len(older)), total)
	}
	return nil
}

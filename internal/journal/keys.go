package journal

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/trust"
)

// Signers finds who signs by a key, given as name+hash+base64: one that a
// rotation has brought, perhaps in another process. Errors: those of whoever keeps it.
type Signers func(vkey string) (note.Signer, error)

// signs reports whether there is anything to sign with.
func (j *Journal) signs() bool { return j.signer != nil || j.signers != nil }

// signerOf is who signs for the journal. Which key that is stands in the
// journal, never in memory: what a process has loaded may be ended since.
func (j *Journal) signerOf(line trust.Line) (note.Signer, error) {
	if current := line.Current(); current != "" && j.signers != nil {
		return j.signers(current)
	} else if current == "" && j.signer != nil {
		return j.signer, nil
	}
	return nil, fault.New(fault.Unavailable, "journal.no-key", "the key that signs for this journal is not here").
		Because("another process may have rotated it into a place that this one does not see").
		Remedy("give each replica the same directory of keys")
}

func (j *Journal) keyLine(ctx context.Context, tx *store.Tx, p trust.Purpose) (trust.Line, error) {
	stream := trust.StreamOf(p)
	all, err := j.states.Load(ctx, tx, stream)
	if err != nil {
		return trust.Line{}, fmt.Errorf("which key signs: %w", err)
	}
	return event.Decode[trust.Line](all[stream].State)
}

// turns is the rotations among the first size facts, in order.
func (j *Journal) turns(ctx context.Context, tx *store.Tx, size uint64) ([]trust.Turn, error) {
	journal, err := j.keyLine(ctx, tx, trust.ForJournal)
	if err != nil {
		return nil, err
	}
	permit, err := j.keyLine(ctx, tx, trust.ForPermits)
	return trust.Before(size, journal, permit), err
}

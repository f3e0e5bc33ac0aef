// Package keyring says which of an installation's keys signs now: the journal
// names it, seal has it.
//
// Signing is left to seal, and the order of rotations to the journal. Invariant:
// nothing is remembered; each answer is of the journal as it stands.
package keyring

import (
	"cmp"
	"context"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/trust"
	"signalbox.dev/signalbox/internal/verify"
)

// purposes are those whose keys are rotated.
func purposes() []seal.Purpose { return []seal.Purpose{seal.Journal, seal.Permit} }

func line(ctx context.Context, s *journal.Snapshot, p seal.Purpose) (trust.Line, error) {
	_, state, err := s.Load(ctx, trust.StreamOf(trust.Purpose(p)))
	if err != nil {
		return trust.Line{}, err
	}
	return event.Decode[trust.Line](state)
}

// Signing is the public half of the key of a purpose that signs now.
func Signing(ctx context.Context, j *journal.Journal, k *seal.Keys, p seal.Purpose) (vkey string, err error) {
	err = j.Snapshot(ctx, func(s *journal.Snapshot) error {
		l, err := line(ctx, s, p)
		vkey = cmp.Or(l.Current(), k.First(p))
		return err
	})
	return vkey, err
}

// Check reports why not each of the keys that sign now can, or nil. Keys of
// which none has signed the newest checkpoint are another journal's.
func Check(ctx context.Context, j *journal.Journal, k *seal.Keys) error {
	if err := continues(ctx, j, k); err != nil {
		return err
	}
	for _, p := range purposes() {
		vkey, err := Signing(ctx, j, k, p)
		if err == nil {
			err = k.Check(p, vkey)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// continues holds the keys against the newest checkpoint, if there is one.
func continues(ctx context.Context, j *journal.Journal, k *seal.Keys) error {
	text, err := j.Checkpoint(ctx)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	var public []byte
	if err := j.Snapshot(ctx, func(s *journal.Snapshot) error { // after the checkpoint: it was signed by none of a later rotation
		public, err = Public(ctx, s, k)
		return err
	}); err != nil {
		return err
	}
	keys, err := trust.Parse(public)
	if err != nil {
		return err
	}
	if _, err := verify.Checkpoint([]byte(text), keys); err != nil {
		return fault.New(fault.Unavailable, "keys.other-journal", "the journal key is not the one that has signed this journal").
			Because("the newest checkpoint does not verify under it").
			Remedy("give the server the keys of this installation; a new key takes an old one's place by keys rotate alone").Cause(err)
	}
	return nil
}

// Public is the file of public keys, with the span of each: what verify.ParseKeys reads.
func Public(ctx context.Context, s *journal.Snapshot, k *seal.Keys) ([]byte, error) {
	var all []trust.Named
	for _, p := range purposes() {
		l, err := line(ctx, s, p)
		if err != nil {
			return nil, err
		}
		all = append(all, trust.Named{Purpose: trust.Purpose(p), First: k.First(p), Line: l})
	}
	return trust.Text(all...)
}

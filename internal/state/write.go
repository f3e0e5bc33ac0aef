package state

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/store"
)

// Write writes every stream that the kept trials changed, and its keys.
func (b *Batch) Write(ctx context.Context, tx *store.Tx) error {
	streams := store.Rows{
		Into: "INSERT INTO streams (stream, version, fold, state, sum)",
		Then: "ON CONFLICT (stream) DO UPDATE SET version = excluded.version, fold = excluded.fold, state = excluded.state, sum = excluded.sum",
	}
	keys := store.Rows{Into: "INSERT INTO keys (kind, name, value, stream, since, until)"}
	var rekeyed, unknown []any // unknown are those whose stored keys are of another fold
	sums := keySums{}
	for _, stream := range slices.Sorted(maps.Keys(b.now)) {
		before, after := b.base[stream], b.now[stream]
		shape, _, err := b.states.shape(stream)
		if err != nil {
			return err
		}
		streams.Values = append(streams.Values, []any{
			string(stream), int64(after.version), shape.Number, after.state,
			rowSum(stream, shape.Number, Stored{Version: after.version, State: after.state}),
		})
		if !before.refolded && slices.Equal(before.keys, after.keys) {
			continue
		}
		fresh := after.keys
		switch {
		case before.refolded:
			rekeyed, unknown = append(rekeyed, string(stream)), append(unknown, string(stream))
		case contains(after.keys, before.keys):
			fresh = without(after.keys, before.keys) // most changes give a stream keys and take none
			sums.take(stream, before.keys)
		default:
			rekeyed = append(rekeyed, string(stream))
			sums.take(stream, before.keys)
		}
		sums.add(stream, after.keys)
		keys.Values = append(keys.Values, keyRows(stream, fresh)...)
	}
	stored, err := keysOf(ctx, tx, unknown)
	if err != nil {
		return err
	}
	for stream, keys := range stored {
		sums.take(stream, keys)
	}
	if err := tx.Insert(ctx, streams); err != nil {
		return fmt.Errorf("write streams: %w", err)
	}
	failpoint.Hit(failpoint.StateStreams)
	if err := replaceKeys(ctx, tx, rekeyed, keys); err != nil {
		return err
	}
	return sums.write(ctx, tx)
}

func contains(all, some []event.Key) bool { return len(without(some, all)) == 0 }

// without is the keys that are not among others.
func without(keys, others []event.Key) []event.Key {
	var left []event.Key
	for _, k := range keys {
		if !slices.Contains(others, k) {
			left = append(left, k)
		}
	}
	return left
}

func keyRows(stream event.Stream, keys []event.Key) [][]any {
	var rows [][]any
	for _, k := range keys {
		rows = append(rows, []any{string(k.Kind), k.Name, k.Value, string(stream), int64(k.From), int64(k.Until)})
	}
	return rows
}

// replaceKeys deletes all keys of streams before it writes the new ones, so that
// a unique key can pass from one stream to another in one transaction.
func replaceKeys(ctx context.Context, tx *store.Tx, streams []any, keys store.Rows) error {
	if err := tx.LaterAmong(ctx, "DELETE FROM keys WHERE stream IN (?)", streams); err != nil {
		return fmt.Errorf("delete keys: %w", err)
	}
	failpoint.Hit(failpoint.StateUnkeyed)
	if err := tx.Insert(ctx, keys); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	failpoint.Hit(failpoint.StateKeys)
	return nil
}

// Refold writes streams anew whose fold number is not that of their shape. The
// caller holds the journal's head.
func (s *States) Refold(ctx context.Context, tx *store.Tx, streams []event.Stream) error {
	b, err := s.Begin(ctx, tx, streams)
	if err != nil {
		return err
	}
	for stream, e := range b.base {
		if e.broken != nil {
			return e.broken
		}
		if e.refolded {
			b.now[stream] = e
		}
	}
	return b.Write(ctx, tx)
}

// Older is the streams of a noun that were folded under a lower number than its shape has.
func (s *States) Older(ctx context.Context, tx *store.Tx, noun string) ([]event.Stream, error) {
	all, err := streams(ctx, tx, "SELECT stream FROM streams WHERE stream LIKE $1 AND fold < $2 ORDER BY stream",
		noun+"/%", s.shapes[noun].Number)
	return slices.DeleteFunc(all, func(s event.Stream) bool { return s.Noun() != noun }), err
}

// Numbers is the fold number of each noun.
func (s *States) Numbers() map[string]int {
	n := make(map[string]int, len(s.shapes))
	for noun, shape := range s.shapes {
		n[noun] = shape.Number
	}
	return n
}

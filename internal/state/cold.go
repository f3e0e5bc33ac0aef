package state

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Cold folds all facts from the first, in memory, to compare with what is
// stored. It shares the shapes with the committer, and nothing else.
type Cold struct {
	states  *States
	streams map[event.Stream]Stored
}

// Cold is an empty cold fold.
func (s *States) Cold() *Cold { return &Cold{states: s, streams: map[event.Stream]Stored{}} }

// Add folds the next fact.
func (c *Cold) Add(f event.Recorded) error {
	shape, folds, err := c.states.shape(f.Stream)
	if err != nil {
		return err
	}
	if !folds {
		return fmt.Errorf("fact %d is in set %q", f.Position, f.Stream)
	}
	e := c.streams[f.Stream]
	if e.State, err = foldOne(shape, e.State, f); err != nil {
		return err
	}
	e.Version = f.Version
	c.streams[f.Stream] = e
	for _, touch := range f.Touches {
		e := c.streams[touch.Stream]
		e.Version = touch.Version
		c.streams[touch.Stream] = e
	}
	return nil
}

// Compare is one sentence for every stream whose stored version, state or keys
// differ from the cold fold's, in no more than limit sentences.
func (c *Cold) Compare(ctx context.Context, tx *store.Tx, limit int) ([]string, error) {
	var wrong []string
	say := func(format string, args ...any) {
		if len(wrong) < limit {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	seen, err := c.compareStreams(ctx, tx, say)
	if err != nil {
		return nil, err
	}
	for _, stream := range slices.Sorted(maps.Keys(c.streams)) {
		if !seen[stream] {
			say("%s is missing", stream)
		}
	}
	if err := c.compareKeys(ctx, tx, say); err != nil {
		return nil, err
	}
	return wrong, nil
}

func (c *Cold) compareStreams(ctx context.Context, tx *store.Tx, say func(string, ...any)) (map[event.Stream]bool, error) {
	seen := make(map[event.Stream]bool, len(c.streams))
	err := tx.Each(ctx, func(r *sql.Rows) error {
		var got Stored
		var fold int
		var sum []byte
		if err := r.Scan(&got.Stream, &got.Version, &fold, &got.State, &sum); err != nil {
			return err
		}
		seen[got.Stream] = true
		shape, folds, err := c.states.shape(got.Stream)
		if err != nil {
			return err
		}
		want := c.streams[got.Stream]
		switch {
		case want.Version != got.Version:
			say("%s has version %d, its facts make %d", got.Stream, got.Version, want.Version)
		case folds && fold == shape.Number && !bytes.Equal(want.State, got.State):
			say("%s at version %d has another state than its facts make", got.Stream, got.Version)
		case !bytes.Equal(sum, rowSum(got.Stream, fold, got)):
			say("%s at version %d has another checksum than its state makes", got.Stream, got.Version)
		}
		return nil
	}, "SELECT stream, version, fold, state, sum FROM streams ORDER BY stream")
	if err != nil {
		return nil, fmt.Errorf("compare streams: %w", err)
	}
	return seen, nil
}

// owned is a key with its stream.
type owned struct {
	key event.Key
	by  event.Stream
}

func (c *Cold) compareKeys(ctx context.Context, tx *store.Tx, say func(string, ...any)) error {
	want, sums := map[owned]bool{}, keySums{}
	for stream, e := range c.streams {
		shape, _, err := c.states.shape(stream)
		if err != nil {
			return err
		}
		keys, err := extract(shape, e.State)
		if err != nil {
			return err
		}
		for _, k := range keys {
			want[owned{k, stream}] = true
		}
		sums.add(stream, keys)
	}
	err := tx.Each(ctx, func(r *sql.Rows) error {
		o, err := scanKey(r)
		if err != nil {
			return err
		}
		if !want[o] {
			say("%s has the key %s %q, which its facts do not make", o.by, o.key.Name, o.key.Value)
		}
		delete(want, o)
		return nil
	}, "SELECT kind, name, value, stream, since, until FROM keys ORDER BY stream, name, value")
	if err != nil {
		return fmt.Errorf("compare keys: %w", err)
	}
	for o := range want {
		say("%s lacks the key %s %q", o.by, o.key.Name, o.key.Value)
	}
	return compareSums(ctx, tx, sums, say)
}

func compareSums(ctx context.Context, tx *store.Tx, want keySums, say func(string, ...any)) error {
	err := tx.Each(ctx, func(r *sql.Rows) error {
		var c claim
		var sum int64
		err := r.Scan(&c.name, &c.value, &sum)
		if sum != want[c] {
			say("the keys %s %q have another sum than their facts make", c.name, c.value)
		}
		delete(want, c)
		return err
	}, "SELECT name, value, sum FROM key_sums ORDER BY name, value")
	if err != nil {
		return fmt.Errorf("compare the sums of keys: %w", err)
	}
	for c, sum := range want {
		if sum != 0 {
			say("the sum of the keys %s %q is missing", c.name, c.value)
		}
	}
	return nil
}

// Streams is how many streams the facts make.
func (c *Cold) Streams() int { return len(c.streams) }

package state

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// Taken says that a unique key belongs to another stream.
type Taken struct {
	Key event.Key
	By  event.Stream
}

// Error says which key, and whose it is.
func (t *Taken) Error() string {
	return fmt.Sprintf("%s %q belongs to %s", t.Key.Name, t.Key.Value, t.By)
}

// claim is what a unique key is unique by.
type claim struct{ name, value string }

func claimOf(k event.Key) claim { return claim{k.Name, k.Value} }

// Batch is the streams that one transaction of several commands may change. It
// is worked in memory: Trials one after the other, then Resolve, then Write.
type Batch struct {
	states  *States
	base    map[event.Stream]entry // as in the database
	now     map[event.Stream]entry // changed by trials that were kept
	owners  map[claim]event.Stream // in the database; "" is nobody's
	claimed map[claim]event.Stream // changed by trials that were kept; "" is given up
	guessed map[claim]bool         // taken to be nobody's, not yet looked up
}

// Begin loads streams for a batch, in one query. The caller holds the journal's
// head, so that nobody else writes them.
func (s *States) Begin(ctx context.Context, tx *store.Tx, streams []event.Stream) (*Batch, error) {
	a, err := s.Ask(ctx, tx, streams)
	if err != nil {
		return nil, err
	}
	if err := tx.Answers(ctx); err != nil {
		return nil, fmt.Errorf("load streams: %w", err)
	}
	return a.Batch(ctx, tx), nil
}

// Batch is Begin with streams that were asked for and are there.
func (a *Asked) Batch(ctx context.Context, tx *store.Tx) *Batch {
	a.refresh(ctx, tx)
	b := &Batch{states: a.states, base: a.entries, owners: map[claim]event.Stream{}}
	for stream, e := range b.base {
		if !e.refolded || e.broken != nil {
			continue
		}
		if e.broken = b.key(stream); e.broken != nil {
			b.base[stream] = e
		}
	}
	b.Restart()
	return b
}

// key finds out which keys a stream has that the batch began with. Most streams
// of a batch were only read, and are not asked.
func (b *Batch) key(stream event.Stream) error {
	e := b.base[stream]
	shape, _, err := b.states.shape(stream)
	if err != nil || e.keyed {
		return err
	}
	keys, err := extract(shape, e.state)
	if err == nil {
		b.keyed(stream, keys)
	}
	return err
}

// keyed remembers which keys a stream has that the batch began with.
func (b *Batch) keyed(stream event.Stream, keys []event.Key) {
	e := b.base[stream]
	e.keys, e.keyed = keys, true
	b.base[stream] = e
	for _, k := range uniques(keys) {
		b.owners[claimOf(k)] = stream
	}
}

// Restart forgets the trials that were kept, not what was learnt.
func (b *Batch) Restart() {
	b.now = map[event.Stream]entry{}
	b.claimed = map[claim]event.Stream{}
	b.guessed = map[claim]bool{}
}

// Check reports a stream of those named that could not be folded anew.
func (b *Batch) Check(streams []event.Stream) error {
	for _, s := range streams {
		if err := b.base[s].broken; err != nil {
			return err
		}
	}
	return nil
}

// Version is the stream's version after the trials kept so far.
func (b *Batch) Version(s event.Stream) uint64 { return b.at(s).version }

// State is the stream's state after the trials kept so far.
func (b *Batch) State(s event.Stream) ([]byte, error) { return b.at(s).state, b.at(s).broken }

func (b *Batch) at(s event.Stream) entry {
	if e, ok := b.now[s]; ok {
		return e
	}
	return b.base[s]
}

// Trial is one command's changes, nothing to others until kept.
type Trial struct {
	batch   *Batch
	changed map[event.Stream]entry
	facts   map[event.Stream][]event.Recorded // to be folded
}

// Try begins a trial.
func (b *Batch) Try() *Trial {
	return &Trial{batch: b, changed: map[event.Stream]entry{}, facts: map[event.Stream][]event.Recorded{}}
}

func (t *Trial) at(s event.Stream) entry {
	if e, ok := t.changed[s]; ok {
		return e
	}
	return t.batch.at(s)
}

// Raise raises the stream's version by one and returns the new one. The stream
// is one of those the batch began with, and its noun has a shape or is a set.
func (t *Trial) Raise(s event.Stream) uint64 {
	e := t.at(s)
	e.version++
	t.changed[s] = e
	return e.version
}

// Add adds a fact, for which the version of its stream has been raised.
func (t *Trial) Add(f event.Recorded) error {
	_, folds, err := t.batch.states.shape(f.Stream)
	if err != nil {
		return err
	}
	if !folds {
		return fmt.Errorf("stream %q is a set and holds no facts", f.Stream)
	}
	t.facts[f.Stream] = append(t.facts[f.Stream], f)
	return nil
}

// fold folds the facts of a stream, and makes of it what the trial changes.
func (t *Trial) fold(stream event.Stream) (before, after []event.Key, err error) {
	shape, _, err := t.batch.states.shape(stream)
	if err != nil {
		return nil, nil, err
	}
	e := t.at(stream)
	done, err := step(shape, e.state, t.facts[stream])
	if err != nil {
		return nil, nil, err
	}
	if !e.keyed { // it is as the batch began with it
		t.batch.keyed(stream, done.Before)
	}
	e.state, e.keys, e.keyed = done.State, done.After, true
	t.changed[stream] = e
	return done.Before, done.After, nil
}

// Keep folds the facts, checks the unique keys of their streams and makes the
// changes part of the batch. A *Taken keeps nothing.
func (t *Trial) Keep() error {
	b := t.batch
	given, wanted := map[claim]bool{}, map[claim]event.Stream{}
	for _, stream := range slices.Sorted(maps.Keys(t.facts)) {
		before, after, err := t.fold(stream)
		if err != nil {
			return err
		}
		for _, k := range uniques(before) {
			given[claimOf(k)] = true
		}
		for _, k := range uniques(after) {
			if by, ok := wanted[claimOf(k)]; ok && by != stream {
				return &Taken{Key: k, By: by}
			}
			wanted[claimOf(k)] = stream
		}
	}
	if err := t.clash(given, wanted); err != nil {
		return err
	}
	for c := range given {
		b.claimed[c] = ""
	}
	maps.Copy(b.claimed, wanted)
	maps.Copy(b.now, t.changed)
	return nil
}

// clash reports the first wanted key that another stream has and does not give up.
func (t *Trial) clash(given map[claim]bool, wanted map[claim]event.Stream) error {
	for _, stream := range slices.Sorted(maps.Keys(t.facts)) {
		for _, k := range uniques(t.changed[stream].keys) {
			c := claimOf(k)
			if by := t.batch.owner(c); by != "" && by != stream && !given[c] {
				return &Taken{Key: k, By: by}
			}
		}
	}
	return nil
}

func uniques(keys []event.Key) []event.Key {
	var u []event.Key
	for _, k := range keys {
		if k.Kind == event.Unique {
			u = append(u, k)
		}
	}
	return u
}

// owner is whose a key is as far as is known; an unknown one is guessed to be free.
func (b *Batch) owner(c claim) event.Stream {
	if by, ok := b.claimed[c]; ok {
		return by
	}
	by, known := b.owners[c]
	if !known {
		b.guessed[c] = true
	}
	return by
}

// Resolve looks the guessed keys up, in one query a key name, and reports
// whether all guesses were right. If not, the caller restarts the batch and
// tries its commands again, now knowing.
func (b *Batch) Resolve(ctx context.Context, tx *store.Tx) (bool, error) {
	right := true
	byName := map[string][]any{}
	for c := range b.guessed {
		b.owners[c] = ""
		byName[c.name] = append(byName[c.name], c.value)
	}
	clear(b.guessed)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		err := tx.Among(ctx, func(r *sql.Rows) error {
			c := claim{name: name}
			var by event.Stream
			if err := r.Scan(&c.value, &by); err != nil {
				return err
			}
			if !b.outgrown(c, by) {
				b.owners[c], right = by, false
			}
			return nil
		}, "SELECT value, stream FROM keys WHERE kind = 'unique' AND name = $1 AND value IN (?)", byName[name], name)
		if err != nil {
			return false, fmt.Errorf("look up unique keys: %w", err)
		}
	}
	return right, nil
}

// outgrown reports whether the row of a key in the database is of an older fold
// of a stream of the batch, which no longer has the key.
func (b *Batch) outgrown(c claim, by event.Stream) bool {
	e, ok := b.base[by]
	return ok && e.refolded && !slices.ContainsFunc(uniques(e.keys), func(k event.Key) bool { return claimOf(k) == c })
}

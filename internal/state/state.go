// Package state holds what a decision may load: each stream's folded state and
// the keys by which streams are found.
//
// It knows the tables streams and keys and how shapes fold; it leaves facts and
// their order to the journal, which alone calls what writes here, in the
// transaction that appends. Its invariant: state and keys are what a cold fold
// of the stream's facts gives, at the version the stream has.
package state

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// SetNoun is the noun of streams that have a version and nothing else.
const SetNoun = "set"

// Stored is a stream as a decision sees it. Version counts its facts and
// touches, 0 means that it does not exist; State is nil before the first fact.
type Stored struct {
	Stream  event.Stream
	Version uint64
	State   []byte
}

// History is all facts of one stream, in order.
type History func(ctx context.Context, tx *store.Tx, s event.Stream) ([]event.Recorded, error)

// States reads and folds the streams of a fixed list of shapes.
type States struct {
	shapes  map[string]event.Shape
	history History
}

// New is the States of shapes, one a noun. A state folded under another number
// than its shape has is folded anew from history when it is loaded.
func New(shapes []event.Shape, history History) (*States, error) {
	s := &States{shapes: make(map[string]event.Shape, len(shapes)), history: history}
	for _, shape := range shapes {
		_, twice := s.shapes[shape.Noun]
		switch {
		case twice:
			return nil, fmt.Errorf("two shapes for noun %q", shape.Noun)
		case shape.Noun == "" || shape.Noun == SetNoun || strings.Contains(shape.Noun, "/"):
			return nil, fmt.Errorf("a shape cannot have noun %q", shape.Noun)
		case shape.Number < 1:
			return nil, fmt.Errorf("the shape of %q has number %d; numbers start at 1", shape.Noun, shape.Number)
		}
		s.shapes[shape.Noun] = shape
	}
	return s, nil
}

// shape is how a stream folds; false for a set. A noun without a shape is an error.
func (s *States) shape(stream event.Stream) (event.Shape, bool, error) {
	if stream.Noun() == SetNoun {
		return event.Shape{}, false, nil
	}
	shape, ok := s.shapes[stream.Noun()]
	if !ok {
		return shape, false, fmt.Errorf("stream %q: no shape for this noun", stream)
	}
	return shape, true, nil
}

// Check reports a stream whose noun has no shape and is not the set's.
func (s *States) Check(streams []event.Stream) error {
	for _, stream := range streams {
		if _, _, err := s.shape(stream); err != nil {
			return err
		}
	}
	return nil
}

// Load is the state of each stream named, in one query; a stream that does not
// exist has version 0. Errors: fault Unverified where a state is not the one
// that was written.
func (s *States) Load(ctx context.Context, tx *store.Tx, streams ...event.Stream) (map[event.Stream]Stored, error) {
	entries, err := s.load(ctx, tx, streams)
	if err != nil {
		return nil, err
	}
	all := make(map[event.Stream]Stored, len(entries))
	var missing []any
	for stream, e := range entries {
		if e.broken != nil {
			return nil, e.broken
		}
		if !e.exists && stream.Noun() != SetNoun {
			missing = append(missing, string(stream))
		}
		all[stream] = Stored{Stream: stream, Version: e.version, State: e.state}
	}
	return all, absent(ctx, tx, missing)
}

// absent checks that streams that are not there have no facts either: a row may
// have rotted away. Sets have none, and who writes need not ask: facts of a
// version that stands are refused.
func absent(ctx context.Context, tx *store.Tx, streams []any) error {
	err := tx.Among(ctx, func(r *sql.Rows) error {
		var stream event.Stream
		if err := r.Scan(&stream); err != nil {
			return err
		}
		return rotten(stream, "it is missing, and its facts are not")
	}, "SELECT stream FROM facts WHERE stream IN (?)", streams)
	if err != nil {
		return fmt.Errorf("facts of streams that are missing: %w", err)
	}
	return nil
}

// entry is a stream, with its keys where they are asked for. Refolded means that
// the rows in the database are of another fold number. Broken streams are errors
// to those who ask for them, and to nobody else in the batch.
type entry struct {
	version  uint64
	state    []byte
	keys     []event.Key
	keyed    bool // keys are those of the state
	exists   bool
	refolded bool
	broken   error // why it cannot be trusted, or not be folded anew
}

// load reads streams; every one asked for is in the answer.
func (s *States) load(ctx context.Context, tx *store.Tx, streams []event.Stream) (map[event.Stream]entry, error) {
	a, err := s.Ask(ctx, tx, streams)
	if err != nil {
		return nil, err
	}
	if err := tx.Answers(ctx); err != nil {
		return nil, fmt.Errorf("load streams: %w", err)
	}
	a.refresh(ctx, tx)
	return a.entries, nil
}

// Asked is streams that were asked for.
type Asked struct {
	states  *States
	entries map[event.Stream]entry
	folds   map[event.Stream]int // of the streams that exist
}

// Ask asks for streams, which are there once tx has its answers.
func (s *States) Ask(ctx context.Context, tx *store.Tx, streams []event.Stream) (*Asked, error) {
	if err := s.Check(streams); err != nil {
		return nil, err
	}
	a := &Asked{states: s, entries: make(map[event.Stream]entry, len(streams)), folds: make(map[event.Stream]int, len(streams))}
	names := make([]any, 0, len(streams))
	for _, stream := range streams {
		if _, twice := a.entries[stream]; !twice {
			a.entries[stream] = entry{}
			names = append(names, string(stream))
		}
	}
	err := tx.AskAmong(ctx, func(r store.Row) error {
		stream, fold, e, err := scan(r)
		a.entries[stream], a.folds[stream] = e, fold
		return err
	}, streamColumns, names)
	if err != nil {
		return nil, fmt.Errorf("load streams: %w", err)
	}
	return a, nil
}

const streamColumns = "SELECT stream, version, fold, state, sum FROM streams WHERE stream IN (?)"

// scan reads a row of streamColumns.
func scan(r store.Row) (stream event.Stream, fold int, e entry, err error) {
	var sum []byte
	e.exists = true
	err = r.Scan(&stream, &e.version, &fold, &e.state, &sum)
	if !bytes.Equal(sum, rowSum(stream, fold, Stored{Version: e.version, State: e.state})) {
		e.broken = rotten(stream, "its checksum is another")
	}
	return stream, fold, e, err
}

// versions is the versions of those of the streams that exist; nothing is folded.
// Errors: fault Unverified for a row that has rotted.
func versions(ctx context.Context, tx *store.Tx, streams []event.Stream) (map[event.Stream]uint64, error) {
	names := make([]any, len(streams))
	for i, s := range streams {
		names[i] = string(s)
	}
	all := make(map[event.Stream]uint64, len(streams))
	err := tx.Among(ctx, func(r *sql.Rows) error {
		stream, _, e, err := scan(r)
		all[stream] = e.version
		return cmp.Or(err, e.broken)
	}, streamColumns, names)
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	return all, nil
}

// refresh folds anew what was folded under another number.
func (a *Asked) refresh(ctx context.Context, tx *store.Tx) {
	for stream, fold := range a.folds {
		if a.entries[stream].broken != nil {
			continue
		}
		e, err := a.states.refresh(ctx, tx, stream, fold, a.entries[stream])
		e.broken = err
		a.entries[stream] = e
	}
}

// refresh folds an entry anew where its fold number is another.
func (s *States) refresh(ctx context.Context, tx *store.Tx, stream event.Stream, fold int, e entry) (entry, error) {
	shape, folds, err := s.shape(stream)
	if err != nil || !folds || fold == shape.Number {
		return e, err
	}
	facts, err := s.history(ctx, tx, stream)
	if err != nil {
		return e, fmt.Errorf("history of %s: %w", stream, err)
	}
	e.state, e.refolded = nil, true
	for _, f := range facts {
		if e.state, err = foldOne(shape, e.state, f); err != nil {
			return e, fmt.Errorf("refold %s: %w", stream, err)
		}
	}
	return e, nil
}

// foldOne folds a fact; a panic of the fold is an error, so that one bad fact
// never takes the committer down.
func foldOne(shape event.Shape, state []byte, f event.Recorded) (next []byte, err error) {
	defer recovered(&err, "fold", shape.Noun)
	return shape.Fold(state, f)
}

// extract is the valid, distinct keys of a state.
func extract(shape event.Shape, state []byte) (keys []event.Key, err error) {
	if len(state) == 0 || shape.Keys == nil {
		return nil, nil
	}
	defer recovered(&err, "keys", shape.Noun)
	all, err := shape.Keys(state)
	if err != nil {
		return nil, fmt.Errorf("keys of a %s: %w", shape.Noun, err)
	}
	return distinct(all)
}

// step folds facts, as foldOne does, and extracts the keys before and after them.
func step(shape event.Shape, state []byte, facts []event.Recorded) (done event.Step, err error) {
	defer recovered(&err, "fold", shape.Noun)
	if done, err = shape.Step(state, facts); err != nil {
		return done, err
	}
	if done.Before, err = distinct(done.Before); err == nil {
		done.After, err = distinct(done.After)
	}
	return done, err
}

// distinct is valid keys, each once.
func distinct(all []event.Key) (keys []event.Key, err error) {
	seen := make(map[event.Key]bool, len(all))
	for _, k := range all {
		if err := checkKey(k); err != nil {
			return nil, err
		}
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func recovered(err *error, what, noun string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s of a %s panicked: %v", what, noun, p)
	}
}

// keyMax is the longest name or value of a key, in bytes: an index entry of
// PostgreSQL holds about 2,700.
const keyMax = 1024

func checkKey(k event.Key) error {
	for _, s := range []string{k.Name, k.Value} {
		if err := CheckText(s, keyMax); err != nil {
			return fault.Invalidf("key.text", "%s cannot be a key", k.Name).Because(err.Error())
		}
	}
	switch k.Kind {
	case event.Unique, event.Lookup:
		if k.From != 0 || k.Until != 0 {
			return fmt.Errorf("key %s is no interval but has a span", k.Name)
		}
	case event.Interval:
		if k.Until != 0 && k.Until <= k.From {
			return fault.Invalidf("key.span", "the span of %s ends before it begins", k.Name)
		}
	default:
		return fmt.Errorf("key %s is of unknown kind %q", k.Name, k.Kind)
	}
	return nil
}

// Find is the streams that have the key, unique, lookup or interval, in order.
// Errors: fault Unverified where a key has rotted.
func (s *States) Find(ctx context.Context, tx *store.Tx, name, value string) ([]event.Stream, error) {
	all, err := keyed(ctx, tx, name, value)
	return owners(all), err
}

// Span is an interval key with a half-open time span; Until 0 means open.
type Span struct {
	Name, Value string
	From, Until event.Micros
}

// Overlapping is the streams with an interval key that shares an instant with
// span, in order. Errors: as of Find.
func (s *States) Overlapping(ctx context.Context, tx *store.Tx, span Span) ([]event.Stream, error) {
	all, err := keyed(ctx, tx, span.Name, span.Value)
	return owners(slices.DeleteFunc(all, func(o owned) bool {
		k := o.key
		return k.Kind != event.Interval || span.Until != 0 && k.From >= span.Until || k.Until != 0 && k.Until <= span.From
	})), err
}

// owners is the streams of keys, each once, in order.
func owners(keys []owned) []event.Stream {
	var all []event.Stream
	for _, o := range keys {
		all = append(all, o.by)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Listed asks for streams with an interval key in the order in which their
// spans begin, the newest first: at most Limit, after Stream, whose span begins
// at Since; or from the newest where Stream is empty.
type Listed struct {
	Name, Value string
	Since       event.Micros
	Stream      event.Stream
	Limit       int
}

// Newest is the streams that q asks for.
func (s *States) Newest(ctx context.Context, tx *store.Tx, q Listed) ([]event.Stream, error) {
	if q.Stream == "" {
		q.Since = 1<<63 - 1
	}
	return streams(ctx, tx, `SELECT stream FROM keys WHERE name = $1 AND value = $2 AND kind = 'interval'
		AND (since < $3 OR since = $4 AND stream < $5) ORDER BY since DESC, stream DESC LIMIT $6`,
		q.Name, q.Value, int64(q.Since), int64(q.Since), string(q.Stream), q.Limit)
}

// Count is how many streams have the key.
func (s *States) Count(ctx context.Context, tx *store.Tx, name, value string) (n int, err error) {
	if err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM keys WHERE name = $1 AND value = $2", name, value).Scan(&n); err != nil {
		err = fmt.Errorf("count streams: %w", err)
	}
	return n, err
}

func streams(ctx context.Context, tx *store.Tx, query string, args ...any) ([]event.Stream, error) {
	var all []event.Stream
	err := tx.Each(ctx, func(r *sql.Rows) error {
		var stream event.Stream
		err := r.Scan(&stream)
		all = append(all, stream)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("find streams: %w", err)
	}
	return all, nil
}

package event

import (
	"encoding/json"
	"fmt"

	json2 "github.com/go-json-experiment/json"
	json1 "github.com/go-json-experiment/json/v1"
)

// KeyKind is what a key of a stream is for.
type KeyKind string

// Key kinds: Unique belongs to one stream at a time, Lookup to any number,
// Interval is a Lookup with a half-open time span.
const (
	Unique   KeyKind = "unique"
	Lookup   KeyKind = "lookup"
	Interval KeyKind = "interval"
)

// Key finds a stream by what its state says. From and Until are set for
// Interval only; Until 0 means open.
type Key struct {
	Kind        KeyKind
	Name        string // such as "service.name"
	Value       string
	From, Until Micros
}

// Shape says how the streams of one noun fold. Its functions are pure; Number
// is raised whenever one changes, and states folded under another are folded anew.
type Shape struct {
	Noun   string
	Number int
	Fold   func(state []byte, f Recorded) ([]byte, error) // state is nil before the first fact
	Keys   func(state []byte) ([]Key, error)
	Step   func(state []byte, facts []Recorded) (Step, error) // Fold of each, and Keys: reads and writes the state once
}

// Step is a state after some facts, and its keys before and after them.
type Step struct {
	State         []byte
	Before, After []Key
}

// ShapeOf makes a Shape from a typed state. Kinds that fold does not know must
// be an error: a fact nobody understands is never passed over.
func ShapeOf[S any](noun string, number int, fold func(*S, Recorded) error, keys func(S) []Key) Shape {
	extract := func(s S) []Key { return nil }
	if keys != nil {
		extract = keys
	}
	step := func(state []byte, facts []Recorded) (done Step, err error) {
		s, err := Decode[S](state)
		if err != nil {
			return done, err
		}
		if len(state) > 0 {
			done.Before = extract(s)
		}
		for _, f := range facts {
			if err := fold(&s, f); err != nil {
				return done, fmt.Errorf("fold %s at %d: %w", f.Kind, f.Position, err)
			}
		}
		done.After = extract(s)
		done.State, err = json.Marshal(s)
		return done, err
	}
	return Shape{
		Noun: noun, Number: number, Step: step,
		Fold: func(state []byte, f Recorded) ([]byte, error) {
			done, err := step(state, []Recorded{f})
			return done.State, err
		},
		Keys: func(state []byte) ([]Key, error) {
			s, err := Decode[S](state)
			if err != nil {
				return nil, err
			}
			return extract(s), nil
		},
	}
}

// Decode reads a stored state; nil is the zero state.
func Decode[S any](state []byte) (S, error) {
	var s S
	if len(state) == 0 {
		return s, nil
	}
	err := decode(state, &s)
	return s, err
}

// decode reads JSON of our own writing as encoding/json does, but does not look all
// of it through for mistakes beforehand: v is of no use after an error.
func decode(b []byte, v any) error {
	return json2.Unmarshal(b, v, json1.DefaultOptionsV1(), json1.ReportErrorsWithLegacySemantics(false))
}

// Past is the state of a stream as it stood before a position, folded from its
// facts. Those of kinds that say nothing of what is asked for may be left out.
func Past[S any](shape Shape, facts []Recorded, before uint64) (S, error) {
	var state []byte
	for _, f := range facts {
		if f.Position >= before {
			break
		}
		next, err := shape.Fold(state, f)
		if err != nil {
			var none S
			return none, err
		}
		state = next
	}
	return Decode[S](state)
}

// Unknown is the error for a fact that a fold has no rule for.
func Unknown(f Recorded) error { return fmt.Errorf("stream %s has no rule for %s", f.Stream, f.Kind) }

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

// Shape says how the streams of one noun fold. Both functions are pure; Number
// is raised whenever either changes, and states folded under another are folded anew.
type Shape struct {
	Noun   string
	Number int
	Fold   func(state []byte, f Recorded) ([]byte, error) // state is nil before the first fact
	Keys   func(state []byte) ([]Key, error)
}

// ShapeOf makes a Shape from a typed state. Kinds that fold does not know must
// be an error: a fact nobody understands is never passed over.
func ShapeOf[S any](noun string, number int, fold func(*S, Recorded) error, keys func(S) []Key) Shape {
	return Shape{
		Noun: noun, Number: number,
		Fold: func(state []byte, f Recorded) ([]byte, error) {
			s, err := Decode[S](state)
			if err != nil {
				return nil, err
			}
			if err := fold(&s, f); err != nil {
				return nil, fmt.Errorf("fold %s at %d: %w", f.Kind, f.Position, err)
			}
			return json.Marshal(s)
		},
		Keys: func(state []byte) ([]Key, error) {
			s, err := Decode[S](state)
			if err != nil || keys == nil {
				return nil, err
			}
			return keys(s), nil
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

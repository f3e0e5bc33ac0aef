package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Bounds that readers share; more is refused, never left out.
const (
	MaxMembers = 100_000 // names in one JSON object
	MaxNest    = 200     // of objects and arrays in JSON
	MaxNames   = 8 << 20 // bytes of the names in one JSON object and those around it
	MaxResults = 200_000 // findings in one report, before they are folded
	MaxInner   = 1_000   // elements of a list within one finding
	MaxMessage = 1_000   // bytes of a message kept
	MaxWord    = 300     // bytes of a rule, file or name kept
)

// Decode reads one JSON value from b into v, a pointer. Members that v does
// not name are passed over; names that stand twice, another case of letters
// and trailing data are refused. A fault raised within by a reader of ours
// keeps its words and gains its place.
func Decode(b []byte, v any) error {
	return settle(strict.DecodeOpen(b, v))
}

func settle(err error) error {
	outer, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	inner, ok := errors.AsType[*fault.Error](outer.Err)
	if !ok {
		outer.Code = "evidence.json"
		return outer
	}
	return inner.At(outer.Where).On(outer.Field)
}

// Bounded refuses depth and width that would cost more memory than a report
// needs, before any of it is decoded. It does not judge the syntax.
func Bounded(b []byte) error {
	var members, names [MaxNest + 1]int
	depth, quoted := 0, false
	begin, long := 0, 0 // of the newest string
	all := 0            // bytes of the names in the objects that are open
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && quoted:
			quoted, long = false, i-begin
		case c == '"':
			quoted, begin = true, i
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxNest {
				return TooLarge("evidence.depth", "the report is nested deeper than %d", MaxNest).At(Place(b, i))
			}
			members[depth], names[depth] = 0, 0
		case c == '}' || c == ']':
			all, names[depth] = all-names[depth], 0
			depth = max(depth-1, 0)
		case c == ':':
			if members[depth]++; members[depth] > MaxMembers {
				return TooLarge("evidence.width", "an object has more than %d members", MaxMembers).At(Place(b, i))
			}
			names[depth] += long
			if all += long; all > MaxNames {
				return TooLarge("evidence.names", "the names in an object are longer than %d bytes", MaxNames).At(Place(b, i))
			}
		}
	}
	return nil
}

// Top is what a JSON document opens with: of an object its members, of an
// array those of its first element. A format is recognised by it.
type Top struct {
	Array   bool
	Members map[string]Scalar
}

// Scalar is the kind of a JSON value and, of a string, number or truth value,
// the first 80 bytes.
type Scalar struct {
	Kind jsontext.Kind
	Text string
}

// Has reports whether all the names are there.
func (t Top) Has(names ...string) bool {
	for _, name := range names {
		if _, there := t.Members[name]; !there {
			return false
		}
	}
	return true
}

// Text is the value of a member that is a string or number, "" without one.
func (t Top) Text(name string) string { return t.Members[name].Text }

// TopOf reads the first JSON value of b as far as a Top needs; what follows
// that value is not looked at.
func TopOf(b []byte) (Top, error) {
	t := Top{Members: map[string]Scalar{}}
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	err := t.read(dec)
	if err == nil {
		return t, nil
	}
	return Top{}, settle(strict.Explain(b, err))
}

func (t *Top) read(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '{':
		return t.object(dec)
	case '[':
		t.Array = true
		return Each(dec, MaxResults, "elements", func(i int) error {
			if i > 0 || dec.PeekKind() != '{' {
				return dec.SkipValue()
			}
			return t.object(dec)
		})
	}
	return dec.SkipValue()
}

func (t *Top) object(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		var s Scalar
		if s.Kind = dec.PeekKind(); s.Kind == '{' || s.Kind == '[' {
			err = dec.SkipValue()
		} else {
			var w Word
			err = w.UnmarshalJSONFrom(dec)
			s.Text = string(w)
		}
		if err != nil {
			return err
		}
		if len(t.Members) < 1000 {
			t.Members[Cut(key, MaxWord)] = s
		}
	}
	_, err := dec.ReadToken()
	return err
}

// Presence says of what kind a JSON value is, and passes over it. Its kind is
// 0 where the value is absent.
type Presence struct{ Kind jsontext.Kind }

// UnmarshalJSONFrom keeps the kind and checks the rest.
func (p *Presence) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	p.Kind = dec.PeekKind()
	return dec.SkipValue()
}

// There reports whether the value is there and not null.
func (p Presence) There() bool { return p.Kind != 0 && p.Kind != 'n' }

// Each calls read for every element of an array, at most limit of them. What
// is not an array is refused, null counts as an empty one.
func Each(dec *jsontext.Decoder, limit int, what string, read func(i int) error) error {
	if dec.PeekKind() != '[' {
		var list []jsontext.Value
		return json.UnmarshalDecode(dec, &list)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		kind := dec.PeekKind()
		if kind == ']' {
			_, err := dec.ReadToken()
			return err
		}
		if kind == 0 {
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			return io.ErrUnexpectedEOF
		}
		if i >= limit {
			return TooLarge("evidence.too-many", "there are more than %d %s", limit, what)
		}
		if err := read(i); err != nil {
			return err
		}
	}
}

// List reads at most limit elements of an array.
func List[T any](dec *jsontext.Decoder, limit int, what string) ([]T, error) {
	var out []T
	err := Each(dec, limit, what, func(int) error {
		var v T
		if err := json.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// Rows hands on the elements of an array one after the other, so that a long
// report is never held whole.
type Rows[T any] struct {
	Limit int    // of elements
	What  string // an element is, in the plural
	Take  func(*T) error
	There bool // the array was there, and not null
}

// UnmarshalJSONFrom reads at most Limit elements.
func (r *Rows[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	r.There = dec.PeekKind() == '['
	return Each(dec, r.Limit, r.What, func(int) error {
		var v T
		if err := json.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		return r.Take(&v)
	})
}

// Word is a string, or a number or truth value as it is written: 80 bytes of it.
type Word string

// UnmarshalJSONFrom reads any value.
func (w *Word) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if v.Kind() != '"' {
		*w = Word(Cut(string(v[:min(len(v), 100)]), 80))
		return nil
	}
	s, err := jsontext.AppendUnquote(nil, v)
	*w = Word(Cut(string(s), 80))
	return err
}

// Text is a text by its digest, and its first MaxMessage bytes.
type Text struct {
	Head string
	Sum  [sha256.Size]byte
}

// UnmarshalJSONFrom reads a string.
func (t *Text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var s string
	if err := json.UnmarshalDecode(dec, &s); err != nil {
		return err
	}
	t.Head, t.Sum = Cut(s, MaxMessage), sha256.Sum256([]byte(s))
	return nil
}

// Cut is the first n bytes of s at a letter's boundary, as a copy that does not keep s alive.
func Cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return string([]byte(s))
}

// Place is the line and column of an offset in b.
func Place(b []byte, offset int) fault.Position {
	before := b[:min(max(offset, 0), len(b))]
	return fault.Position{Line: 1 + bytes.Count(before, []byte("\n")), Column: len(before) - bytes.LastIndexByte(before, '\n')}
}

// TooLarge is the fault of a report that is more than a bound admits.
func TooLarge(code, format string, args ...any) *fault.Error {
	return fault.New(fault.TooLarge, code, fmt.Sprintf(format, args...))
}

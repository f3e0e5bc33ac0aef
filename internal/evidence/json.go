package evidence

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

const maxMembers = 100_000 // names in one JSON object

func readJSON(b []byte) (Claim, error) {
	if err := bounded(b); err != nil {
		return Claim{}, err
	}
	var probe sarifProbe
	if err := decode(b, &probe); err != nil {
		return Claim{}, err
	}
	if !probe.sarif() {
		return Claim{}, unknown("it is JSON, but says neither version nor runs")
	}
	return readSARIF(b, probe)
}

// decode is strict.DecodeOpen where a fault raised by one of our own readers
// within keeps its words and gains its place.
func decode(b []byte, v any) error {
	err := strict.DecodeOpen(b, v)
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

// bounded refuses depth and width that would cost more memory than a report
// needs, before any of it is decoded. It does not judge the syntax.
func bounded(b []byte) error {
	var members [maxNest + 1]int
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNest {
				return tooLarge("evidence.depth", "the report is nested deeper than %d", maxNest).At(place(b, i))
			}
			members[depth] = 0
		case c == '}' || c == ']':
			depth = max(depth-1, 0)
		case c == ':':
			if members[depth]++; members[depth] > maxMembers {
				return tooLarge("evidence.width", "an object has more than %d members", maxMembers).At(place(b, i))
			}
		}
	}
	return nil
}

// presence says of what kind a JSON value is, and passes over it.
type presence struct{ kind jsontext.Kind }

// UnmarshalJSONFrom keeps the kind and checks the rest.
func (p *presence) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	p.kind = dec.PeekKind()
	return dec.SkipValue()
}

// each calls read for every element of an array, at most limit of them. What
// is not an array is refused, null counts as an empty one.
func each(dec *jsontext.Decoder, limit int, what string, read func(i int) error) error {
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
			return tooLarge("evidence.too-many", "there are more than %d %s", limit, what)
		}
		if err := read(i); err != nil {
			return err
		}
	}
}

// list reads at most limit elements of an array.
func list[T any](dec *jsontext.Decoder, limit int, what string) ([]T, error) {
	var out []T
	err := each(dec, limit, what, func(int) error {
		var v T
		if err := json.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// cutText is the first n bytes of s at a letter's boundary, as a copy that does not keep s alive.
func cutText(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return string([]byte(s))
}

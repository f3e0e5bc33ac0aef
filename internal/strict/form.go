package strict

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Form writes values of one type as Canonical does, byte for byte, and reads them,
// in a small part of its time: the names, their order and how each field is written
// are found out once. It serves what every decision writes.
type Form[T any] struct{ codec }

// codec is how values of a type are written and read.
type codec struct {
	write appender
	read  reader
}

// appender appends a value to some bytes.
type appender func(to []byte, v reflect.Value) ([]byte, error)

// MustForm is the form of a type made of structs, slices, pointers, texts,
// numbers, truth values and instants. It panics on any other, such as a map, an
// embedded field or a type that writes itself: forms are declared once, at the start.
func MustForm[T any]() Form[T] { return Form[T]{formOf(reflect.TypeFor[T]())} }

// Append appends the canonical form of a value to some bytes.
func (f Form[T]) Append(to []byte, v *T) ([]byte, error) {
	to, err := f.write(to, reflect.ValueOf(v).Elem())
	if err != nil {
		return nil, fmt.Errorf("encode canonically: %w", err)
	}
	return to, nil
}

func formOf(t reflect.Type) codec {
	if t == reflect.TypeFor[time.Time]() {
		return codec{appendInstant, readInstant}
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()) {
		panic("strict: " + t.String() + " writes itself")
	}
	switch t.Kind() {
	case reflect.String:
		return codec{func(to []byte, v reflect.Value) ([]byte, error) { return appendText(to, v.String()) }, readText}
	case reflect.Bool:
		return codec{func(to []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(to, v.Bool()), nil }, readBool}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return codec{func(to []byte, v reflect.Value) ([]byte, error) { return appendInteger(to, v.Int()), nil }, readInteger}
	case reflect.Float64:
		return codec{func(to []byte, v reflect.Value) ([]byte, error) { return appendNumber(to, v.Float()) }, readNumber}
	case reflect.Pointer:
		item := formOf(t.Elem())
		return codec{func(to []byte, v reflect.Value) ([]byte, error) {
			if v.IsNil() {
				return append(to, "null"...), nil
			}
			return item.write(to, v.Elem())
		}, readPointer(item.read)}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			item := formOf(t.Elem())
			return codec{listForm(item.write), readList(item.read)}
		}
	case reflect.Struct:
		all := members(t)
		return codec{structForm(all), readStruct(all)}
	}
	panic("strict: " + t.String() + " has no form")
}

func listForm(item appender) appender {
	return func(to []byte, v reflect.Value) (_ []byte, err error) {
		if v.IsNil() {
			return append(to, "null"...), nil
		}
		to = append(to, '[')
		for i := range v.Len() {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = item(to, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	}
}

// member is a field of a struct.
type member struct {
	codec
	index   int
	name    string                   // as it is written: ,"name":
	omitted func(reflect.Value) bool // nil: it is always written
}

// members are a struct's fields in the order of their names.
func members(t reflect.Type) []member {
	var all []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" {
			continue
		}
		if f.Anonymous || !f.IsExported() || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			panic("strict: " + t.String() + "." + f.Name + " has no plain name")
		}
		m := member{index: i, name: "," + strconv.Quote(name) + ":", codec: formOf(f.Type)}
		switch options {
		case "":
		case "omitempty":
			m.omitted = emptiness(f.Type)
		case "omitzero":
			m.omitted = reflect.Value.IsZero
			if f.Type == reflect.TypeFor[time.Time]() { // its zero is an instant, whatever its zone
				m.omitted = func(v reflect.Value) bool { return v.Addr().Interface().(*time.Time).IsZero() }
			} else if _, own := f.Type.MethodByName("IsZero"); own {
				panic("strict: " + f.Type.String() + " says itself what zero is")
			}
		default:
			panic("strict: " + t.String() + "." + f.Name + " is written as " + options)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return all
}

func structForm(all []member) appender {
	return func(to []byte, v reflect.Value) (_ []byte, err error) {
		start := len(to)
		for i := range all {
			m := &all[i]
			field := v.Field(m.index)
			if m.omitted != nil && m.omitted(field) {
				continue
			}
			if to, err = m.write(append(to, m.name...), field); err != nil {
				return nil, err
			}
		}
		if len(to) == start {
			return append(to, "{}"...), nil
		}
		to[start] = '{' // in place of the first comma
		return append(to, '}'), nil
	}
}

// emptiness is what omitempty leaves out of a type: no struct.
func emptiness(t reflect.Type) func(reflect.Value) bool {
	switch t.Kind() {
	case reflect.Struct:
		return nil
	case reflect.Slice:
		return func(v reflect.Value) bool { return v.Len() == 0 }
	}
	return reflect.Value.IsZero
}

// appendText appends a text with the escapes of RFC 8785. Bytes that are no UTF-8
// become U+FFFD one by one, as encoding/json has it.
func appendText(to []byte, s string) ([]byte, error) {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		to = append(to, '"')
		to = append(to, s...)
		return append(to, '"'), nil
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return jsontext.AppendQuote(to, s)
}

// maxInteger is the largest whole number of which all below have a form of their own.
const maxInteger = 1 << 53

func appendInteger(to []byte, n int64) []byte {
	if -maxInteger <= n && n <= maxInteger {
		return strconv.AppendInt(to, n, 10)
	}
	return jsontext.AppendFloat(to, float64(n), 64)
}

func appendNumber(to []byte, n float64) ([]byte, error) {
	switch {
	case n == 0: // -0 too
		return append(to, '0'), nil
	case math.IsNaN(n) || math.IsInf(n, 0):
		return nil, fmt.Errorf("%v is no number in JSON", n)
	}
	return jsontext.AppendFloat(to, n, 64), nil
}

func appendInstant(to []byte, v reflect.Value) ([]byte, error) {
	t, ok := v.Addr().Interface().(*time.Time)
	if !ok {
		return nil, fmt.Errorf("%s is no instant", v.Type())
	}
	to, err := t.AppendText(append(to, '"'))
	return append(to, '"'), err
}

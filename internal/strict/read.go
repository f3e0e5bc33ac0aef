package strict

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Decode is DecodeOpen into a value of the form, in a small part of its time
// where the bytes are as Append writes them: names in order, and no text escaped.
func (f Form[T]) Decode(b []byte, v *T) error {
	var read T
	if rest, ok := f.read(string(b), reflect.ValueOf(&read).Elem()); ok && rest == "" {
		*v = read
		return nil
	}
	return DecodeOpen(b, v)
}

// reader reads a value that some text begins with, and gives the rest. It is not
// ok where DecodeOpen must be asked: then v holds anything.
type reader func(text string, v reflect.Value) (rest string, ok bool)

func readText(text string, v reflect.Value) (string, bool) {
	s, rest, ok := unquote(text)
	v.SetString(s)
	return rest, ok
}

// unquote takes a text without escapes.
func unquote(text string) (s, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", text, false
	}
	text = text[1:]
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			return text[:i], text[i+1:], utf8.ValidString(text[:i])
		case c == '\\' || c < ' ':
			return "", text, false
		}
	}
	return "", text, false
}

func readBool(text string, v reflect.Value) (string, bool) {
	if rest, is := strings.CutPrefix(text, "true"); is {
		v.SetBool(true)
		return rest, true
	}
	rest, is := strings.CutPrefix(text, "false")
	v.SetBool(false)
	return rest, is
}

// maxDigits is up to how many digits a whole number has a form of its own, and
// fits into 32 bits, for which a type may ask.
const maxDigits = 9

func readInteger(text string, v reflect.Value) (string, bool) {
	digits := strings.TrimPrefix(text, "-")
	n := 0
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		n = 10*n + int(digits[end]-'0')
		end++
	}
	if end == 0 || end > maxDigits || digits[0] == '0' && (end > 1 || len(digits) < len(text)) || end < len(digits) && strings.IndexByte(".eE", digits[end]) >= 0 {
		return text, false
	}
	if len(digits) < len(text) {
		n = -n
	}
	v.SetInt(int64(n))
	return digits[end:], true
}

// readNumber takes digits with or without a fraction.
func readNumber(text string, v reflect.Value) (string, bool) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end <= 0 || text[0] == '.' || text[end-1] == '.' || text[0] == '0' && end > 1 && text[1] != '.' || strings.IndexByte("eE", text[end]) >= 0 {
		return text, false
	}
	f, err := strconv.ParseFloat(text[:end], 64)
	v.SetFloat(f)
	return text[end:], err == nil
}

// readInstant takes one in UTC that is written as it would be again.
func readInstant(text string, v reflect.Value) (string, bool) {
	s, rest, ok := unquote(text)
	t, is := v.Addr().Interface().(*time.Time)
	if !ok || !is || t.UnmarshalText([]byte(s)) != nil || t.Location() != time.UTC {
		return text, false
	}
	again, err := t.AppendText(make([]byte, 0, len(time.RFC3339Nano)))
	return rest, err == nil && string(again) == s
}

func readPointer(item reader) reader {
	return func(text string, v reflect.Value) (string, bool) {
		if rest, null := strings.CutPrefix(text, "null"); null {
			return rest, true
		}
		v.Set(reflect.New(v.Type().Elem()))
		return item(text, v.Elem())
	}
}

func readList(item reader) reader {
	return func(text string, v reflect.Value) (rest string, ok bool) {
		if rest, null := strings.CutPrefix(text, "null"); null {
			return rest, true
		}
		rest, ok = strings.CutPrefix(text, "[")
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		if end, empty := strings.CutPrefix(rest, "]"); empty {
			return end, ok
		}
		for ok {
			v.Grow(1)
			v.SetLen(v.Len() + 1)
			if rest, ok = item(rest, v.Index(v.Len()-1)); !ok {
				break
			}
			if end, over := strings.CutPrefix(rest, "]"); over {
				return end, true
			}
			rest, ok = strings.CutPrefix(rest, ",")
		}
		return text, false
	}
}

// readStruct takes members in the order in which they are written; any may be left out.
func readStruct(all []member) reader {
	return func(text string, v reflect.Value) (rest string, ok bool) {
		rest, ok = strings.CutPrefix(text, "{")
		comma := 1 // there is none before the first
		for i := range all {
			value, named := strings.CutPrefix(rest, all[i].name[comma:])
			if !ok || !named {
				continue
			}
			rest, ok = all[i].read(value, v.Field(all[i].index))
			comma = 0
		}
		rest, over := strings.CutPrefix(rest, "}")
		return rest, ok && over
	}
}

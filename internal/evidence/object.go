package evidence

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// Member is a name in a JSON object and where its value goes: a pointer, or a
// func(*jsontext.Decoder) error that reads it.
type Member struct {
	Name string
	Into any
}

// Object reads an object member by member. Members that are not named are
// passed over; one that differs from a named one in case alone is refused,
// because a list under it would count for nothing. Null is an object without
// members. It is for the objects whose lists decide what is found; decoding a
// struct costs less and passes over any case.
func Object(dec *jsontext.Decoder, members ...Member) error {
	if dec.PeekKind() != '{' {
		var object map[string]jsontext.Value
		return json.UnmarshalDecode(dec, &object)
	}
	return EachMember(dec, MaxMembers, "members", func(name string) error {
		for _, m := range members {
			switch {
			case m.Name == name:
				return m.read(dec)
			case strings.EqualFold(m.Name, name):
				return fault.Invalidf("evidence.case", "the member %q is not written %q", Cut(name, 80), m.Name).
					Because("readers differ on whether the two are one")
			}
		}
		return dec.SkipValue()
	})
}

func (m Member) read(dec *jsontext.Decoder) error {
	if read, ok := m.Into.(func(*jsontext.Decoder) error); ok {
		return read(dec)
	}
	return json.UnmarshalDecode(dec, m.Into)
}

// EachMember calls read for every member of an object, at most limit of them;
// read takes the value. Null is an object without members.
func EachMember(dec *jsontext.Decoder, limit int, what string, read func(name string) error) error {
	if dec.PeekKind() != '{' {
		var object map[string]jsontext.Value
		return json.UnmarshalDecode(dec, &object)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; dec.PeekKind() != '}'; i++ {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if i >= limit {
			return TooLarge("evidence.too-many", "there are more than %d %s", limit, what)
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// Whole reads a value and hands on its bytes, which are good until read
// returns: for what must be gone through twice, because what decides how it is
// read may stand behind it. Errors keep their places in the report.
func Whole(dec *jsontext.Decoder, read func(jsontext.Value) error) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	start, at := dec.InputOffset()-int64(len(raw)), dec.StackPointer()
	err = read(raw)
	if err == nil {
		return nil
	}
	if inner, ok := errors.AsType[*json.SemanticError](err); ok {
		moved := *inner
		moved.ByteOffset, moved.JSONPointer = start+inner.ByteOffset, at+inner.JSONPointer
		return &moved
	}
	return &json.SemanticError{ByteOffset: start, JSONPointer: at, Err: err}
}

// Values calls read for each JSON value of b, where a tool writes them one
// after the other. What Decode refuses is refused here.
func Values(b []byte, read func(*jsontext.Decoder) error) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	for dec.PeekKind() != 0 {
		if err := read(dec); err != nil {
			return settle(strict.Explain(b, err))
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return settle(strict.Explain(b, err))
	}
	return nil
}

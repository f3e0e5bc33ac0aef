// Package strict decodes JSON that decisions rest on: unknown fields, duplicate
// names, wrong case, invalid UTF-8 and trailing data are refused, with the place.
//
// encoding/json folds case and keeps the last duplicate, which lets one
// document mean two things to two readers. Every JSON byte that comes from
// outside is read here.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signalbox.dev/signalbox/internal/fault"
)

// Decode reads one JSON value from b into v (a pointer) and refuses what v does not name.
func Decode(b []byte, v any) error {
	return Explain(b, json.Unmarshal(b, v, json.RejectUnknownMembers(true)))
}

// DecodeOpen is Decode for formats that others define and extend: members that
// v does not name are passed over; duplicates and wrong case still are not read.
func DecodeOpen(b []byte, v any) error { return Explain(b, json.Unmarshal(b, v)) }

// Read is Decode of at most limit bytes from r; more is a TooLarge fault.
func Read(r io.Reader, limit int64, v any) error {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if int64(len(b)) > limit {
		return fault.New(fault.TooLarge, "json.too-large", fmt.Sprintf("the document is longer than %d bytes", limit))
	}
	return Decode(b, v)
}

// Explain is the fault for an error of jsontext met while reading b: what is
// wrong, and where. It serves those who read a long document piece by piece.
func Explain(b []byte, err error) error {
	if err == nil {
		return nil
	}
	f := fault.Invalidf("json.invalid", "the JSON cannot be read").Because(reason(err)).Cause(err)
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return f.On(string(syntax.JSONPointer)).At(place(b, syntax.ByteOffset))
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return f.On(string(semantic.JSONPointer)).At(place(b, semantic.ByteOffset))
	}
	return f
}

func reason(err error) string {
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName):
		errors.As(err, &semantic)
		return fmt.Sprintf("%q is not a field here", string(semantic.JSONPointer))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a name stands twice in one object"
	case errors.As(err, &semantic):
		return fmt.Sprintf("%q cannot be a %s", string(semantic.JSONPointer), semantic.JSONKind)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "it ends too early"
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		return syntax.Err.Error()
	}
	return "it is not valid JSON"
}

func place(b []byte, offset int64) fault.Position {
	offset = min(max(offset, 0), int64(len(b)))
	before := b[:offset]
	return fault.Position{Line: 1 + bytes.Count(before, []byte("\n")), Column: int(offset) - bytes.LastIndexByte(before, '\n')}
}

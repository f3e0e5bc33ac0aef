// Package fault says whose mistake an error is.
//
// An error of a kind other than Internal is the caller's to read: it says what
// happened, where, why and how to fix it. Everything else is ours: it is
// logged under a reference and only the reference is shown.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is whose mistake an error is, and so what the caller may do next.
type Kind int

// The kinds. Exit codes and HTTP statuses follow from them (see Exit, Status).
const (
	Internal     Kind = iota // ours
	Invalid                  // the input is wrong: usage, syntax, a value out of range
	Unauthorised             // nobody is signed in, or the token is unknown or expired
	Forbidden                // signed in, but the right is missing
	NotFound                 // no such thing
	Conflict                 // the thing has changed meanwhile, or exists already
	TooLarge                 // more bytes, items or depth than is accepted
	Busy                     // too much at once: try again later
	Unavailable              // a part we need cannot be reached
	Unverified               // a signature, digest or proof does not hold
	Interrupted              // the caller went away
)

var kindNames = [...]string{"internal", "invalid", "unauthorised", "forbidden", "not-found", "conflict", "too-large", "busy", "unavailable", "unverified", "interrupted"}

// String is the kind's stable name, as in problem documents.
func (k Kind) String() string { return kindNames[k] }

// Position is a place in a file; Line and Column count from 1, 0 means unknown.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// IsZero reports whether nothing is known of the place.
func (p Position) IsZero() bool { return p == Position{} }

// String is file:line:column, as far as known.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			s += fmt.Sprintf(":%d", p.Column)
		}
	}
	return strings.TrimPrefix(s, ":")
}

// Error is an error that its reader can act on.
type Error struct {
	Kind  Kind
	Code  string   // stable and dotted, such as "policy.unknown-field"
	What  string   // what happened, one sentence without a full stop
	Where Position // where in the input, if anywhere
	Field string   // the field or flag concerned, as a JSON pointer or flag name
	Why   string   // why that is wrong
	Fix   string   // what to do about it
	Err   error    // the cause, for the log
}

// Error is the message for a person: where, what, why and how to fix it.
func (e *Error) Error() string {
	var b strings.Builder
	if !e.Where.IsZero() {
		b.WriteString(e.Where.String() + ": ")
	}
	b.WriteString(e.What)
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	if e.Fix != "" {
		b.WriteString(" (" + e.Fix + ")")
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// New is an error of a kind. Code is stable; what says what happened.
func New(kind Kind, code, what string) *Error { return &Error{Kind: kind, Code: code, What: what} }

// Invalidf is an Invalid error with a formatted message.
func Invalidf(code, format string, args ...any) *Error {
	return New(Invalid, code, fmt.Sprintf(format, args...))
}

// Because returns e with the reason set.
func (e *Error) Because(why string) *Error { e.Why = why; return e }

// Remedy returns e with the way to fix it set.
func (e *Error) Remedy(fix string) *Error { e.Fix = fix; return e }

// At returns e with the place set.
func (e *Error) At(p Position) *Error { e.Where = p; return e }

// On returns e with the field or flag set.
func (e *Error) On(field string) *Error { e.Field = field; return e }

// Cause returns e with its cause set.
func (e *Error) Cause(err error) *Error { e.Err = err; return e }

// KindOf is the kind of the outermost *Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Exit is the exit code of a kind; the table is part of the command line's contract.
func Exit(k Kind) int {
	switch k {
	case Invalid, NotFound, TooLarge:
		return 2
	case Unauthorised, Forbidden:
		return 4
	case Busy, Unavailable:
		return 6
	case Unverified:
		return 7
	case Conflict:
		return 8
	case Interrupted:
		return 130
	default:
		return 1
	}
}

// Status is the HTTP status of a kind (RFC 9110; 499 is never sent, the caller is gone).
func Status(k Kind) int {
	switch k {
	case Invalid:
		return 422
	case Unauthorised:
		return 401
	case Forbidden:
		return 403
	case NotFound:
		return 404
	case Conflict:
		return 409
	case TooLarge:
		return 413
	case Busy:
		return 429
	case Unavailable:
		return 503
	case Unverified:
		return 422
	default:
		return 500
	}
}

// Package event knows the envelope of a fact: what the journal stores, how
// streams are named, and the one list of kinds.
//
// A fact is three byte strings, hashed as stored and never encoded again:
// header (position, stream, version, kind, time, actor), body (all that folds
// and decisions need, no personal data) and private (names, addresses, free
// text, each field under a salt of its own). Private fields can be disposed of
// without changing a proof: see Private.
package event

import (
	"fmt"
	"strings"
	"time"

	json1 "github.com/go-json-experiment/json/v1" // reads as encoding/json does, in half the time
)

// Stream names one thing's history: "<noun>/<id>", such as "release/0199…".
// A stream of the noun "set" stands for all that enters decisions by selector.
type Stream string

// StreamOf is the stream of the thing id of a noun.
func StreamOf(noun, id string) Stream { return Stream(noun + "/" + id) }

// Noun is the part of a stream before the first slash.
func (s Stream) Noun() string { n, _, _ := strings.Cut(string(s), "/"); return n }

// ID is the part of a stream after the first slash.
func (s Stream) ID() string { _, id, _ := strings.Cut(string(s), "/"); return id }

// The sets: whoever evaluates one reads its version, whoever changes a member touches it.
const (
	SetFreezes Stream = "set/freezes" // all freezes
	SetGrants  Stream = "set/grants"  // people, their identities and rights
	SetCatalog Stream = "set/catalog" // names of services and environments
)

// Draft is a fact before it is recorded: what a noun returns.
type Draft struct {
	Stream  Stream
	Kind    Kind
	Body    any               // encoded once, with encoding/json, when recorded
	Private map[string]string // personal data and free text, by field name
	Touches []Stream          // other streams and sets whose version this raises
}

// Touch is a stream that a fact raised, with the version it then had.
type Touch struct {
	Stream  Stream `json:"stream"`
	Version uint64 `json:"version"`
}

// Header is the first byte string of a fact. Times are UTC microseconds.
type Header struct {
	Format   int     `json:"format"`   // of the three byte strings, now 1
	Position uint64  `json:"position"` // in the journal, from 0, gapless
	Stream   Stream  `json:"stream"`
	Version  uint64  `json:"version"` // of the stream after this fact, from 1
	Kind     Kind    `json:"kind"`
	Time     Micros  `json:"time"`    // by the database's clock, never earlier than the fact before
	Actor    string  `json:"actor"`   // "person/<id>", "machine/<id>" or "system/<part>"
	Auth     string  `json:"auth"`    // how the actor proved it: "token/<id>", "session/<id>", "local"
	Source   string  `json:"source"`  // the way in: api, cli, web, timer, import
	Command  string  `json:"command"` // id of the command all facts of which share one transaction
	Touches  []Touch `json:"touches,omitempty"`
}

// Recorded is a fact as the journal holds it: decoded header, raw bytes.
type Recorded struct {
	Header
	HeaderBytes  []byte
	BodyBytes    []byte
	PrivateBytes []byte

	// Folded is the state of the stream after the facts of the same command, where
	// whoever hands the fact on has just folded them; else nil.
	Folded []byte
}

// Body decodes the body into v. It is our own writing, so the reader is not strict.
func (r Recorded) Body(v any) error {
	if err := decode(r.BodyBytes, v); err != nil {
		return fmt.Errorf("body of %s at %d: %w", r.Kind, r.Position, err)
	}
	return nil
}

// Private is the private fields by name; those disposed of are absent.
func (r Recorded) Private() (map[string]string, error) {
	fields, err := DecodePrivate(r.PrivateBytes)
	if err != nil {
		return nil, fmt.Errorf("private part at %d: %w", r.Position, err)
	}
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		if f.Digest == "" {
			m[f.Name] = f.Value
		}
	}
	return m, nil
}

// Micros is an instant in microseconds since 1970 UTC: how instants are stored.
type Micros int64

// MicrosOf is t as Micros; the zero time is 0.
func MicrosOf(t time.Time) Micros {
	if t.IsZero() {
		return 0
	}
	return Micros(t.UnixMicro())
}

// Time is m as a UTC time; 0 is the zero time.
func (m Micros) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// String is RFC 3339 in UTC with microseconds.
func (m Micros) String() string { return m.Time().Format("2006-01-02T15:04:05.000000Z") }

// Read makes a fact of its three byte strings, as an export has them.
func Read(header, body, private []byte) (Recorded, error) {
	f := Recorded{HeaderBytes: header, BodyBytes: body, PrivateBytes: private}
	if err := json1.Unmarshal(header, &f.Header); err != nil {
		return f, fmt.Errorf("header of a fact: %w", err)
	}
	return f, nil
}

// Package control is the one way in for every change: a command is authorised,
// loads what its decision rests on with versions, asks a noun, and appends the
// facts, or loads and decides anew where something it read has grown.
//
// It holds no rule of its own: rules live in the nouns. Invariant: what a
// command did is in the journal, or it did nothing.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/seal"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/vault"
)

// tries is how often a command decides anew before it answers conflict.
const tries = 8

// Control runs commands. Its fields are set once, before the first command.
type Control struct {
	Journal *journal.Journal
	Vault   Files
	Keys    *seal.Keys
	Log     *slog.Logger
	Changes ChangeReader                  // nil: the server reads no repositories
	TZData  string                        // version of the time zone data, recorded in decisions
	Bundles release.BundleVerifier        // nil: Sigstore bundles are refused
	Decided func(context.Context, Answer) // told of each answer of the gate; nil tells nobody

	programs     programs
	services     state.Held[catalog.Service] // by name
	environments state.Held[catalog.Environment]
	present      state.Held[present]           // everybody, under ""
	live         state.Held[[]calendar.Freeze] // all that are not lifted, under ""
	tokens       state.Hints                   // by hash: the token and its subject
	releases     state.Hints                   // by name
}

// Files is the vault as commands use it.
type Files interface {
	Put(ctx context.Context, r io.ReadSeeker) (digest string, size int64, err error)
	Open(ctx context.Context, digest string) (io.ReadCloser, error)
	Status(ctx context.Context) (vault.Status, error)
	Sweep(ctx context.Context, s vault.Sweeping) (vault.Swept, error)
	Check(ctx context.Context, after string) (vault.Checked, error)
}

// Request is who asks, and the key under which asking twice acts once.
type Request struct {
	Actor access.Actor
	Key   string // idempotency key of the caller's choice, at most 255 bytes; "" for none

	Recorded func(journal.Receipt) // told of each command that has recorded facts, now or before; nil: nobody is
}

func (r Request) recorded(j journal.Receipt) {
	if r.Recorded != nil && j.First < j.Next {
		r.Recorded(j)
	}
}

// NewID is a new id, a UUIDv7 (RFC 9562).
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Load is what one try of a command reads: state at one instant, remembering
// every stream and set it read, so that the append can refuse if one has grown.
type Load struct {
	Now time.Time // see journal.Clock

	clock    journal.Clock
	ctx      context.Context
	from     *journal.Snapshot
	expected []event.Stream                // to be seen along with what is seen next
	seen     map[event.Stream]state.Stored // of the snapshot
	reads    map[event.Stream]uint64
	parts    [][]byte
}

func loading(ctx context.Context, s *journal.Snapshot) (*Load, error) {
	clock, err := s.Clock(ctx)
	return &Load{Now: clock.Now, clock: clock, ctx: ctx, from: s, seen: map[event.Stream]state.Stored{}, reads: map[event.Stream]uint64{}}, err
}

// expect names streams that will be read, so that one query is enough for all.
func (l *Load) expect(streams ...event.Stream) { l.expected = append(l.expected, streams...) }

// see looks at streams without remembering that the decision rests on them.
func (l *Load) see(streams ...event.Stream) error {
	known := func(s event.Stream) bool { _, known := l.seen[s]; return known }
	unseen := slices.DeleteFunc(slices.Clone(streams), known)
	if len(unseen) == 0 {
		return nil
	}
	unseen = append(unseen, slices.DeleteFunc(l.expected, known)...)
	l.expected = nil
	stored, err := l.from.LoadAll(l.ctx, unseen...)
	maps.Copy(l.seen, stored)
	return err
}

// load sees streams and remembers that the decision rests on them.
func (l *Load) load(streams ...event.Stream) error {
	err := l.see(streams...)
	for _, s := range streams {
		l.reads[s] = l.seen[s].Version
	}
	return err
}

// Set remembers the version of a set: all of its members are read with it.
func (l *Load) Set(set event.Stream) error { return l.load(set) }

// find lists the streams that bear a key. The caller reads the set they belong
// to, so that a new one is never a phantom; for unique keys the journal itself refuses.
func (l *Load) find(name, value string) ([]event.Stream, error) {
	return l.from.Find(l.ctx, name, value)
}

// overlapping lists the streams with an interval key that shares an instant with a span.
func (l *Load) overlapping(name, value string, from, until time.Time) ([]event.Stream, error) {
	return l.from.Overlapping(l.ctx, state.Span{Name: name, Value: value, From: event.MicrosOf(from), Until: event.MicrosOf(until)})
}

// read is the typed state of a stream; the zero state where it does not exist.
func read[S any](l *Load, s event.Stream) (S, error) {
	if err := l.load(s); err != nil {
		var zero S
		return zero, err
	}
	return event.Decode[S](l.seen[s].State)
}

// readAll is the typed states of all streams that bear a key, in order.
func readAll[S any](l *Load, name, value string) ([]S, error) {
	streams, err := l.find(name, value)
	if err == nil {
		err = l.load(streams...)
	}
	if err != nil {
		return nil, err
	}
	return peekEach[S](l, streams)
}

// peekAll is readAll for members of a set whose version was read: every change
// of a member touches the set, so the members' own versions need no watching.
func peekAll[S any](l *Load, name, value string) ([]S, error) {
	streams, err := l.find(name, value)
	if err != nil {
		return nil, err
	}
	return peekEach[S](l, streams)
}

func peekEach[S any](l *Load, streams []event.Stream) ([]S, error) {
	if err := l.see(streams...); err != nil {
		return nil, err
	}
	var all []S
	for _, stream := range streams {
		s, err := event.Decode[S](l.seen[stream].State)
		if err != nil {
			return nil, fmt.Errorf("state of %s: %w", stream, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// readOne is the state of the one stream that bears a unique key, or false.
func readOne[S any](l *Load, name, value string) (S, bool, error) {
	return first(readAll[S](l, name, value))
}

// hinted is readOne by way of where the state was found before. What is found there
// counts if it has the key still, which says tells with where it is: no other can have it.
func hinted[S any](l *Load, h *state.Hints, name, value string, says func(S) (value string, at []event.Stream)) (S, bool, error) {
	if at := h.Of(value); len(at) > 0 {
		l.expect(at...)
		s, err := read[S](l, at[0])
		if has, _ := says(s); err != nil || has == value {
			return s, err == nil, err
		}
	}
	s, known, err := readOne[S](l, name, value)
	if known {
		_, at := says(s)
		h.Found(value, at...)
	}
	return s, known, err
}

func first[S any](all []S, err error) (S, bool, error) {
	if err != nil || len(all) == 0 {
		var zero S
		return zero, false, err
	}
	return all[0], true, nil
}

// held is the member of a set that bears a key; nil where there is none.
func held[S any](l *Load, h *state.Held[S], set event.Stream, name, value string) (*S, error) {
	if err := l.Set(set); err != nil {
		return nil, err
	}
	one, known, err := h.Get(l.reads[set], value, func() (S, bool, error) { return first(peekAll[S](l, name, value)) })
	if err != nil || !known {
		return nil, err
	}
	return &one, nil
}

// act is one try: it reads, asks a noun, and returns the facts and the result.
type act[R any] func(l *Load) ([]event.Draft, R, error)

// do runs a command: it tries, appends, and tries anew where what it read has
// grown. The request's content tells a reused key from a repeated request.
func do[R any](ctx context.Context, c *Control, r Request, content any, try act[R]) (R, error) {
	var none R
	if len(r.Key) > 255 {
		return none, fault.Invalidf("request.key", "the idempotency key is longer than 255 bytes").On("Idempotency-Key")
	}
	command := journal.Command{Actor: r.Actor.Subject, Auth: r.Actor.Auth, Source: r.Actor.Source}
	if r.Key != "" {
		command.ID = r.Actor.Subject + "/" + r.Key
		encoded, err := json.Marshal(content)
		if err != nil {
			return none, fmt.Errorf("encode request: %w", err)
		}
		command.Request = sha256.Sum256(fmt.Appendf(nil, "%T\x00%s", content, encoded))
		if receipt, known, err := c.repeated(ctx, command); known || err != nil {
			r.recorded(receipt)
			return decoded[R](receipt.Result, err)
		}
	}
	for attempt := range tries {
		receipt, result, err := once(ctx, c, command, try)
		if !stale(err) {
			r.recorded(receipt)
			if err == nil && receipt.Repeated {
				return decoded[R](receipt.Result, nil)
			}
			return result, err
		}
		if err := pause(ctx, attempt); err != nil {
			return none, err
		}
	}
	return none, fault.New(fault.Conflict, "request.contended", "others kept changing what this rests on").Remedy("try again")
}

// repeated is the receipt of a command that was carried out before. Appending
// it again, without facts, lets the journal compare the two requests.
func (c *Control) repeated(ctx context.Context, command journal.Command) (journal.Receipt, bool, error) {
	if _, err := c.Journal.Command(ctx, command.ID); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			err = nil
		}
		return journal.Receipt{}, false, err
	}
	receipt, err := c.Journal.Append(ctx, command)
	return receipt, true, err
}

func decoded[R any](result []byte, err error) (R, error) {
	var r R
	if err != nil || len(result) == 0 {
		return r, err
	}
	err = json.Unmarshal(result, &r)
	return r, err
}

func once[R any](ctx context.Context, c *Control, command journal.Command, try act[R]) (journal.Receipt, R, error) {
	var drafts []event.Draft
	var result R
	deciding, span := traced(ctx, "decide")
	err := c.Journal.Snapshot(deciding, func(s *journal.Snapshot) error {
		l, err := loading(deciding, s)
		if err != nil {
			return err
		}
		if drafts, result, err = try(l); err != nil {
			return err
		}
		command.Reads, command.Parts = nil, l.parts
		for stream, version := range l.reads {
			command.Reads = append(command.Reads, journal.Read{Stream: stream, Version: version})
		}
		return nil
	})
	span.End()
	if err != nil || len(drafts) == 0 {
		return journal.Receipt{}, result, err
	}
	command.Facts = drafts
	if command.ID != "" { // without a key nobody can ask for the result again
		if command.Result, err = json.Marshal(result); err != nil {
			return journal.Receipt{}, result, fmt.Errorf("encode result: %w", err)
		}
	}
	recording, span := traced(ctx, "record")
	defer span.End()
	receipt, err := c.Journal.Append(recording, command)
	return receipt, result, err
}

// traced begins a span of the caller's trace, where there is one.
func traced(ctx context.Context, name string) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer("signalbox.dev/signalbox").Start(ctx, name)
}

// stale reports whether the command lost a race and must decide anew.
func stale(err error) bool {
	var s *journal.Stale
	var t *journal.Taken
	return errors.As(err, &s) || errors.As(err, &t)
}

func pause(ctx context.Context, attempt int) error {
	wait := time.Duration(1+rand.IntN(1<<attempt)) * time.Millisecond
	select {
	case <-ctx.Done():
		return fault.New(fault.Interrupted, "request.interrupted", "the caller went away").Cause(ctx.Err())
	case <-time.After(wait):
		return nil
	}
}

// view runs fn on one consistent snapshot and appends nothing.
func view[R any](ctx context.Context, c *Control, fn func(l *Load) (R, error)) (R, error) {
	var result R
	err := c.Journal.Snapshot(ctx, func(s *journal.Snapshot) error {
		l, err := loading(ctx, s)
		if err == nil {
			result, err = fn(l)
		}
		return err
	})
	return result, err
}

// Now is the instant that decisions go by.
func (c *Control) Now(ctx context.Context) (time.Time, error) {
	return view(ctx, c, func(l *Load) (time.Time, error) { return l.Now, nil })
}

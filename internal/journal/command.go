package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
)

// Limits of a command and its facts.
const (
	FactBytes    = 32 << 10 // header, body and private part together
	PartBytes    = 16 << 10
	ResultBytes  = 32 << 10
	CommandFacts = 512
	CommandParts = 64
	idBytes      = 255
	streamBytes  = 512
)

// Command is facts that are appended together or not at all, on the condition
// that nothing they rest on has changed.
type Command struct {
	ID      string   // idempotency key; "" and one is minted, as every command has a row
	Request [32]byte // SHA-256 of the request: the same ID with another is a Conflict
	Actor   string   // "person/<id>", "machine/<id>" or "system/<part>"
	Auth    string   // how the actor proved it
	Source  string   // the way in
	Reads   []Read
	Facts   []event.Draft // at most CommandFacts; none records the command alone
	Parts   [][]byte      // of the basis, at most CommandParts, each stored once by its SHA-256
	Result  []byte        // JSON that a repeat of the command is answered with
}

// Read is a stream or set at the version that was seen; 0 means that it must not exist.
type Read struct {
	Stream  event.Stream
	Version uint64
}

// Receipt says where a command's facts stand.
type Receipt struct {
	Command     string
	First, Next uint64 // positions [First, Next)
	Time        event.Micros
	Repeated    bool // the command had been appended before; nothing was appended now
	Result      []byte

	trace *trace // where the command was recorded just now
}

// Stale says that a stream or set has changed since it was read: load, decide
// and append again.
type Stale struct {
	Stream    event.Stream
	Read, Now uint64
}

// Error says which stream, and both versions.
func (s *Stale) Error() string {
	return fmt.Sprintf("%s was read at version %d and is at %d", s.Stream, s.Read, s.Now)
}

// Taken says that a unique key belongs to another stream.
type Taken = state.Taken

// encoded is a draft in the bytes that are stored.
type encoded struct {
	draft         event.Draft
	body, private []byte
}

// prepare checks a command and encodes its facts, in the caller's goroutine.
func (j *Journal) prepare(c Command) (*job, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := j.states.Check(c.streams()); err != nil {
		return nil, fmt.Errorf("command by %s: %w", c.Actor, err)
	}
	w := &job{Command: c, done: make(chan struct{})}
	if c.ID == "" {
		id, err := uuid.NewV7FromReader(j.random)
		if err != nil {
			return nil, fmt.Errorf("mint a command id: %w", err)
		}
		w.ID, w.minted = id.String(), true
	}
	for _, d := range c.Facts {
		if err := j.checkDisposal(d); err != nil {
			return nil, err
		}
		e, err := j.encode(d)
		if err != nil {
			return nil, err
		}
		w.facts = append(w.facts, e)
	}
	return w, nil
}

func (j *Journal) encode(d event.Draft) (encoded, error) {
	body, err := json.Marshal(d.Body)
	if err != nil {
		return encoded{}, fmt.Errorf("encode %s: %w", d.Kind, err)
	}
	private, err := event.EncodePrivate(d.Private, j.random)
	if err != nil {
		return encoded{}, fmt.Errorf("encode the private part of %s: %w", d.Kind, err)
	}
	if len(body)+len(private) > FactBytes {
		return encoded{}, tooLarge("fact.too-large", string(d.Kind), FactBytes)
	}
	return encoded{draft: d, body: body, private: private}, nil
}

func tooLarge(code, what string, limit int) *fault.Error {
	return fault.New(fault.TooLarge, code, fmt.Sprintf("%s is larger than %d bytes", what, limit)).Remedy("shorten the texts in it, such as the reason")
}

func (c Command) check() error {
	if err := state.CheckText(c.ID, idBytes); err != nil {
		return fault.Invalidf("command.id", "the command's id cannot be used").Because(err.Error())
	}
	if c.Actor == "" || c.Source == "" {
		return fmt.Errorf("command %q names no actor or no source", c.ID)
	}
	if len(c.Facts) > CommandFacts {
		return fault.New(fault.TooLarge, "command.facts", fmt.Sprintf("a command has at most %d facts", CommandFacts))
	}
	if len(c.Parts) > CommandParts {
		return fault.New(fault.TooLarge, "command.parts", fmt.Sprintf("a command has at most %d parts of its basis", CommandParts))
	}
	if len(c.Result) > ResultBytes {
		return tooLarge("command.result", "the result", ResultBytes)
	}
	for _, p := range c.Parts {
		if len(p) > PartBytes {
			return tooLarge("command.part", "a part of the basis", PartBytes)
		}
	}
	return c.checkStreams()
}

func (c Command) checkStreams() error {
	for _, s := range c.streams() {
		if s.Noun() == "" || s.ID() == "" {
			return fmt.Errorf("stream %q is not <noun>/<id>", s)
		}
		if err := state.CheckText(string(s), streamBytes); err != nil {
			return fault.Invalidf("stream.name", "the name of a stream cannot be used").Because(err.Error())
		}
	}
	for _, d := range c.Facts {
		if d.Kind == "" {
			return fmt.Errorf("a fact for %s has no kind", d.Stream)
		}
		if d.Stream.Noun() == state.SetNoun {
			return fmt.Errorf("%s for %s: a set holds no facts", d.Kind, d.Stream)
		}
	}
	return nil
}

// streams is every stream that the command names, some of them twice.
func (c Command) streams() []event.Stream {
	var all []event.Stream
	for _, r := range c.Reads {
		all = append(all, r.Stream)
	}
	for _, d := range c.Facts {
		all = append(all, d.Stream)
		all = append(all, d.Touches...)
	}
	return all
}

// stale is the first of the reads that no longer holds.
func (c Command) stale(version func(event.Stream) uint64) error {
	for _, r := range c.Reads {
		if now := version(r.Stream); now != r.Version {
			return &Stale{Stream: r.Stream, Read: r.Version, Now: now}
		}
	}
	return nil
}

// touched is the streams that a draft touches, each once and never its own.
func touched(d event.Draft) []event.Stream {
	all := slices.Clone(d.Touches)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(s event.Stream) bool { return s == d.Stream })
}

// stored is a command's row.
type stored struct {
	Receipt
	request []byte
}

// sum is the checksum of the row.
func (s stored) sum() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(s.Command)))
	b = append(b, s.Command...)
	b = append(b, s.request...)
	for _, n := range []uint64{s.First, s.Next, uint64(s.Time)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(append(b, s.Result...))
	return sum[:16]
}

// repeat answers a command whose id has been used before.
func (s stored) repeat(c Command) (Receipt, error) {
	if !bytes.Equal(s.request, c.Request[:]) {
		return Receipt{}, fault.New(fault.Conflict, "command.reused", fmt.Sprintf("the idempotency key %q was used for another request", c.ID)).
			Because("a key names one request for ever").Remedy("use a new key for a new request")
	}
	r := s.Receipt
	r.Repeated = true
	return r, nil
}

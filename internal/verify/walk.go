package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/trust"
)

// export is the walk over one export.
type export struct {
	lines    lines
	keys     Keys
	progress func(uint64)
	size     uint64 // facts announced
	tree     frontier
	held     held
	versions map[event.Stream]uint64
	time     event.Micros
	gone     map[uint64]struct{}    // facts without private fields that no fact has accounted for yet
	kept     map[uint64][]published // by size
	furthest uint64                 // size of the largest of them
	turns    []trust.Turn           // rotations of keys that are still to come by
	report   Report
}

// line is any line but the first: a fact with its hash in the tree, a signed
// note, or the end; which one it is shows by what is set.
type line struct {
	Position   *uint64       `json:"position"`
	Header     []byte        `json:"header"` // as stored, like body, private and leaf
	Body       []byte        `json:"body"`
	Private    []byte        `json:"private"`
	Leaf       []byte        `json:"leaf"`
	Checkpoint *string       `json:"checkpoint"`
	End        *ExportCounts `json:"end"`
}

func (l line) isFact() bool {
	return l.Position != nil && l.Header != nil && l.Body != nil && l.Private != nil && l.Leaf != nil && l.Checkpoint == nil && l.End == nil
}

func (l line) hasFactPart() bool {
	return l.Position != nil || l.Header != nil || l.Body != nil || l.Private != nil || l.Leaf != nil
}

func (e *export) run(ctx context.Context, c Check) error {
	if err := e.head(); err != nil {
		return err
	}
	if err := e.expect(c.Published); err != nil {
		return err
	}
	for {
		if ctx.Err() != nil {
			return fault.New(fault.Interrupted, "export.interrupted", "the check of the export was interrupted").Cause(ctx.Err())
		}
		l, err := e.line()
		if err != nil {
			return err
		}
		switch {
		case l.isFact():
			err = e.fact(l)
		case l.hasFactPart() || (l.Checkpoint == nil) == (l.End == nil):
			err = wrongf("export.line", e.report.Facts, "line %d is neither a fact nor a checkpoint nor the end", e.lines.number)
		case l.Checkpoint != nil:
			err = e.checkpoint(*l.Checkpoint)
		default:
			if err := e.end(*l.End); err != nil {
				return err
			}
			return e.outside(c.Witnesses)
		}
		if err != nil {
			return err
		}
	}
}

func (e *export) head() error {
	b, err := e.lines.next()
	if err != nil {
		return e.lineProblem(err)
	}
	var h ExportHead
	if err := strict.Decode(b, &h); err != nil {
		return wrongf("export.line", nowhere, "line 1 is not the head of an export: %s", err)
	}
	if h.Format != ExportFormat || h.Origin == "" {
		return wrongf("export.line", nowhere, "the export has the format %d or no origin; this program reads the format %d", h.Format, ExportFormat)
	}
	e.report.Origin, e.size = h.Origin, h.Size
	return e.follow(h.Rotations)
}

func (e *export) line() (line, error) {
	b, err := e.lines.next()
	if err != nil {
		return line{}, e.lineProblem(err)
	}
	var l line
	if err := strict.Decode(b, &l); err != nil {
		return line{}, wrongf("export.line", e.report.Facts, "line %d, where position %d is due, cannot be read: %s", e.lines.number, e.report.Facts, err)
	}
	return l, nil
}

func (e *export) lineProblem(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return wrongf("export.line", e.report.Facts, "the export breaks off after %d facts of %d: the line that ends it is missing", e.report.Facts, e.size)
	case errors.Is(err, errLine):
		return wrongf("export.line", e.report.Facts, "line %d, where position %d is due: %s", e.lines.number, e.report.Facts, err)
	}
	return err
}

func (e *export) fact(l line) error {
	at := e.report.Facts
	if *l.Position != at {
		return wrongf("export.position", at, "position %d is due and %d stands there", at, *l.Position)
	}
	h, err := e.header(at, l.Header)
	if err != nil {
		return err
	}
	if err := e.raise(at, h); err != nil {
		return err
	}
	if h.Time < e.time {
		return wrongf("export.time", at, "the fact at %d is of %s, earlier than the one before, %s", at, h.Time, e.time)
	}
	e.time = h.Time
	disposed, err := private(l.Private)
	if err != nil {
		return wrongf("export.leaf", at, "the private part of the fact at %d was changed: %s", at, err)
	}
	leaf, err := RecordHash(l.Header, l.Body, l.Private)
	if err != nil {
		return wrongf("export.leaf", at, "the private part of the fact at %d was changed: %s", at, err)
	}
	if !bytes.Equal(leaf[:], l.Leaf) {
		return wrongf("export.leaf", at, "the bytes of the fact at %d are not those whose hash is stored", at)
	}
	e.tree.add(leaf)
	e.held.fact(e.report.Origin, leaf, &e.tree)
	e.report.Facts++
	e.report.Kinds[h.Kind]++
	e.report.Disposed += disposed
	if disposed > 0 {
		e.gone[at] = struct{}{}
	}
	if err := e.account(h, l.Body); err != nil {
		return err
	}
	if err := e.turn(h, l.Body); err != nil {
		return err
	}
	if e.report.Facts%progressEvery == 0 {
		e.progress(e.report.Facts)
	}
	return e.compare()
}

func (e *export) header(at uint64, b []byte) (event.Header, error) {
	var h event.Header
	if err := strict.Decode(b, &h); err != nil {
		return event.Header{}, wrongf("export.header", at, "the header of the fact at %d cannot be read: %s", at, err)
	}
	switch {
	case h.Format != 1:
		return event.Header{}, wrongf("export.header", at, "the fact at %d has the format %d; this program reads the format 1", at, h.Format)
	case h.Position != at:
		return event.Header{}, wrongf("export.position", at, "the header of the fact at %d says %d", at, h.Position)
	case h.Stream.Noun() == "" || h.Stream.ID() == "" || h.Kind == "" || h.Actor == "" || h.Time <= 0:
		return event.Header{}, wrongf("export.header", at, "the header of the fact at %d lacks its stream, kind, actor or time", at)
	case h.Stream.Noun() == "journal" && h.Stream.ID() != e.report.Origin:
		return event.Header{}, wrongf("export.origin", at, "the fact at %d is of the journal %s, not of %s", at, h.Stream.ID(), e.report.Origin)
	}
	return h, nil
}

// raise follows the versions of the fact's own stream and of those it touches, each raised once and by one.
func (e *export) raise(at uint64, h event.Header) error {
	for _, t := range append([]event.Touch{{Stream: h.Stream, Version: h.Version}}, h.Touches...) {
		if due := e.versions[t.Stream] + 1; t.Version != due {
			return wrongf("export.version", at, "the fact at %d raises %s to version %d where %d is due", at, t.Stream, t.Version, due)
		}
		e.versions[t.Stream] = t.Version
	}
	return nil
}

// private counts the fields disposed of and refuses members that the leaf would not cover.
func private(b []byte) (disposed uint64, err error) {
	var fields []event.Private
	if err := strict.Decode(b, &fields); err != nil {
		return 0, err
	}
	for _, f := range fields {
		if f.Digest != "" {
			disposed++
		}
	}
	return disposed, nil
}

// account takes note of a disposal: what went is missing with a reason.
func (e *export) account(h event.Header, body []byte) error {
	if h.Kind != event.FieldsDisposed {
		return nil
	}
	var d event.Disposed
	if err := strict.Decode(body, &d); err != nil {
		return wrongf("export.disposed", h.Position, "the disposal at %d cannot be read: %s", h.Position, err)
	}
	for _, p := range d.Positions {
		delete(e.gone, p)
	}
	return nil
}

// unaccounted refuses private fields that went without a fact that says so.
func (e *export) unaccounted() error {
	if len(e.gone) == 0 {
		return nil
	}
	first := slices.Min(slices.Collect(maps.Keys(e.gone)))
	return wrongf("export.disposed", first, "the private fields of %d facts, the first at %d, were removed and no fact says so", len(e.gone), first)
}

func (e *export) checkpoint(text string) error {
	from, facts := e.report.Head.Size, e.report.Facts
	head, cosigned, err := Cosigned([]byte(text), e.keys)
	switch {
	case err != nil:
		return wrongf("export.checkpoint", from, "%s; nothing from position %d on is proven", err, from)
	case head.Origin != e.report.Origin:
		return wrongf("export.origin", from, "a checkpoint is of the journal %s, not of %s", head.Origin, e.report.Origin)
	case head.Size != facts:
		return wrongf("export.checkpoint", min(head.Size, facts), "a checkpoint of size %d stands after %d facts", head.Size, facts)
	case facts == 0:
		return wrongf("export.checkpoint", nowhere, "a checkpoint stands before the first fact")
	case head.Root != e.tree.root() && from == facts:
		return wrongf("export.checkpoint", nowhere, "two checkpoints of size %d have different roots: the journal was signed twice", facts)
	case head.Root != e.tree.root():
		return wrongf("export.checkpoint", from, "the checkpoint of size %d has another root: a fact between %d and %d was changed", facts, from, facts-1)
	}
	e.report.Head = head
	e.report.Checkpoints++
	e.witnessed(facts, cosigned)
	return nil
}

func (e *export) end(counts ExportCounts) error {
	facts := e.report.Facts
	if counts.Facts != facts || e.size != facts {
		return wrongf("export.counts", facts, "there are %d facts; the head says %d and the end %d", facts, e.size, counts.Facts)
	}
	if counts.Checkpoints != e.report.Checkpoints {
		return wrongf("export.counts", nowhere, "there are %d checkpoints and the end says %d", e.report.Checkpoints, counts.Checkpoints)
	}
	if _, err := e.lines.next(); !errors.Is(err, io.EOF) {
		if err != nil && !errors.Is(err, errLine) {
			return err
		}
		return wrongf("export.line", nowhere, "something stands after the end")
	}
	e.progress(facts)
	if err := e.unaccounted(); err != nil {
		return err
	}
	if len(e.turns) > 0 {
		return wrongf("export.key", nowhere, "the head names a rotation of a key at %d and no fact there says so", e.turns[0].Position)
	}
	if facts == 0 {
		return wrongf("export.empty", nowhere, "there is no fact, and so nothing that is signed")
	}
	if e.held.end(); len(e.held.broken) > 0 {
		b := e.held.broken[0]
		return wrongf("export.receipt", b.First, "%d receipts do not hold; that of %s for %d to %d: %s", len(e.held.broken), b.Time, b.First, b.Next-1, b.Problem)
	}
	if covered := e.report.Head.Size; covered < facts {
		return wrongf("export.tail", covered, "a tail of %d facts, from position %d on, is not covered by a signed checkpoint", facts-covered, covered)
	}
	return nil
}

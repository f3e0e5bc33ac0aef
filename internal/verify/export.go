package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/trust"
)

// The lines of an export, one JSON value each: ExportHead, then facts, each
// stored checkpoint after the last fact that it covers, and {"end": ExportCounts}
// (see line). All byte strings are base64.
type (
	// ExportHead is the first line.
	ExportHead struct {
		Format int    `json:"signalbox_export"` // 1
		Origin string `json:"origin"`
		Size   uint64 `json:"size"` // facts that follow

		Rotations []trust.Turn `json:"rotations,omitempty"` // of keys, each a fact that follows
	}

	// ExportCounts is what went before the end.
	ExportCounts struct {
		Facts       uint64 `json:"facts"`
		Checkpoints uint64 `json:"checkpoints"`
	}
)

// ExportFormat is the number of the export's layout.
const ExportFormat = 1

const (
	maxLine       = 256 << 10
	progressEvery = 1000
)

// Report is what an export holds, as far as it was good.
type Report struct {
	Origin      string                `json:"origin"`
	Facts       uint64                `json:"facts"`       // that were good, from position 0
	Checkpoints uint64                `json:"checkpoints"` // that were good
	Head        Head                  `json:"head"`        // of the newest good checkpoint
	Tail        uint64                `json:"tail"`        // facts after it
	Kinds       map[event.Kind]uint64 `json:"kinds"`
	Disposed    uint64                `json:"disposed"` // private fields disposed of; the proofs hold without them
	Receipts    uint64                `json:"receipts"` // that hold
	Broken      []Broken              `json:"broken_receipts,omitempty"`
	FirstWrong  *uint64               `json:"first_wrong,omitempty"`
	Problem     string                `json:"problem,omitempty"`
	Published   uint64                `json:"published"`           // checkpoints kept elsewhere that agree
	Witnesses   []Witnessed           `json:"witnesses,omitempty"` // one a name among the keys
	Leaked      []Leaked              `json:"leaked,omitempty"`    // keys that another may have used
}

// Check is what an export is held against.
type Check struct {
	Keys      Keys
	Published []Published // checkpoints that were kept elsewhere: the export must begin with each tree
	Receipts  []Receipt   // each one's facts must stand, and before them what stood then
	Witnesses int         // so many must have cosigned checkpoints, here or published, that cover all facts
	Progress  func(facts uint64)
}

// Export is a Check of an export with public keys alone.
func Export(ctx context.Context, r io.Reader, keys Keys, progress func(facts uint64)) (Report, error) {
	return Check{Keys: keys, Progress: progress}.Export(ctx, r)
}

// Export reads a whole export and checks every line's shape, gapless
// positions, headers, versions of streams without a gap, times that never go
// back, every leaf, one origin, every checkpoint's signature, place and root,
// that the newest checkpoint covers all facts, and the counts at the end.
//
// It stops at the first thing wrong. The report then names the first wrong
// position, or, where only a root differs, the first that no good checkpoint
// covers, and the error is Unverified with a code:
//
//	export.line        a line is not what can stand there
//	export.position    a fact is missing, twice, or in another's place
//	export.header      a header cannot be read or does not belong there
//	export.version     a stream's version has a gap or comes twice
//	export.time        a time is earlier than the one before
//	export.leaf        a fact's bytes are not those that were hashed
//	export.origin      something belongs to another journal
//	export.checkpoint  a checkpoint's signature, place or root is false
//	export.counts      the counts do not match
//	export.empty       nothing is signed
//	export.receipt     a receipt does not hold; every one that does not is named
//	export.tail        facts stand after the newest checkpoint; all else is good
//	export.published   a published checkpoint is another journal's, or beyond its end
//	export.witnesses   too few witnesses have cosigned all of it; all else is good
//
// Memory is bounded by the number of streams and published checkpoints, not of
// facts. Progress, if not nil, is called now and then with the number of facts checked.
func (c Check) Export(ctx context.Context, r io.Reader) (Report, error) {
	if _, err := c.Keys.Trusted(ForJournal); err != nil {
		return Report{}, err
	}
	if c.Progress == nil {
		c.Progress = func(uint64) {}
	}
	e := &export{
		lines: lines{from: bufio.NewReaderSize(r, maxLine)}, keys: c.Keys, progress: c.Progress, kept: map[uint64][]published{}, held: hold(c.Receipts),
		versions: map[event.Stream]uint64{}, gone: map[uint64]struct{}{}, report: Report{Kinds: map[event.Kind]uint64{}},
	}
	err := e.run(ctx, c)
	e.report.Tail = e.report.Facts - e.report.Head.Size
	e.report.Receipts, e.report.Broken = e.held.good, e.held.broken
	var w *wrong
	if !errors.As(err, &w) {
		return e.report, err
	}
	e.report.Problem = w.Error()
	if w.at != nowhere {
		e.report.FirstWrong = &w.at
	}
	return e.report, unverified(w.code, "the export does not verify").Because(w.Error()).
		At(fault.Position{Line: e.lines.number}).
		Remedy("keep this export and the database as they are, and compare with another export or a restored backup")
}

// wrong is the first thing found wrong in an export.
type wrong struct {
	code    string
	at      uint64 // position, or nowhere
	problem string
}

const nowhere = ^uint64(0)

func (w *wrong) Error() string { return w.problem }

func wrongf(code string, at uint64, format string, args ...any) error {
	return &wrong{code: code, at: at, problem: fmt.Sprintf(format, args...)}
}

// lines reads lines of at most maxLine bytes, each ended by a newline.
type lines struct {
	from   *bufio.Reader
	number int
}

var errLine = errors.New("not a line")

// next is the next line with its newline, or io.EOF at the very end. The bytes hold until the next call.
func (l *lines) next() ([]byte, error) {
	line, err := l.from.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) == 0 {
		return nil, io.EOF
	}
	l.number++
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it ends within a line", errLine)
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: it is longer than %d bytes", errLine, maxLine)
	}
	return nil, fmt.Errorf("read the export: %w", err)
}

package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/verify"
)

// Checking says against what a backup is checked.
type Checking struct {
	Keys     []byte        // public keys that are trusted, as text; nil takes the backup's own, which shows damage but no forgery
	Shapes   []event.Shape // of every noun
	Progress func(facts uint64)

	TrustFacts bool // take facts that verify, whatever states stood when the backup was taken
}

// Check reads a backup from its first byte to its last: the digest of each
// entry, the journal under the public keys, the states against a fold of all
// facts from the first, and that all originals which are listed as included are
// there. It changes nothing. Errors: fault Unverified with what is wrong.
func Check(ctx context.Context, r io.Reader, c Checking) (Report, error) {
	cold, err := journal.Cold(c.Shapes)
	if err != nil {
		return Report{}, err
	}
	k := &checker{Checking: c, cold: cold, report: Report{Lost: []string{}, Trusted: c.Keys != nil}, there: map[string]bool{}}
	found, err := walk(ctx, r, visitor{
		manifest: func(m Manifest) error { return k.begin(ctx, m) }, journal: k.lines,
		command: func(journal.CommandRow) error { k.report.Commands++; return nil },
		part:    func([]byte) error { return nil },
		original: func(digest string, size int64, _ io.Reader) error {
			k.there[digest] = true
			k.report.Files++
			k.report.Bytes += size
			return nil
		},
		listed: k.listed,
	})
	err = errors.Join(err, k.end())
	if err != nil {
		return k.report, first(err)
	}
	k.report.Digest, k.report.Size = found.digest, found.size
	return k.report, k.compare()
}

// first is the first fault of joined errors: what was met first explains the rest.
func first(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return err
}

// checker is one check.
type checker struct {
	Checking
	report Report
	cold   *state.Cold
	there  map[string]bool

	pipe    *io.PipeWriter
	checked chan verified
}

type verified struct {
	report verify.Report
	err    error
}

// begin starts the verification of the journal beside the reading.
func (k *checker) begin(ctx context.Context, m Manifest) error {
	k.report.Manifest = m
	text := k.Keys
	if text == nil {
		text = []byte(m.Keys)
	}
	keys, err := verify.ParseKeys(text)
	if err != nil {
		return err
	}
	head, err := verify.Checkpoint([]byte(m.Checkpoint), keys)
	if err != nil {
		return err
	}
	if head.Origin != m.Origin || head.Size != m.Head.Size || head.Root != m.Head.Root {
		return broken("its checkpoint is of another journal than it says")
	}
	from, to := io.Pipe()
	k.pipe, k.checked = to, make(chan verified, 1)
	go func() {
		report, err := verify.Export(ctx, from, keys, k.Progress)
		if err == nil {
			_, err = io.Copy(io.Discard, from)
		}
		from.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		k.checked <- verified{report, err}
	}()
	return nil
}

// lines hands lines of the export to the verification and folds their facts.
func (k *checker) lines(b []byte) error {
	if _, err := k.pipe.Write(b); err != nil {
		return fmt.Errorf("the journal was not verified further: %w", err)
	}
	return facts(b, func(f line) error {
		recorded, err := event.Read(f.Header, f.Body, f.Private)
		if err != nil {
			return broken("a fact cannot be read").Cause(err)
		}
		return k.cold.Add(recorded)
	}, nil)
}

// end waits for the verification of the journal.
func (k *checker) end() error {
	if k.pipe == nil {
		return nil
	}
	_ = k.pipe.Close()
	got := <-k.checked
	if got.err != nil {
		return got.err
	}
	if h := got.report.Head; h.Size != k.report.Head.Size || h.Root != k.report.Head.Root || got.report.Origin != k.report.Origin {
		return broken("its journal is not the one that its checkpoint covers")
	}
	return nil
}

func (k *checker) listed(digest, kept string) error {
	switch {
	case kept == included && !k.there[digest]:
		return broken("the original " + digest + " is not in it")
	case kept == elsewhere:
		k.report.Elsewhere = append(k.report.Elsewhere, digest)
	case kept == lost:
		k.report.Lost = append(k.report.Lost, digest)
	}
	return nil
}

// compare holds the states that stood when the backup was taken against the
// fold of its facts, for nouns that this program folds in the same way.
func (k *checker) compare() error {
	ours := map[string]state.Sum{}
	for _, s := range k.cold.Sums() {
		ours[s.Noun] = s
	}
	for _, s := range k.report.States {
		if o, known := ours[s.Noun]; !k.TrustFacts && known && o.Fold == s.Fold && o != s {
			return fault.New(fault.Unverified, "backup.states", "the states of every "+s.Noun+" were not what the facts make, when the backup was taken").
				Because(fmt.Sprintf("%d streams stood, the facts make %d, and they come to another digest", s.Streams, o.Streams)).
				Remedy("the facts verify: restore it, which folds them anew, with --trust-facts")
		}
	}
	return nil
}

// line is a fact or a checkpoint of an export.
type line struct {
	Position   uint64 `json:"position"`
	Header     []byte `json:"header"`
	Body       []byte `json:"body"`
	Private    []byte `json:"private"`
	Leaf       []byte `json:"leaf"`
	Checkpoint string `json:"checkpoint"`
}

// facts calls fact and checkpoint with what the lines of an export hold; head and end are passed over.
func facts(b []byte, fact func(line) error, checkpoint func(string) error) error {
	for text := range bytes.Lines(b) {
		var l line
		if bytes.HasPrefix(text, []byte(`{"signalbox_export"`)) || bytes.HasPrefix(text, []byte(`{"end"`)) {
			continue
		}
		if err := strict.Decode(text[:len(text)-1], &l); err != nil {
			return broken("a line of the journal cannot be read").Cause(err)
		}
		var err error
		switch {
		case l.Header != nil:
			err = fact(l)
		case checkpoint != nil:
			err = checkpoint(l.Checkpoint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

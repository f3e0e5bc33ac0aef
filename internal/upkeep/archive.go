package upkeep

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/strict"
	"signalbox.dev/signalbox/internal/vault"
)

// visitor is told what stands in a backup; what is nil is passed over, but its
// bytes are counted into the digests all the same.
type visitor struct {
	manifest func(Manifest) error
	journal  func(lines []byte) error // a part of the export; lines are whole
	command  func(journal.CommandRow) error
	part     func(body []byte) error
	original func(digest string, size int64, r io.Reader) error // reads r to its end
	listed   func(digest, kept string) error
}

// walked is what a walk over a backup has found.
type walked struct {
	digest string // of the file
	size   int64
	sums   string // the last entry
}

// counted counts and hashes what is read through it.
type counted struct {
	from io.Reader
	hash interface {
		io.Writer
		Sum([]byte) []byte
	}
	n int64
}

// Read is io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	return n, err
}

// walk reads a backup from its first byte to its last and compares every
// entry's digest. What the visitor was told before an error is not to be
// believed. Errors: fault Unverified for whatever is not a whole backup.
func walk(ctx context.Context, r io.Reader, v visitor) (walked, error) {
	raw := &counted{from: r, hash: sha256.New()}
	buffered := bufio.NewReaderSize(raw, 1<<16)
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return walked{}, broken("it is not packed as a backup is").Cause(err)
	}
	unpacked.Multistream(false)
	w := &walker{ctx: ctx, from: tar.NewReader(unpacked), visit: v}
	if err := w.run(); err != nil {
		return walked{}, err
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return walked{}, cut(err)
	}
	if n, err := io.Copy(io.Discard, buffered); n > 0 || err != nil {
		return walked{}, broken("something stands after its end").Cause(err)
	}
	return walked{digest: "sha256:" + hex.EncodeToString(raw.hash.Sum(nil)), size: raw.n, sums: w.sums.String()}, nil
}

// walker is one walk.
type walker struct {
	ctx   context.Context
	from  *tar.Reader
	visit visitor
	sums  bytes.Buffer
	stage int // of the entry before
	count int // of entries at this stage
}

// The stages of a backup: entries come in this order.
const (
	atManifest = iota
	atJournal
	atCommands
	atParts
	atOriginals
	atList
	atSums
)

var chunkName = regexp.MustCompile(`^(journal/|commands/|parts/)([0-9]{8})\.jsonl$`)

func cut(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	return broken("it ends too early, or has changed").Cause(err)
}

func (w *walker) run() error {
	w.stage = -1
	for {
		if err := w.ctx.Err(); err != nil {
			return fault.New(fault.Interrupted, "backup.interrupted", "the backup was not read to its end").Cause(err)
		}
		h, err := w.from.Next()
		if errors.Is(err, io.EOF) && w.stage == atSums {
			return nil
		}
		if err != nil {
			return cut(err)
		}
		if h.Typeflag != tar.TypeReg || w.stage == atSums {
			return broken(fmt.Sprintf("the entry %.80q does not belong there", h.Name))
		}
		if err := w.entry(h.Name, h.Size); err != nil {
			return err
		}
	}
}

func (w *walker) entry(name string, size int64) error {
	stage, err := w.place(name)
	if err != nil {
		return err
	}
	if stage == atSums {
		return w.compare(size)
	}
	sum := sha256.New()
	from := io.TeeReader(w.from, sum)
	if stage == atOriginals {
		err = w.original(name, size, from)
	} else {
		err = w.lines(stage, size, from)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(&w.sums, "%s  %s\n", hex.EncodeToString(sum.Sum(nil)), name)
	return nil
}

// place is the stage that a name belongs to; one that is out of order is refused.
func (w *walker) place(name string) (int, error) {
	stage, number := -1, 0
	switch m := chunkName.FindStringSubmatch(name); {
	case name == manifestName:
		stage = atManifest
	case name == lostName:
		stage = atList
	case name == sumsName:
		stage = atSums
	case strings.HasPrefix(name, originalsName):
		stage = atOriginals
	case m != nil:
		stage = map[string]int{journalName: atJournal, commandsName: atCommands, partsName: atParts}[m[1]]
		number, _ = strconv.Atoi(m[2])
	}
	same := stage == w.stage && (stage == atOriginals || stage >= atJournal && stage <= atParts && number == w.count)
	// Of originals there may be none; of all else there is at least one.
	next := stage == w.stage+1 || w.stage == atParts && stage == atList
	switch {
	case same:
		w.count++
	case next && number == 0:
		w.stage, w.count = stage, 1
	default:
		return 0, broken(fmt.Sprintf("the entry %.80q does not belong there", name))
	}
	return stage, nil
}

func (w *walker) lines(stage int, size int64, r io.Reader) error {
	most := map[int]int64{atManifest: manifestMax, atList: listMax}[stage]
	if most == 0 {
		most = chunkMax
	}
	if size > most {
		return broken(fmt.Sprintf("an entry has %d bytes", size))
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return cut(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return broken("an entry does not end with a line")
	}
	switch stage {
	case atManifest:
		return w.manifest(b)
	case atJournal:
		if w.visit.journal != nil {
			return w.visit.journal(b)
		}
		return nil
	case atCommands:
		return each(b, w.visit.command)
	case atParts:
		if w.visit.part == nil {
			return nil
		}
		return each(b, func(p part) error { return w.visit.part(p.Body) })
	}
	return w.list(b)
}

func (w *walker) manifest(b []byte) error {
	var m Manifest
	if err := strict.Decode(b, &m); err != nil {
		return broken("its first entry cannot be read").Cause(err)
	}
	if m.Format != format {
		return fault.New(fault.Unverified, "backup.format", fmt.Sprintf("the backup is of format %d, this program reads %d", m.Format, format)).
			Because("signalbox " + m.Program + " took it").Remedy("restore it with that version")
	}
	if w.visit.manifest == nil {
		return nil
	}
	return w.visit.manifest(m)
}

func each[T any](b []byte, fn func(T) error) error {
	if fn == nil {
		return nil
	}
	for line := range bytes.Lines(b) {
		var v T
		if err := strict.Decode(line[:len(line)-1], &v); err != nil {
			return broken("a line cannot be read").Cause(err)
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) original(name string, size int64, r io.Reader) error {
	digest := "sha256:" + strings.TrimPrefix(name, originalsName)
	if size > vault.MaxSize {
		return broken("an original is too large")
	}
	sum := sha256.New()
	r = io.TeeReader(r, sum)
	if w.visit.original != nil {
		if err := w.visit.original(digest, size, r); err != nil {
			return cut(err)
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return cut(err)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != digest {
		return broken(fmt.Sprintf("the original %.80q has the digest %s", digest, got))
	}
	return nil
}

func (w *walker) list(b []byte) error {
	for line := range strings.Lines(string(b)) {
		digest, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		_, kept, found := strings.Cut(rest, " ")
		if !found || !strings.HasPrefix(digest, "sha256:") || kept != included && kept != elsewhere && kept != lost {
			return broken("the list of originals cannot be read")
		}
		if w.visit.listed != nil {
			if err := w.visit.listed(digest, kept); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) compare(size int64) error {
	if size != int64(w.sums.Len()) {
		return broken("its digests are not those of its entries")
	}
	b, err := io.ReadAll(w.from)
	if err != nil {
		return cut(err)
	}
	if bytes.Equal(b, w.sums.Bytes()) {
		return nil
	}
	theirs := strings.Split(string(b), "\n")
	for i, ours := range strings.Split(w.sums.String(), "\n") {
		if i >= len(theirs) || theirs[i] != ours {
			_, name, _ := strings.Cut(ours, "  ")
			return broken("the entry " + name + " has changed")
		}
	}
	return broken("its digests are not those of its entries")
}

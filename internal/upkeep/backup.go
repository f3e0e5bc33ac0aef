package upkeep

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/vault"
)

// Source is an installation that is open.
type Source struct {
	Journal *journal.Journal
	Vault   *vault.Vault
	Keys    []byte // public ones, as text
	Program string // version
	Now     time.Time
}

// Backup writes a backup to w while the installation goes on: every fact that
// was acknowledged before it began, up to a checkpoint that it signs, and the
// originals. One that is cut off lacks its last entry and is never read as whole.
func Backup(ctx context.Context, s Source, w io.Writer) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	a := &archive{out: tar.NewWriter(packed), at: s.Now}
	err = s.Journal.Copy(ctx, func(c *journal.Copy) error { return a.journal(ctx, s, c) })
	if err == nil {
		err = a.originals(ctx, s.Vault)
	}
	if err == nil {
		err = a.entry(sumsName, a.sums.Bytes())
	}
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return errors.Join(a.out.Close(), packed.Close())
}

// archive is a backup being written.
type archive struct {
	out  *tar.Writer
	at   time.Time
	sums bytes.Buffer
}

func (a *archive) entry(name string, b []byte) error {
	return a.stream(name, int64(len(b)), bytes.NewReader(b))
}

func (a *archive) stream(name string, size int64, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: a.at.UTC().Truncate(time.Second), Format: tar.FormatPAX}
	if err := a.out.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(a.out, sum), r); err != nil {
		return err
	}
	fmt.Fprintf(&a.sums, "%s  %s\n", hex.EncodeToString(sum.Sum(nil)), name)
	return nil
}

func (a *archive) journal(ctx context.Context, s Source, c *journal.Copy) error {
	states, err := c.Sums(ctx)
	if err != nil {
		return err
	}
	where, err := place(ctx, s.Vault)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(Manifest{
		Format: format, Program: s.Program, Taken: s.Now.UTC().Format(time.RFC3339), Origin: c.Origin, Head: c.Head, Checkpoint: c.Checkpoint,
		Keys: string(s.Keys), States: states, Originals: where,
	}, "", "  ")
	if err == nil {
		err = a.entry(manifestName, append(b, '\n'))
	}
	if err != nil {
		return err
	}
	facts := &chunks{archive: a, name: journalName}
	if err := errors.Join(c.Export(ctx, facts), facts.Close()); err != nil {
		return err
	}
	commands := &chunks{archive: a, name: commandsName}
	lines := json.NewEncoder(commands)
	if err := errors.Join(c.Commands(ctx, func(r journal.CommandRow) error { return lines.Encode(r) }), commands.Close()); err != nil {
		return err
	}
	parts := &chunks{archive: a, name: partsName}
	lines = json.NewEncoder(parts)
	return errors.Join(c.Parts(ctx, func(body []byte) error { return lines.Encode(part{body}) }), parts.Close())
}

// part is a line of parts.
type part struct {
	Body []byte `json:"body"`
}

func place(ctx context.Context, v *vault.Vault) (string, error) {
	status, err := v.Status(ctx)
	if err != nil {
		return "", err
	}
	if status.Kind == "s3" {
		return elsewhere, nil
	}
	return included, nil
}

// chunks cuts lines into entries of about chunkSize. Each Write is of whole
// lines, or is put together with those that follow.
type chunks struct {
	*archive
	name  string
	count int
	held  bytes.Buffer
}

// Write takes bytes; lines are cut only at their end.
func (c *chunks) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		c.held.Write(line)
		if c.held.Len() >= chunkSize && line[len(line)-1] == '\n' {
			if err := c.cut(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (c *chunks) cut() error {
	err := c.entry(fmt.Sprintf("%s%08d.jsonl", c.name, c.count), c.held.Bytes())
	c.count++
	c.held.Reset()
	return err
}

// Close writes what is held. There is always one entry.
func (c *chunks) Close() error {
	if c.held.Len() == 0 && c.count > 0 {
		return nil
	}
	return c.cut()
}

// page is how many entries of the vault's books are read at a time.
const page = 500

// originals copies the vault: each entry is read once to prove it, and once to
// copy it, for its length comes first. What is gone or has changed is listed.
func (a *archive) originals(ctx context.Context, v *vault.Vault) error {
	where, err := place(ctx, v)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for after := ""; ; {
		entries, err := v.Entries(ctx, after, page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			after = e.Digest
			kept, err := a.original(ctx, v, e, where)
			if err != nil {
				return fmt.Errorf("original %s: %w", e.Digest, err)
			}
			if kept == "" {
				continue
			}
			fmt.Fprintf(&list, "%s %d %s\n", e.Digest, e.Size, kept)
		}
		if len(entries) < page {
			return a.entry(lostName, list.Bytes())
		}
	}
}

// lost marks an original in the list that could not be copied.
const lost = "lost"

func (a *archive) original(ctx context.Context, v *vault.Vault, e vault.Entry, where string) (string, error) {
	if where == elsewhere {
		return elsewhere, nil
	}
	size, err := v.Prove(ctx, e.Digest)
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Unverified {
		return stillBooked(ctx, v, e.Digest)
	}
	if err != nil {
		return "", err
	}
	from, err := v.Open(ctx, e.Digest)
	if err != nil {
		return "", err
	}
	err = a.stream(originalsName+e.Digest[len("sha256:"):], size, from)
	return included, errors.Join(err, from.Close())
}

// stillBooked is lost, or "" for an orphan that a sweep has removed meanwhile.
func stillBooked(ctx context.Context, v *vault.Vault, digest string) (string, error) {
	next, err := v.Entries(ctx, digest[:len(digest)-1], 1)
	if err != nil || len(next) == 0 || next[0].Digest != digest {
		return "", err
	}
	return lost, nil
}

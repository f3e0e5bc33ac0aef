package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/health"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
	"signalbox.dev/signalbox/internal/trust"
	"signalbox.dev/signalbox/internal/verify"
)

// How often a checkpoint is signed while facts arrive.
const (
	checkpointEvery = 10 * time.Second
	checkpointFacts = 1000
	leaseName       = "journal/checkpoints"
	leaseTime       = 3 * checkpointEvery
)

// checkpoint is a signed note (C2SP tlog-checkpoint): origin, size and root
// hash of the tree, one a line, then signatures. The zero checkpoint is of no facts.
type checkpoint struct {
	size uint64
	note string
}

// newest is the checkpoint of the greatest size, or the zero one.
func newest(ctx context.Context, tx *store.Tx) (checkpoint, error) {
	return readCheckpoint(ctx, tx, checkpointColumns+"ORDER BY size DESC LIMIT 1")
}

const checkpointColumns = "SELECT size, note, sum FROM checkpoints "

// readCheckpoint is the first row of a query of checkpointColumns, or the zero one.
func readCheckpoint(ctx context.Context, tx *store.Tx, query string, args ...any) (c checkpoint, err error) {
	err = tx.Each(ctx, func(r *sql.Rows) error {
		c, err = scanCheckpoint(r)
		return err
	}, query, args...)
	if err != nil {
		return c, fmt.Errorf("read a checkpoint: %w", err)
	}
	return c, nil
}

// scanCheckpoint reads a row of checkpointColumns. Errors: fault Unverified where
// it has changed since it was signed; rows from before there were sums have none.
func scanCheckpoint(r store.Row) (c checkpoint, err error) {
	var sum []byte
	if err := r.Scan(&c.size, &c.note, &sum); err != nil {
		return c, err
	}
	if len(sum) > 0 && !bytes.Equal(sum, c.sum()) {
		return c, c.wrong().Because("its note has changed since it was signed")
	}
	return c, nil
}

// sum is the checksum of the row.
func (c checkpoint) sum() []byte {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, c.size), c.note...))
	return sum[:16]
}

// holds checks that the tree still has, at the checkpoint's size, the root that
// was signed. Errors: fault Unverified.
func (c checkpoint) holds(ctx context.Context, tx *store.Tx, h head) error {
	if c.size == 0 {
		return nil
	}
	if h.size < c.size {
		return c.wrong().Because(fmt.Sprintf("it has %d facts", h.size))
	}
	root, err := tree.Root(ctx, tx, c.size)
	if err != nil {
		return c.wrong().Because("its tree cannot be read").Cause(err)
	}
	return c.has(h.origin, root)
}

// has checks that a root is the one that was signed. Errors: fault Unverified.
func (c checkpoint) has(origin string, root tlog.Hash) error {
	if want := (verify.Head{Origin: origin, Size: c.size, Root: root}); !strings.HasPrefix(c.note, want.Text()+"\n") {
		return c.wrong().Because("its root hash is another")
	}
	return nil
}

func (c checkpoint) wrong() *fault.Error {
	return fault.New(fault.Unverified, "journal.checkpoint", fmt.Sprintf("the journal is not the one that was signed at %d facts", c.size)).
		Remedy("verify an export of it, and restore from a backup if it has been changed")
}

// Checkpoint is the newest signed note. Errors: fault NotFound while there is none.
func (j *Journal) Checkpoint(ctx context.Context) (text string, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := newest(ctx, tx)
		text = c.note
		return err
	})
	if err == nil && text == "" {
		err = fault.New(fault.NotFound, "journal.no-checkpoint", "no checkpoint has been signed yet")
	}
	return text, err
}

// Unsigned is how many facts the newest checkpoint covers, and when the oldest
// fact was recorded that it does not; 0 where it covers all.
func (j *Journal) Unsigned(ctx context.Context) (signed uint64, oldest event.Micros, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := newest(ctx, tx)
		if err != nil {
			return err
		}
		signed = c.size
		facts, err := page(ctx, tx, signed, 1)
		if err == nil && len(facts) > 0 {
			oldest = facts[0].Time
		}
		return err
	})
	return signed, oldest, err
}

// SignNow signs the journal as it stands and returns the note; where that size
// is signed already, the note there is. It refuses to sign a tree that does not
// continue the newest checkpoint. Errors: fault Unverified for that,
// Unavailable without a key.
func (j *Journal) SignNow(ctx context.Context) (text string, err error) {
	if !j.signs() {
		return "", fault.New(fault.Unavailable, "journal.no-key", "there is no key to sign checkpoints with")
	}
	if err := j.Writable(); err != nil {
		return "", err
	}
	return j.signed(ctx, func(head) error { return nil })
}

// signed is SignNow, and calls at with the head while it is held.
func (j *Journal) signed(ctx context.Context, at func(head) error) (text string, err error) {
	err = j.db.InTx(ctx, func(tx *store.Tx) error {
		h, err := lockHead(ctx, tx)
		if err != nil {
			return err
		}
		if err := at(h); err != nil {
			return err
		}
		last, err := newest(ctx, tx)
		if err != nil {
			return err
		}
		if err := last.holds(ctx, tx, h); err != nil {
			return err
		}
		if text = last.note; last.size == h.size {
			return nil
		}
		text, err = j.sign(ctx, tx, h)
		return err
	})
	var wrong *fault.Error
	if errors.As(err, &wrong) && wrong.Kind == fault.Unverified {
		j.stop(wrong)
	}
	if err != nil {
		return "", fmt.Errorf("sign a checkpoint: %w", err)
	}
	return text, nil
}

// sign signs the tree of all facts and keeps the note.
func (j *Journal) sign(ctx context.Context, tx *store.Tx, h head) (string, error) {
	root, err := tree.Root(ctx, tx, h.size)
	if err != nil {
		return "", err
	}
	// Read while the head is held: no rotation comes between this and the note.
	line, err := j.keyLine(ctx, tx, trust.ForJournal)
	if err != nil {
		return "", err
	}
	signer, err := j.signerOf(line)
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: verify.Head{Origin: h.origin, Size: h.size, Root: root}.Text()}, signer)
	if err != nil {
		return "", err
	}
	failpoint.Hit(failpoint.NoteSigned)
	now, err := tx.Now(ctx)
	if err != nil {
		return "", err
	}
	_, err = tx.Exec(ctx, "INSERT INTO checkpoints (size, note, time, sum) VALUES ($1, $2, $3, $4)",
		int64(h.size), string(signed), int64(event.MicrosOf(now)), checkpoint{size: h.size, note: string(signed)}.sum())
	failpoint.Hit(failpoint.NoteWritten)
	return string(signed), err
}

// RunCheckpoints signs checkpoints until ctx ends: ten seconds after the last
// one if there are new facts, or sooner after a thousand. Of several processes
// the holder of the lease signs; should two, the head makes them take turns.
func (j *Journal) RunCheckpoints(ctx context.Context) error {
	if !j.signs() {
		return nil
	}
	defer func() { _ = j.db.Release(context.WithoutCancel(ctx), leaseName, j.holder) }()
	signed := uint64(0)
	signing := health.Outage{Log: j.log, Level: slog.LevelError, Fault: "no checkpoint was signed; trying on", Over: "checkpoints can be signed again"}
	for {
		j.waitForFacts(ctx, signed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		held, err := j.db.Acquire(ctx, leaseName, j.holder, leaseTime)
		if err == nil && !held {
			sleep(ctx, checkpointEvery)
		}
		if err == nil && held {
			size := j.grown.size()
			if _, err = j.SignNow(ctx); err == nil {
				signed = size
			}
		}
		if ctx.Err() == nil && j.awaits.Load() == nil {
			signing.Note(ctx, err)
		}
	}
}

// waitForFacts waits ten seconds, or until a thousand facts more than signed
// stand, and then at least a second, so that failures do not spin.
func (j *Journal) waitForFacts(ctx context.Context, signed uint64) {
	sleep(ctx, time.Second)
	short, cancel := context.WithTimeout(ctx, checkpointEvery-time.Second)
	defer cancel()
	_, _ = j.WaitBeyond(short, signed+checkpointFacts-1)
	_, _ = j.WaitBeyond(ctx, signed)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

package journal

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// How long an export waits until witnesses have cosigned its checkpoint.
const (
	witnessTime  = 5 * time.Second
	witnessEvery = 100 * time.Millisecond
)

// Refuse stops every further append until the process ends: somebody outside
// has shown that this journal is not the one that it was.
func (j *Journal) Refuse(why *fault.Error) { j.stop(why) }

// Cosign puts a signature line below the checkpoint of a size. The line of the
// same key that stands there goes. The text that the journal has signed never changes.
func (j *Journal) Cosign(ctx context.Context, size uint64, line string) error {
	err := j.db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := lockHead(ctx, tx); err != nil { // two witnesses at once take turns
			return err
		}
		c, err := readCheckpoint(ctx, tx, checkpointColumns+"WHERE size = $1", int64(size))
		if err != nil {
			return err
		}
		if c.size != size {
			return sql.ErrNoRows
		}
		c.note = withSignature(c.note, line)
		_, err = tx.Exec(ctx, "UPDATE checkpoints SET note = $1, sum = $2 WHERE size = $3", c.note, c.sum(), int64(size))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a cosignature of the checkpoint of %d facts: %w", size, err)
	}
	return nil
}

// withSignature is a note with a line, in the place of the one by the same key.
func withSignature(text, line string) string {
	body, signatures, _ := strings.Cut(text, "\n\n")
	var kept strings.Builder
	for s := range strings.Lines(signatures) {
		if signedBy(s) != signedBy(line) {
			kept.WriteString(s)
		}
	}
	return body + "\n\n" + kept.String() + line
}

// signedBy is the name and the hash of the key of a signature line.
func signedBy(line string) string {
	name, text, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "— "), " ")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 4 {
		return line
	}
	return fmt.Sprintf("%s+%x", name, b[:4])
}

// Cosignatures is how many signatures a checkpoint has beside the journal's own.
func Cosignatures(text string) int {
	_, signatures, _ := strings.Cut(text, "\n\n")
	return max(0, strings.Count(signatures, "\n")-1)
}

// settle waits until as many witnesses as are demanded have cosigned a
// checkpoint that has just been signed, and no longer than five seconds; and
// returns its size.
func (j *Journal) settle(ctx context.Context, text string) (size uint64, err error) {
	lines := strings.SplitN(text, "\n", 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("the checkpoint %.80q has no size", text)
	}
	if size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return 0, fmt.Errorf("the size of a checkpoint: %w", err)
	}
	for tries := witnessTime / witnessEvery; tries > 0 && Cosignatures(text) < j.quorum; tries-- {
		sleep(ctx, witnessEvery)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
			c, err := readCheckpoint(ctx, tx, checkpointColumns+"WHERE size = $1", int64(size))
			text = c.note
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("read a checkpoint: %w", err)
		}
	}
	return size, nil
}

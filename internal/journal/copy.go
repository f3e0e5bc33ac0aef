package journal

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
)

// Copy is all that a journal is made anew from, on one snapshot that a
// checkpoint covers to its last fact. It is valid inside the function it was given to.
type Copy struct {
	Origin     string
	Checkpoint string // signed note of Head
	Head       Tree

	journal *Journal
	tx      *store.Tx
}

// CommandRow is a command that was carried out, as its row has it.
type CommandRow struct {
	ID      string `json:"id"`
	Request []byte `json:"request"`
	First   uint64 `json:"first"`
	Next    uint64 `json:"next"`
	Time    int64  `json:"time"` // microseconds
	Result  []byte `json:"result"`
}

// Copy signs the journal as it stands and runs fn on a snapshot of just that,
// while the journal goes on. Errors: those of SignNow.
func (j *Journal) Copy(ctx context.Context, fn func(*Copy) error) error {
	if !j.signs() {
		return fault.New(fault.Unavailable, "journal.no-key", "there is no key to sign the copy's checkpoint with")
	}
	if err := j.Writable(); err != nil {
		return err
	}
	return j.db.ReadTx(ctx, func(tx *store.Tx) error {
		// The first statement of the snapshot runs while the head is held, so
		// that both see the same facts.
		note, err := j.signed(ctx, func(h head) error {
			seen, err := readHead(ctx, tx)
			if err == nil && (seen.size != h.size || seen.origin != h.origin) {
				err = fmt.Errorf("the snapshot has %d facts, the head says %d", seen.size, h.size)
			}
			return err
		})
		if err != nil {
			return err
		}
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		tree, err := treeOf(ctx, tx, h.size)
		if err != nil {
			return err
		}
		return fn(&Copy{Origin: h.origin, Checkpoint: note, Head: tree, journal: j, tx: tx})
	})
}

// Export writes the facts and checkpoints as Journal.Export does.
func (c *Copy) Export(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	e := &exportRun{journal: c.journal, tx: c.tx, out: json.NewEncoder(out), size: c.Head.Size, newest: checkpoint{c.Head.Size, c.Checkpoint}}
	if err := e.run(ctx, c.Origin); err != nil {
		return fmt.Errorf("copy the facts: %w", err)
	}
	return out.Flush()
}

// copyPage is how many rows one statement of a copy reads.
const copyPage = 500

// Commands calls fn with every command, so that a repeated one is known again.
func (c *Copy) Commands(ctx context.Context, fn func(CommandRow) error) error {
	last := ""
	for n := copyPage; n == copyPage; {
		n = 0
		var rows []CommandRow
		err := c.tx.Each(ctx, func(r *sql.Rows) error {
			s, err := scanCommand(r)
			rows = append(rows, CommandRow{ID: s.Command, Request: s.request, First: s.First, Next: s.Next, Time: int64(s.Time), Result: s.Result})
			n++
			return err
		}, commandColumns+"WHERE id > $1 ORDER BY id LIMIT $2", last, copyPage)
		if err != nil {
			return fmt.Errorf("copy the commands: %w", err)
		}
		for _, row := range rows {
			last = row.ID
			if err := fn(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// Parts calls fn with every part of a basis.
func (c *Copy) Parts(ctx context.Context, fn func(body []byte) error) error {
	last := []byte{}
	for n := copyPage; n == copyPage; {
		n = 0
		var bodies [][]byte
		err := c.tx.Each(ctx, func(r *sql.Rows) error {
			var body []byte
			err := r.Scan(&last, &body)
			bodies = append(bodies, body)
			n++
			return err
		}, "SELECT digest, body FROM parts WHERE digest > $1 ORDER BY digest LIMIT $2", last, copyPage)
		if err != nil {
			return fmt.Errorf("copy the parts of bases: %w", err)
		}
		for _, body := range bodies {
			if err := fn(body); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sums is what the states come to, noun by noun.
func (c *Copy) Sums(ctx context.Context) ([]state.Sum, error) {
	return c.journal.states.Sums(ctx, c.tx)
}

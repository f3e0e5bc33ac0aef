package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
)

// Restoring takes in what a Copy gave out: facts in order, and in any order
// checkpoints, commands and parts. It is valid inside the function it was given to.
type Restoring struct {
	journal *Journal
	tx      *store.Tx
	cold    *state.Cold
	tree    tree.Growth
	head    head

	facts, commands, parts, checkpoints store.Rows
}

// CheckEmpty refuses a database that has facts already.
func CheckEmpty(ctx context.Context, db *store.DB) error {
	return db.ReadTx(ctx, func(tx *store.Tx) error { return checkEmpty(ctx, tx) })
}

func checkEmpty(ctx context.Context, tx *store.Tx) error {
	var facts uint64
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM facts").Scan(&facts); err != nil {
		return fmt.Errorf("look for facts: %w", err)
	}
	if facts > 0 {
		return fault.New(fault.Conflict, "restore.not-empty", fmt.Sprintf("there is a journal of %d facts already", facts)).
			Because("a backup is restored beside it and never over it: what stands may be all that is left").
			Remedy("name another directory with --data, or a new database with --database")
	}
	return nil
}

// Restore makes a journal in a database without facts of what feed gives, and
// records r as its next fact: all in one transaction, so that a crash leaves an
// empty database. Streams and keys are folded from the facts; views are folded
// by the next Open, which finds the journal closed until two persons have
// recorded the restore. Errors: fault Conflict where there are facts, Unverified
// where the facts do not come to r.Head or are another history than r.Known.
func Restore(ctx context.Context, o Options, r Restored, feed func(*Restoring) error) error {
	j, err := build(o)
	if err != nil {
		return err
	}
	return o.DB.InTx(ctx, func(tx *store.Tx) error {
		if err := checkEmpty(ctx, tx); err != nil {
			return err
		}
		if err := tx.Patience(ctx); err != nil { // feed reads on to the end of a backup whose originals it passes over
			return err
		}
		w := &Restoring{
			journal: j, tx: tx, cold: j.states.Cold(),
			facts:       store.Rows{Into: "INSERT INTO facts (position, stream, version, header, body, private)"},
			commands:    store.Rows{Into: "INSERT INTO commands (id, request, first, next, time, result, sum)"},
			parts:       store.Rows{Into: "INSERT INTO parts (digest, body)"},
			checkpoints: store.Rows{Into: "INSERT INTO checkpoints (size, note, time, sum)"},
		}
		if err := feed(w); err != nil {
			return err
		}
		return w.finish(ctx, r)
	})
}

// Fact takes the next fact.
func (w *Restoring) Fact(ctx context.Context, headerBytes, body, private []byte) error {
	f, err := event.Read(headerBytes, body, private)
	if err != nil {
		return err
	}
	if f.Position != w.head.size {
		return fmt.Errorf("fact %d stands in the place of %d", f.Position, w.head.size)
	}
	leaf, err := event.Leaf(headerBytes, body, private)
	if err != nil {
		return fmt.Errorf("leaf of %d: %w", f.Position, err)
	}
	w.tree.Add(leaf)
	w.facts.Values = append(w.facts.Values, []any{int64(f.Position), string(f.Stream), int64(f.Version), headerBytes, body, private})
	w.head.size, w.head.time = w.head.size+1, f.Time
	if err := w.cold.Add(f); err != nil {
		return err
	}
	return w.full(ctx)
}

// Checkpoint takes a signed note that covers the facts so far.
func (w *Restoring) Checkpoint(text string) error {
	lines := strings.SplitN(text, "\n", 3)
	if len(lines) < 3 {
		return errors.New("a checkpoint has no size")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return fmt.Errorf("size of a checkpoint: %w", err)
	}
	w.head.origin = lines[0]
	w.checkpoints.Values = append(w.checkpoints.Values, []any{size, text, int64(w.head.time), checkpoint{uint64(size), text}.sum()})
	return nil
}

// Command takes a command that was carried out.
func (w *Restoring) Command(ctx context.Context, c CommandRow) error {
	s := stored{Receipt{Command: c.ID, First: c.First, Next: c.Next, Time: event.Micros(c.Time), Result: c.Result}, c.Request}
	w.commands.Values = append(w.commands.Values, []any{c.ID, c.Request, int64(c.First), int64(c.Next), c.Time, c.Result, s.sum()})
	return w.full(ctx)
}

// Part takes a part of a basis.
func (w *Restoring) Part(ctx context.Context, body []byte) error {
	digest := sha256.Sum256(body)
	w.parts.Values = append(w.parts.Values, []any{digest[:], body})
	return w.full(ctx)
}

// full writes what has been taken, once it is much.
func (w *Restoring) full(ctx context.Context) error {
	if len(w.facts.Values)+len(w.commands.Values)+len(w.parts.Values) < 1024 {
		return nil
	}
	return w.flush(ctx)
}

func (w *Restoring) flush(ctx context.Context) error {
	for _, rows := range []*store.Rows{&w.facts, &w.commands, &w.parts, &w.checkpoints} {
		if err := w.tx.Insert(ctx, *rows); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		rows.Values = nil
	}
	if err := w.tree.Write(ctx, w.tx); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	// What PostgreSQL was to be sent later is sent now: memory stays bounded.
	var one int
	return w.tx.QueryRow(ctx, "SELECT 1").Scan(&one)
}

// finish writes head and states, checks that all came to what was said, and
// records the restore.
func (w *Restoring) finish(ctx context.Context, r Restored) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, "DELETE FROM head"); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, "INSERT INTO head (id, origin, size, time) VALUES (1, $1, $2, $3)", w.head.origin, int64(w.head.size), int64(w.head.time))
	if err != nil {
		return fmt.Errorf("write the head: %w", err)
	}
	tree, err := treeOf(ctx, w.tx, w.head.size)
	if err != nil {
		return err
	}
	if tree != r.Head {
		return fault.New(fault.Unverified, "restore.root", fmt.Sprintf("the facts that were taken in are not the %d of the backup's checkpoint", r.Head.Size)).
			Remedy("use another copy of the backup")
	}
	if r.Known != nil && r.Known.Size <= tree.Size {
		if err := r.Known.within(ctx, w.tx); err != nil {
			return err
		}
	}
	if err := w.cold.Replace(ctx, w.tx); err != nil {
		return err
	}
	return w.record(ctx, r)
}

// record appends the fact of the restore, as the committer would.
func (w *Restoring) record(ctx context.Context, r Restored) error {
	j := w.journal
	j.origin = w.head.origin
	j.grown.raise(w.head.size)
	c, err := j.restoredBy(r)
	if err != nil {
		return err
	}
	draft, err := j.prepare(c)
	if err != nil {
		return err
	}
	p, err := j.load(ctx, w.tx, []*job{draft})
	if err != nil {
		return err
	}
	if err := p.complete(ctx, w.tx); err != nil {
		return err
	}
	if err := p.results[0].err; err != nil {
		return err
	}
	_, err = j.write(ctx, w.tx, p)
	return err
}

// Cold is the fold of a journal's facts in memory, to hold against what stands.
func Cold(shapes []event.Shape) (*state.Cold, error) {
	j, err := build(Options{Shapes: shapes})
	if err != nil {
		return nil, err
	}
	return j.states.Cold(), nil
}

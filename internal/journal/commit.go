package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
	"signalbox.dev/signalbox/internal/trust"
)

// try runs a batch in one transaction. The plan is nil if the transaction did
// not get as far; after an error that is not a *store.Uncertain nothing is written.
// Views fold without savepoints at first, as they hardly ever fail: where one
// may have been what failed, all is undone and done again with savepoints.
func (j *Journal) try(ctx context.Context, batch []*job) (*plan, error) {
	p, err := j.attempt(ctx, batch, false)
	if err == nil || p == nil || !p.folding || store.InDoubt(err) || store.Broken(err) || store.Full(err) {
		return p, err
	}
	return j.attempt(ctx, batch, true)
}

// attempt is try, with a savepoint for each view where it is careful.
func (j *Journal) attempt(ctx context.Context, batch []*job, careful bool) (p *plan, err error) {
	var e tree.Edge
	failpoint.Hit(failpoint.JournalBatch)
	err = j.db.InTx(ctx, func(tx *store.Tx) error {
		loaded, err := j.load(ctx, tx, batch)
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.JournalHead)
		if err := j.forward(loaded.head); err != nil {
			return err
		}
		if err := loaded.complete(ctx, tx); err != nil {
			return err
		}
		p, loaded.careful = loaded, careful
		failpoint.Hit(failpoint.JournalPlanned)
		e, err = j.write(ctx, tx, p)
		return err
	})
	if err != nil {
		return p, err
	}
	j.committed(p, e)
	failpoint.Hit(failpoint.JournalCommitted)
	return p, nil
}

// forward refuses to write to a journal that has become shorter than we have seen it.
func (j *Journal) forward(h head) error {
	if seen := j.grown.size(); h.size < seen || h.origin != j.origin {
		why := fault.New(fault.Unverified, "journal.rolled-back", fmt.Sprintf("the journal has %d facts, %d were seen", h.size, seen)).
			Because("the database has been put back to an earlier state").
			Remedy("restore the newest state; or stop every server, run signalbox restore --in-place, and have two persons record it")
		j.stop(why)
		return why
	}
	return nil
}

func (j *Journal) committed(p *plan, e tree.Edge) {
	if p.written() {
		p.keepTraces()
		j.edge = e
		j.grown.raise(p.next())
		j.noticeRestoration(p.facts)
	}
	if p.lagging {
		j.lag()
	}
}

// learn finds out whether an uncertain commit took effect: taking the head
// waits for a transaction of ours that the server is still at, and then the
// commands' rows are there or they are not. The transaction that looks must itself
// commit: where a synchronous standby is away, what it sees may not be safe yet.
func (j *Journal) learn(ctx context.Context, p *plan, cause error) error {
	ids := p.ids()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), learnTime)
	defer cancel()
	for {
		var found map[string]stored
		err := j.db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := lockHead(ctx, tx); err != nil {
				return err
			}
			found = map[string]stored{}
			if err := askCommands(ctx, tx, found, ids); err != nil {
				return err
			}
			return tx.Answers(ctx)
		})
		switch {
		case err == nil:
			return j.learnt(p, found, cause)
		case ctx.Err() != nil:
			j.log.Warn("the outcome of a commit could not be learnt", "commands", len(ids), "error", cause)
			return unknown(errors.Join(cause, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (j *Journal) learnt(p *plan, found map[string]stored, cause error) error {
	j.log.Warn("the outcome of a commit was unknown and has been learnt", "commands", len(p.mine), "recorded", len(found), "error", cause)
	if len(found) == 0 {
		return fault.New(fault.Unavailable, "journal.unavailable", "the command was not recorded").Remedy("try again").Cause(cause)
	}
	p.correct(found)
	j.edge = tree.Edge{}
	j.grown.raise(p.next())
	j.noticeRestoration(p.facts)
	return nil
}

// write writes all that follows from the plan, and folds the views.
func (j *Journal) write(ctx context.Context, tx *store.Tx, p *plan) (tree.Edge, error) {
	if !p.written() {
		return j.edge, nil
	}
	e, err := j.writeFacts(ctx, tx, p)
	if err != nil {
		return e, err
	}
	if err := j.dispose(ctx, tx, p); err != nil {
		return e, err
	}
	if err := j.writeCommands(ctx, tx, p); err != nil {
		return e, err
	}
	if err := p.streams.Write(ctx, tx); err != nil {
		return e, err
	}
	if len(p.facts) == 0 {
		return e, nil
	}
	if err := tx.Later(ctx, "UPDATE head SET size = $1, time = $2 WHERE id = 1", int64(p.next()), int64(p.now)); err != nil {
		return e, fmt.Errorf("move the head: %w", err)
	}
	failpoint.Hit(failpoint.JournalMoved)
	p.lagging, err = j.foldViews(ctx, tx, p)
	return e, err
}

func (j *Journal) writeFacts(ctx context.Context, tx *store.Tx, p *plan) (tree.Edge, error) {
	e, err := j.edge.At(ctx, tx, p.head.size)
	if err != nil {
		return e, err
	}
	p.traces = p.tracing()
	line, err := p.streams.State(trust.StreamOf(trust.ForJournal))
	if err == nil {
		p.traces.line, err = event.Decode[trust.Line](line)
	}
	if err != nil {
		return e, fmt.Errorf("which key signs: %w", err)
	}
	facts := store.Rows{Into: "INSERT INTO facts (position, stream, version, header, body, private)"}
	grown := tree.Growth{Edge: e}
	for _, f := range p.facts {
		leaf, err := event.Leaf(f.HeaderBytes, f.BodyBytes, f.PrivateBytes)
		if err != nil {
			return e, fmt.Errorf("leaf of %d: %w", f.Position, err)
		}
		p.traces.add(grown.Add(leaf), grown.Edge)
		facts.Values = append(facts.Values, []any{
			int64(f.Position), string(f.Stream), int64(f.Version), f.HeaderBytes, f.BodyBytes, f.PrivateBytes,
		})
	}
	if err := tx.Insert(ctx, facts); err != nil {
		return e, fmt.Errorf("write facts: %w", err)
	}
	failpoint.Hit(failpoint.JournalFacts)
	if err := grown.Write(ctx, tx); err != nil {
		return e, err
	}
	failpoint.Hit(failpoint.JournalHashes)
	return grown.Edge, nil
}

// writeCommands writes a row for each command and the parts of their bases.
func (j *Journal) writeCommands(ctx context.Context, tx *store.Tx, p *plan) error {
	rows := store.Rows{Into: "INSERT INTO commands (id, request, first, next, time, result, sum)"}
	parts := store.Rows{Into: "INSERT INTO parts (digest, body)", Then: "ON CONFLICT (digest) DO NOTHING"}
	seen := map[[32]byte]bool{}
	for i, w := range p.batch {
		if !p.accepted[i] {
			continue
		}
		r := p.results[i].receipt
		rows.Values = append(rows.Values, []any{w.ID, w.Request[:], int64(r.First), int64(r.Next), int64(r.Time), w.Result, stored{r, w.Request[:]}.sum()})
		for _, part := range w.Parts {
			digest := sha256.Sum256(part)
			if !seen[digest] {
				seen[digest] = true
				parts.Values = append(parts.Values, []any{digest[:], part})
			}
		}
	}
	if err := tx.Insert(ctx, rows); err != nil {
		return fmt.Errorf("write commands: %w", err)
	}
	failpoint.Hit(failpoint.JournalCommands)
	if err := tx.Insert(ctx, parts); err != nil {
		return fmt.Errorf("write parts: %w", err)
	}
	failpoint.Hit(failpoint.JournalParts)
	return nil
}

// askCommands asks which of those ids have been used, and for their rows.
func askCommands(ctx context.Context, tx *store.Tx, found map[string]stored, ids []any) error {
	err := tx.AskAmong(ctx, func(r store.Row) error {
		s, err := scanCommand(r)
		found[s.Command] = s
		return err
	}, commandColumns+"WHERE id IN (?)", ids)
	if err != nil {
		return fmt.Errorf("look up commands: %w", err)
	}
	return nil
}

const commandColumns = "SELECT id, request, first, next, time, result, sum FROM commands "

// scanCommand reads a row of commandColumns. Errors: fault Unverified where it has
// changed since it was written; rows from before there were sums have none.
func scanCommand(r store.Row) (s stored, err error) {
	var sum []byte
	if err := r.Scan(&s.Command, &s.request, &s.First, &s.Next, &s.Time, &s.Result, &sum); err != nil {
		return s, err
	}
	if len(sum) > 0 && !bytes.Equal(sum, s.sum()) {
		return s, fault.New(fault.Unverified, "command.rotten", fmt.Sprintf("what was kept of the command %q has changed since it was written", s.Command)).
			Because("its checksum is another").Remedy("check the disk, and restore a backup")
	}
	return s, nil
}

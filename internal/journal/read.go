package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
)

// Snapshot is one consistent view of state and keys, for a decision. It is
// valid inside the function it was given to.
type Snapshot struct {
	journal *Journal
	tx      *store.Tx
}

// Snapshot runs fn on one snapshot of the database. One connection fewer is given
// to snapshots than there are, so that what fn reads elsewhere, such as an
// original in the database, never waits for others that wait for the same.
func (j *Journal) Snapshot(ctx context.Context, fn func(*Snapshot) error) error {
	select {
	case j.snapshots <- struct{}{}:
		defer func() { <-j.snapshots }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a snapshot: %w", ctx.Err())
	}
	return j.db.Glance(ctx, func(tx *store.Tx) error { return fn(&Snapshot{journal: j, tx: tx}) })
}

// Load is the version and state of a stream; version 0 means that it does not exist.
func (s *Snapshot) Load(ctx context.Context, stream event.Stream) (version uint64, folded []byte, err error) {
	all, err := s.LoadAll(ctx, stream)
	return all[stream].Version, all[stream].State, err
}

// LoadAll is the version and state of each stream, in one query.
func (s *Snapshot) LoadAll(ctx context.Context, streams ...event.Stream) (map[event.Stream]state.Stored, error) {
	return s.journal.states.Load(ctx, s.tx, streams...)
}

// Find is the streams that have the key, in order.
func (s *Snapshot) Find(ctx context.Context, name, value string) ([]event.Stream, error) {
	return s.journal.states.Find(ctx, s.tx, name, value)
}

// Count is how many streams have the key.
func (s *Snapshot) Count(ctx context.Context, name, value string) (int, error) {
	return s.journal.states.Count(ctx, s.tx, name, value)
}

// Newest is the streams with an interval key, newest first.
func (s *Snapshot) Newest(ctx context.Context, q state.Listed) ([]event.Stream, error) {
	return s.journal.states.Newest(ctx, s.tx, q)
}

// Overlapping is the streams with an interval key that shares an instant with span, in order.
func (s *Snapshot) Overlapping(ctx context.Context, span state.Span) ([]event.Stream, error) {
	return s.journal.states.Overlapping(ctx, s.tx, span)
}

// At is the streams with an interval key that holds at the instant, in order.
func (s *Snapshot) At(ctx context.Context, name, value string, at event.Micros) ([]event.Stream, error) {
	return s.Overlapping(ctx, state.Span{Name: name, Value: value, From: at, Until: at + 1})
}

// Fact is the fact at a position. Errors: fault NotFound.
func (s *Snapshot) Fact(ctx context.Context, position uint64) (event.Recorded, error) {
	return factAt(ctx, s.tx, position)
}

// Size is the number of facts in the snapshot.
func (s *Snapshot) Size(ctx context.Context) (uint64, error) {
	h, err := readHead(ctx, s.tx)
	return h.size, err
}

// Size is the number of facts, in the database now.
func (j *Journal) Size(ctx context.Context) (size uint64, err error) {
	err = j.Snapshot(ctx, func(s *Snapshot) error {
		size, err = s.Size(ctx)
		return err
	})
	return size, err
}

// FactsMax is the most facts that one reading returns.
const FactsMax = 1000

const factColumns = "SELECT position, stream, version, header, body, private FROM facts "

// Facts is the facts from position from on, at most limit and FactsMax.
func (j *Journal) Facts(ctx context.Context, from uint64, limit int) (all []event.Recorded, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		all, err = page(ctx, tx, from, limit)
		return err
	})
	return all, err
}

// page is the facts from a position on; one that is missing is an error.
func page(ctx context.Context, tx *store.Tx, from uint64, limit int) ([]event.Recorded, error) {
	h, err := readHead(ctx, tx)
	if err != nil {
		return nil, err
	}
	want := int(min(h.size-min(from, h.size), uint64(min(max(limit, 0), FactsMax))))
	all, err := facts(ctx, tx, factColumns+"WHERE position >= $1 ORDER BY position LIMIT $2", int64(from), want)
	for i := 0; err == nil && i < want; i++ {
		if position := from + uint64(i); i >= len(all) || all[i].Position != position {
			err = rotten(position, "it is missing")
		}
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// History is all facts of a stream, in order. Errors: fault Unverified where one
// is not what was recorded, or is not found by its stream.
func (j *Journal) History(ctx context.Context, stream event.Stream) (all []event.Recorded, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		all, err = history(ctx, tx, stream)
		return err
	})
	return all, err
}

func history(ctx context.Context, tx *store.Tx, stream event.Stream) ([]event.Recorded, error) {
	all, err := facts(ctx, tx, factColumns+"WHERE stream = $1 ORDER BY version", string(stream))
	if err != nil {
		return nil, err
	}
	found := state.Lineages{}
	for _, f := range all {
		found.Add(f)
	}
	if err := whole(ctx, tx, found, []event.Stream{stream}); err != nil {
		return nil, err
	}
	return all, nil
}

// whole checks that an index has hidden no fact of the streams.
func whole(ctx context.Context, tx *store.Tx, found state.Lineages, streams []event.Stream) error {
	h, err := readHead(ctx, tx)
	if err != nil {
		return err
	}
	return found.Whole(ctx, tx, streams, state.Order{Size: h.size, Page: func(from uint64) ([]event.Recorded, error) { return page(ctx, tx, from, FactsMax) }})
}

// Histories is the facts of some kinds in each of the streams, in order; of all
// kinds where none is named.
func (j *Journal) Histories(ctx context.Context, streams []event.Stream, kinds ...event.Kind) (map[event.Stream][]event.Recorded, error) {
	streams = slices.Compact(slices.Sorted(slices.Values(streams)))
	values := make([]any, len(streams))
	for i, s := range streams {
		values[i] = string(s)
	}
	all := map[event.Stream][]event.Recorded{}
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		var found []event.Recorded
		lines := state.Lineages{}
		err := tx.Among(ctx, func(r *sql.Rows) error {
			f, err := scan(r)
			if err == nil {
				lines.Add(f)
			}
			if err == nil && (len(kinds) == 0 || slices.Contains(kinds, f.Kind)) {
				found = append(found, f)
			}
			return err
		}, factColumns+"WHERE stream IN (?) ORDER BY stream, version", values)
		if err != nil {
			return err
		}
		for _, f := range found {
			all[f.Stream] = append(all[f.Stream], f)
		}
		if err := proven(ctx, tx, found); err != nil {
			return err
		}
		return whole(ctx, tx, lines, streams)
	})
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return all, nil
}

// Fact is the fact at a position. Errors: fault NotFound.
func (j *Journal) Fact(ctx context.Context, position uint64) (f event.Recorded, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		f, err = factAt(ctx, tx, position)
		return err
	})
	return f, err
}

func factAt(ctx context.Context, tx *store.Tx, position uint64) (event.Recorded, error) {
	all, err := page(ctx, tx, position, 1)
	switch {
	case err != nil:
		return event.Recorded{}, err
	case len(all) == 0 || all[0].Position != position:
		return event.Recorded{}, noFact(position)
	}
	return all[0], nil
}

// facts reads rows of factColumns, each as the tree has it.
func facts(ctx context.Context, tx *store.Tx, query string, args ...any) ([]event.Recorded, error) {
	var all []event.Recorded
	err := tx.Each(ctx, func(r *sql.Rows) error {
		f, err := scan(r)
		all = append(all, f)
		return err
	}, query, args...)
	if err == nil {
		err = proven(ctx, tx, all)
	}
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return all, nil
}

// proven compares facts with their leaves in the tree. Errors: fault Unverified
// with the first position where they disagree.
func proven(ctx context.Context, tx *store.Tx, facts []event.Recorded) error {
	indexes := make([]int64, len(facts))
	for i, f := range facts {
		indexes[i] = tlog.StoredHashIndex(0, int64(f.Position))
	}
	leaves, err := tree.Nodes(ctx, tx).ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, f := range facts {
		leaf, err := event.Leaf(f.HeaderBytes, f.BodyBytes, f.PrivateBytes)
		if err != nil {
			return rotten(f.Position, err.Error())
		}
		if tlog.RecordHash(leaf) != leaves[i] {
			return rotten(f.Position, "its bytes and its leaf in the tree disagree")
		}
	}
	return nil
}

// rotten is the error for a fact that is not the one that was recorded.
func rotten(position uint64, why string) *fault.Error {
	return fault.New(fault.Unverified, "journal.rotten", fmt.Sprintf("the fact at position %d is not the one that was recorded", position)).
		Because(why).
		Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
}

// scan reads a row of factColumns. The header's bytes are the fact; the columns
// only find it, and must agree.
func scan(r *sql.Rows) (event.Recorded, error) {
	var f event.Recorded
	var position, version uint64
	var stream event.Stream
	if err := r.Scan(&position, &stream, &version, &f.HeaderBytes, &f.BodyBytes, &f.PrivateBytes); err != nil {
		return f, err
	}
	var err error
	if f.Header, err = event.Decode[event.Header](f.HeaderBytes); err != nil {
		return f, rotten(position, "its header is not JSON").Cause(err)
	}
	if f.Position != position || f.Stream != stream || f.Version != version {
		return f, fault.New(fault.Unverified, "journal.header", fmt.Sprintf("the row of position %d holds another fact", position)).
			Because(fmt.Sprintf("its header says position %d, %s at version %d", f.Position, f.Stream, f.Version)).
			Remedy("verify an export of the journal")
	}
	return f, nil
}

// Part is the part of a basis with the SHA-256 digest. Errors: fault NotFound,
// and Unverified when the stored bytes have another digest.
func (j *Journal) Part(ctx context.Context, digest [32]byte) (body []byte, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT body FROM parts WHERE digest = $1", digest[:]).Scan(&body)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fault.New(fault.NotFound, "journal.part", fmt.Sprintf("no part has the digest sha256:%x", digest))
	case err != nil:
		return nil, fmt.Errorf("read part %x: %w", digest, err)
	case sha256.Sum256(body) != digest:
		return nil, fault.New(fault.Unverified, "journal.part-rotten", fmt.Sprintf("the part sha256:%x has other bytes", digest))
	}
	return body, nil
}

// Parts is the parts of bases with the digests, by digest; those that are not
// there are left out. Errors: fault Unverified where one has other bytes.
func (j *Journal) Parts(ctx context.Context, digests [][32]byte) (map[[32]byte][]byte, error) {
	found := map[[32]byte][]byte{}
	var keys []any
	for _, d := range digests {
		if _, twice := found[d]; !twice {
			found[d] = nil
			keys = append(keys, d[:])
		}
	}
	clear(found)
	err := j.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.Among(ctx, func(r *sql.Rows) error {
			var digest, body []byte
			if err := r.Scan(&digest, &body); err != nil {
				return err
			}
			sum := sha256.Sum256(body)
			if !bytes.Equal(sum[:], digest) {
				return fault.New(fault.Unverified, "journal.part-rotten", fmt.Sprintf("the part sha256:%x has other bytes", digest))
			}
			found[sum] = body
			return nil
		}, "SELECT digest, body FROM parts WHERE digest IN (?)", keys)
	})
	if err != nil {
		return nil, fmt.Errorf("read parts: %w", err)
	}
	return found, nil
}

// Command is the receipt of the command with an id. Errors: fault NotFound.
func (j *Journal) Command(ctx context.Context, id string) (Receipt, error) {
	found := map[string]stored{}
	err := j.db.Glance(ctx, func(tx *store.Tx) error {
		if err := askCommands(ctx, tx, found, []any{id}); err != nil {
			return err
		}
		return tx.Answers(ctx)
	})
	if err != nil {
		return Receipt{}, err
	}
	s, ok := found[id]
	if !ok {
		return Receipt{}, fault.New(fault.NotFound, "command.unknown", fmt.Sprintf("no command has the id %q", id))
	}
	s.Repeated = true
	return s.Receipt, nil
}

package journal

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/tree"
)

// TreeHash is the root of the tree over the first size facts.
func (j *Journal) TreeHash(ctx context.Context, size uint64) (root tlog.Hash, err error) {
	err = j.db.Glance(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err == nil && size > h.size {
			err = beyond(size, h)
		}
		if err != nil {
			return err
		}
		root, err = tree.Root(ctx, tx, size)
		return err
	})
	return root, err
}

// Prove proves that the fact at position is in the tree of size facts. Errors:
// fault NotFound when there are not as many, Unverified where what is stored of
// the tree proves nothing any more.
func (j *Journal) Prove(ctx context.Context, position, size uint64) (tlog.RecordProof, error) {
	if position >= size {
		return nil, noFact(position)
	}
	p, err := j.proving(ctx, size, tree.InclusionNodes(position, size))
	if err != nil {
		return nil, err
	}
	root, err := p.root(size)
	if err != nil {
		return nil, err
	}
	proof, err := p.hashes.Inclusion(position, size, root)
	if err != nil {
		return nil, err
	}
	p.keep(size)
	return proof, nil
}

// ProveGrowth proves that the tree of to facts begins with the tree of from
// facts, of which there is at least one. Errors: as of Prove.
func (j *Journal) ProveGrowth(ctx context.Context, from, to uint64) (tlog.TreeProof, error) {
	if from == 0 || from > to {
		return nil, fault.Invalidf("journal.sizes", "there is no proof from size %d to size %d", from, to)
	}
	p, err := j.proving(ctx, to, append(tree.GrowthNodes(from, to), tree.RootNodes(from)...), from)
	if err != nil {
		return nil, err
	}
	before, err := p.root(from)
	if err != nil {
		return nil, err
	}
	after, err := p.root(to)
	if err != nil {
		return nil, err
	}
	proof, err := p.hashes.Growth(from, to, before, after)
	if err != nil {
		return nil, err
	}
	p.keep(to)
	return proof, nil
}

// proving is what a proof is made of and held against.
type proving struct {
	hashes *tree.Hashes
	origin string
	signed map[uint64]checkpoint // of the proof's sizes, where one was signed
}

// proving reads nodes and those of the root of the tree of size facts, and what
// was signed of that size and of older ones: all at once, as rows that are never
// changed need no snapshot. The head comes first, and says that they are all there.
func (j *Journal) proving(ctx context.Context, size uint64, nodes []int64, older ...uint64) (*proving, error) {
	p := &proving{signed: map[uint64]checkpoint{}}
	var h head
	sizes := []any{int64(size)}
	for _, s := range older {
		sizes = append(sizes, int64(s))
	}
	err := j.db.Look(ctx, func(tx *store.Tx) (err error) {
		if err := tx.Ask(ctx, func(r store.Row) error { return r.Scan(&h.origin, &h.size, &h.time) }, headColumns); err != nil {
			return err
		}
		err = tx.AskAmong(ctx, func(r store.Row) error {
			c, err := scanCheckpoint(r)
			p.signed[c.size] = c
			return err
		}, checkpointColumns+"WHERE size IN (?)", sizes)
		if err != nil {
			return err
		}
		if p.hashes, err = j.upper.Ask(ctx, tx, append(nodes, tree.RootNodes(size)...)); err != nil {
			return err
		}
		return tx.Answers(ctx)
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read what a proof is made of: %w", err)
	case h.origin == "":
		return nil, errNoHead
	case size > h.size:
		return nil, beyond(size, h)
	}
	p.origin = h.origin
	return p, nil
}

// root is the root of the tree of size facts, and the signed one where that size
// was signed.
func (p *proving) root(size uint64) (tlog.Hash, error) {
	root, err := p.hashes.Root(size)
	if c, signed := p.signed[size]; err == nil && signed {
		err = c.has(p.origin, root)
	}
	return root, err
}

// keep keeps upper hashes that led to the root of the tree of size facts, where
// it was signed.
func (p *proving) keep(size uint64) {
	if _, signed := p.signed[size]; signed {
		p.hashes.Keep()
	}
}

// root is the root of the tree of size facts, and the signed one where that size
// was signed.
func (h head) root(ctx context.Context, tx *store.Tx, size uint64) (root tlog.Hash, err error) {
	if root, err = tree.Root(ctx, tx, size); err != nil {
		return root, err
	}
	c, err := readCheckpoint(ctx, tx, checkpointColumns+"WHERE size = $1", int64(size))
	if err != nil || c.size == 0 {
		return root, err
	}
	return root, c.has(h.origin, root)
}

func beyond(size uint64, h head) error {
	return fault.New(fault.NotFound, "journal.size", fmt.Sprintf("the journal has %d facts, not %d", h.size, size))
}

func noFact(position uint64) error {
	return fault.New(fault.NotFound, "journal.position", fmt.Sprintf("there is no fact at position %d", position))
}

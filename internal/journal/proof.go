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
	err = j.tree(ctx, size, func(tx *store.Tx, h head) error {
		root, err = tree.Root(ctx, tx, size)
		return err
	})
	return root, err
}

// Prove proves that the fact at position is in the tree of size facts. Errors:
// fault NotFound when there are not as many, Unverified where what is stored of
// the tree proves nothing any more.
func (j *Journal) Prove(ctx context.Context, position, size uint64) (proof tlog.RecordProof, err error) {
	if position >= size {
		return nil, noFact(position)
	}
	err = j.tree(ctx, size, func(tx *store.Tx, h head) error {
		r := tree.Nodes(ctx, tx)
		root, err := h.root(ctx, tx, size)
		if err != nil {
			return err
		}
		leaf, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(position))})
		if err != nil {
			return err
		}
		if proof, err = tlog.ProveRecord(int64(size), int64(position), r); err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, int64(size), root, int64(position), leaf[0]); err != nil {
			return tree.Rotten(size).Cause(err)
		}
		return nil
	})
	return proof, err
}

// ProveGrowth proves that the tree of to facts begins with the tree of from
// facts, of which there is at least one. Errors: as of Prove.
func (j *Journal) ProveGrowth(ctx context.Context, from, to uint64) (proof tlog.TreeProof, err error) {
	if from == 0 || from > to {
		return nil, fault.Invalidf("journal.sizes", "there is no proof from size %d to size %d", from, to)
	}
	err = j.tree(ctx, to, func(tx *store.Tx, h head) error {
		before, err := h.root(ctx, tx, from)
		if err != nil {
			return err
		}
		after, err := h.root(ctx, tx, to)
		if err != nil {
			return err
		}
		if proof, err = tlog.ProveTree(int64(to), int64(from), tree.Nodes(ctx, tx)); err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, int64(to), after, int64(from), before); err != nil {
			return tree.Rotten(to).Cause(err)
		}
		return nil
	})
	return proof, err
}

// tree runs fn over the stored tree, which has at least size facts.
func (j *Journal) tree(ctx context.Context, size uint64, fn func(*store.Tx, head) error) error {
	return j.db.Glance(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		if size > h.size {
			return fault.New(fault.NotFound, "journal.size", fmt.Sprintf("the journal has %d facts, not %d", h.size, size))
		}
		return fn(tx, h)
	})
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

func noFact(position uint64) error {
	return fault.New(fault.NotFound, "journal.position", fmt.Sprintf("there is no fact at position %d", position))
}

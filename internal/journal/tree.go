package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// edge is the right edge of the Merkle tree of size facts: the roots of the
// complete subtrees that it is made of, from left to right, all that the next
// leaf needs (RFC 6962, section 2.1). The zero edge is that of an empty tree.
type edge struct {
	size  int64
	roots []tlog.Hash
}

// at is a copy of the edge for a tree of size facts, read from the database
// where another process has grown the tree.
func (e edge) at(ctx context.Context, tx *store.Tx, size uint64) (edge, error) {
	if e.size == int64(size) {
		return edge{size: e.size, roots: slices.Clone(e.roots)}, nil
	}
	fresh := edge{size: int64(size)}
	var err error
	fresh.roots, err = nodes(ctx, tx).ReadHashes(fresh.indexes())
	return fresh, err
}

// indexes is where the roots of the edge are stored, from left to right.
func (e edge) indexes() []int64 {
	var all []int64
	done := int64(0)
	for level := 62; level >= 0; level-- {
		if e.size&(1<<level) != 0 {
			all = append(all, tlog.StoredHashIndex(level, done>>level))
			done += 1 << level
		}
	}
	return all
}

// grow adds a leaf and returns the hashes to store for it: its own, and the
// root of each subtree that it completes.
func (e *edge) grow(leaf []byte) []tlog.Hash {
	stored := []tlog.Hash{tlog.RecordHash(leaf)}
	for level := 0; e.size&(1<<level) != 0; level++ {
		last := len(e.roots) - 1
		stored = append(stored, tlog.NodeHash(e.roots[last], stored[level]))
		e.roots = e.roots[:last]
	}
	e.roots = append(e.roots, stored[len(stored)-1])
	e.size++
	return stored
}

// nodes reads stored hashes.
func nodes(ctx context.Context, tx *store.Tx) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		values := make([]any, len(indexes))
		for i, index := range indexes {
			values[i] = index
		}
		found := make(map[int64]tlog.Hash, len(indexes))
		err := tx.Among(ctx, func(r *sql.Rows) error {
			var index int64
			var b []byte
			if err := r.Scan(&index, &b); err != nil {
				return err
			}
			if len(b) != tlog.HashSize {
				return rottenNode(index, fmt.Sprintf("it has %d bytes", len(b)))
			}
			found[index] = tlog.Hash(b)
			return nil
		}, "SELECT node, hash FROM hashes WHERE node IN (?)", values)
		if err != nil {
			return nil, fmt.Errorf("read the tree: %w", err)
		}
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			h, ok := found[index]
			if !ok {
				return nil, rottenNode(index, "it is missing")
			}
			hashes[i] = h
		}
		return hashes, nil
	}
}

func rottenNode(index int64, why string) *fault.Error {
	return fault.New(fault.Unverified, "journal.rotten-tree", fmt.Sprintf("node %d of the tree is not the one that was stored", index)).
		Because(why).Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
}

// TreeHash is the root of the tree over the first size facts.
func (j *Journal) TreeHash(ctx context.Context, size uint64) (root tlog.Hash, err error) {
	err = j.tree(ctx, size, func(tx *store.Tx, h head) error {
		root, err = tlog.TreeHash(int64(size), nodes(ctx, tx))
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
		r := nodes(ctx, tx)
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
			return rottenTree(size).Cause(err)
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
		if proof, err = tlog.ProveTree(int64(to), int64(from), nodes(ctx, tx)); err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, int64(to), after, int64(from), before); err != nil {
			return rottenTree(to).Cause(err)
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
	if root, err = tlog.TreeHash(int64(size), nodes(ctx, tx)); err != nil {
		return root, err
	}
	c, err := readCheckpoint(ctx, tx, checkpointColumns+"WHERE size = $1", int64(size))
	if err != nil || c.size == 0 {
		return root, err
	}
	return root, c.has(h.origin, root)
}

// rottenTree is the error for stored nodes that do not hang together.
func rottenTree(size uint64) *fault.Error {
	return fault.New(fault.Unverified, "journal.rotten-tree", fmt.Sprintf("the stored tree of %d facts has changed since it was written", size)).
		Remedy("stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed")
}

func noFact(position uint64) error {
	return fault.New(fault.NotFound, "journal.position", fmt.Sprintf("there is no fact at position %d", position))
}

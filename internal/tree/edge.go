package tree

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/store"
)

// Edge is the right edge of a tree: the roots of the complete subtrees that it
// is made of, from left to right, all that the next leaf needs. The zero edge is
// that of an empty tree.
type Edge struct {
	size  int64
	roots []tlog.Hash
}

// At is a copy of the edge for a tree of size leaves, read from the database
// where another process has grown the tree.
func (e Edge) At(ctx context.Context, tx *store.Tx, size uint64) (Edge, error) {
	if e.size == int64(size) {
		return Edge{size: e.size, roots: slices.Clone(e.roots)}, nil
	}
	fresh := Edge{size: int64(size)}
	var err error
	fresh.roots, err = Nodes(ctx, tx).ReadHashes(fresh.indexes())
	return fresh, err
}

// indexes is where the roots of the edge are stored, from left to right.
func (e Edge) indexes() []int64 {
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
func (e *Edge) grow(leaf []byte) []tlog.Hash {
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

// Root is the root of the whole tree, of at least one leaf.
func (e Edge) Root() tlog.Hash {
	last := len(e.roots) - 1
	root := e.roots[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(e.roots[i], root)
	}
	return root
}

// Growth is an edge, and the hashes of leaves added to it that are not stored yet.
type Growth struct {
	Edge
	rows [][]any
}

// Add adds a leaf and returns its hash.
func (g *Growth) Add(leaf []byte) tlog.Hash {
	first := tlog.StoredHashIndex(0, g.size)
	hashes := g.grow(leaf)
	for i, h := range hashes {
		g.rows = append(g.rows, []any{first + int64(i), h[:]})
	}
	return hashes[0]
}

// Write stores, Later, the hashes of what was added since the last time.
func (g *Growth) Write(ctx context.Context, tx *store.Tx) error {
	err := tx.Insert(ctx, store.Rows{Into: "INSERT INTO hashes (node, hash)", Values: g.rows})
	if err != nil {
		return fmt.Errorf("write hashes: %w", err)
	}
	g.rows = nil
	return nil
}

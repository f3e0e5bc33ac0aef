package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/store"
)

// sizeMax is more leaves than any tree has; of larger ones no node is named, as
// indexes would overflow.
const sizeMax = 1 << 56

// What is kept of a tree in memory: hashes of subtrees of at least 2^keptFrom
// leaves, as those below them stand side by side in few pages of the table while
// each of these has a page of its own. Of a tree of 16 million leaves it is all
// of them, some 8 MB; of a larger one those that were used last, more or less.
const (
	keptFrom = 8
	keptMax  = 1 << 17
)

// Upper keeps upper hashes of one tree, which never change. Only those are kept
// that led to a root that was signed. It is safe for concurrent use.
type Upper struct {
	mu   sync.RWMutex
	kept map[int64]tlog.Hash // by node
}

// Hashes are those of a proof, read together.
type Hashes struct {
	upper *Upper
	found map[int64]tlog.Hash
	fresh []int64 // upper ones that were read
}

// Ask asks for hashes, which are there once tx.Answers returns.
func (u *Upper) Ask(ctx context.Context, tx *store.Tx, nodes []int64) (*Hashes, error) {
	h := &Hashes{upper: u, found: make(map[int64]tlog.Hash, len(nodes))}
	rest := u.lookUp(h, nodes)
	err := tx.AskAmong(ctx, func(r store.Row) error {
		node, hash, err := scan(r)
		h.found[node] = hash
		return err
	}, nodeColumns, rest)
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	return h, nil
}

// lookUp takes what is kept, and returns what is not.
func (u *Upper) lookUp(h *Hashes, nodes []int64) (rest []any) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	rest = make([]any, 0, len(nodes))
	for _, node := range nodes {
		hash, ok := u.kept[node]
		if ok {
			h.found[node] = hash
			continue
		}
		rest = append(rest, node)
		if level, _ := tlog.SplitStoredHashIndex(node); level >= keptFrom {
			h.fresh = append(h.fresh, node)
		}
	}
	return rest
}

// ReadHashes makes the hashes a tlog.HashReader. Errors: fault Unverified for one
// that is missing.
func (h *Hashes) ReadHashes(nodes []int64) ([]tlog.Hash, error) { return inOrder(h.found, nodes) }

// Keep keeps the upper hashes for later. Who calls has held all that were asked
// for against a root that was signed.
func (h *Hashes) Keep() {
	if len(h.fresh) == 0 {
		return
	}
	u := h.upper
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.kept == nil {
		u.kept = map[int64]tlog.Hash{}
	}
	for _, node := range h.fresh {
		for other := range u.kept {
			if len(u.kept) < keptMax {
				break
			}
			delete(u.kept, other)
		}
		u.kept[node] = h.found[node]
	}
}

// Root is the root of the tree of size leaves, of the nodes that RootNodes names.
func (h *Hashes) Root(size uint64) (tlog.Hash, error) { return tlog.TreeHash(int64(size), h) }

// RootNodes is the nodes that make the root of the tree of size leaves.
func RootNodes(size uint64) []int64 {
	if size > sizeMax {
		return nil
	}
	return Edge{size: int64(size)}.indexes()
}

// Inclusion proves that a leaf is in the tree of size leaves with a root, of the
// nodes that InclusionNodes names. Errors: fault Unverified where they prove
// nothing any more.
func (h *Hashes) Inclusion(position, size uint64, root tlog.Hash) (tlog.RecordProof, error) {
	leaf, err := h.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(position))})
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(int64(size), int64(position), h)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(proof, int64(size), root, int64(position), leaf[0]); err != nil {
		return nil, Rotten(size).Cause(err)
	}
	return proof, nil
}

// InclusionNodes is the nodes of the leaf and of the proof that it is in the tree.
func InclusionNodes(position, size uint64) []int64 {
	if size > sizeMax {
		return nil
	}
	return append(nodesOf(func(r tlog.HashReader) error {
		_, err := tlog.ProveRecord(int64(size), int64(position), r)
		return err
	}), tlog.StoredHashIndex(0, int64(position)))
}

// Growth proves that the tree of to leaves begins with that of from leaves, of
// the nodes that GrowthNodes names. Errors: as of Inclusion.
func (h *Hashes) Growth(from, to uint64, before, after tlog.Hash) (tlog.TreeProof, error) {
	proof, err := tlog.ProveTree(int64(to), int64(from), h)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckTree(proof, int64(to), after, int64(from), before); err != nil {
		return nil, Rotten(to).Cause(err)
	}
	return proof, nil
}

// GrowthNodes is the nodes of the proof that a tree begins with a smaller one.
func GrowthNodes(from, to uint64) []int64 {
	if to > sizeMax {
		return nil
	}
	return nodesOf(func(r tlog.HashReader) error {
		_, err := tlog.ProveTree(int64(to), int64(from), r)
		return err
	})
}

// nodesOf is the nodes that fn reads: tlog reads once, all that it needs.
func nodesOf(fn func(tlog.HashReader) error) (nodes []int64) {
	errNamed := errors.New("named, not read")
	_ = fn(tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		nodes = slices.Clone(indexes)
		return nil, errNamed
	}))
	return nodes
}

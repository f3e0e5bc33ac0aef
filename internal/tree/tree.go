// Package tree is the Merkle tree over the journal's facts (RFC 6962, section
// 2.1) as it is stored: the hash of each complete subtree is a row, by the index
// that tlog gives it, written once and never changed.
//
// It knows what a leaf adds, where each hash stands and how roots and proofs are
// made of them. It leaves to the journal what a leaf is, how many there are, and
// what was signed. Its invariant: a hash that is missing or cannot be one is an
// error and never passed over.
package tree

import (
	"context"
	"database/sql"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Nodes reads stored hashes. Errors: fault Unverified where one is not what was stored.
func Nodes(ctx context.Context, tx *store.Tx) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		values := make([]any, len(indexes))
		for i, index := range indexes {
			values[i] = index
		}
		found := make(map[int64]tlog.Hash, len(indexes))
		err := tx.Among(ctx, func(r *sql.Rows) error {
			node, hash, err := scan(r)
			found[node] = hash
			return err
		}, nodeColumns, values)
		if err != nil {
			return nil, fmt.Errorf("read the tree: %w", err)
		}
		return inOrder(found, indexes)
	}
}

const nodeColumns = "SELECT node, hash FROM hashes WHERE node IN (?)"

// scan reads a row of nodeColumns.
func scan(r store.Row) (node int64, hash tlog.Hash, err error) {
	var b []byte
	if err := r.Scan(&node, &b); err != nil {
		return node, hash, err
	}
	if len(b) != tlog.HashSize {
		return node, hash, rottenNode(node, fmt.Sprintf("it has %d bytes", len(b)))
	}
	return node, tlog.Hash(b), nil
}

// inOrder is the hashes of nodes. Errors: fault Unverified for one that is missing.
func inOrder(found map[int64]tlog.Hash, nodes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(nodes))
	for i, node := range nodes {
		h, ok := found[node]
		if !ok {
			return nil, rottenNode(node, "it is missing")
		}
		hashes[i] = h
	}
	return hashes, nil
}

// Root is the root of the tree of the first size leaves. Errors: as of Nodes.
func Root(ctx context.Context, tx *store.Tx, size uint64) (tlog.Hash, error) {
	return tlog.TreeHash(int64(size), Nodes(ctx, tx))
}

func rottenNode(index int64, why string) *fault.Error {
	return fault.New(fault.Unverified, "journal.rotten-tree", fmt.Sprintf("node %d of the tree is not the one that was stored", index)).
		Because(why).Remedy(remedy)
}

// Rotten is the error for stored nodes that do not hang together.
func Rotten(size uint64) *fault.Error {
	return fault.New(fault.Unverified, "journal.rotten-tree", fmt.Sprintf("the stored tree of %d facts has changed since it was written", size)).
		Remedy(remedy)
}

const remedy = "stop the server, check the disk, and restore a backup; signalbox rebuild --check lists what has changed"

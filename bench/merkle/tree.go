package merkle

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/verify"
)

// stored are the hashes of a tree in the order in which the journal keeps them.
type stored []tlog.Hash

// grow is the stored hashes of a tree of n leaves.
func grow(n int64) (stored, error) {
	all := make(stored, 0, tlog.StoredHashCount(n))
	var leaf [8]byte
	for i := range n {
		binary.BigEndian.PutUint64(leaf[:], uint64(i))
		hashes, err := tlog.StoredHashesForRecordHash(i, tlog.RecordHash(leaf[:]), &all)
		if err != nil {
			return nil, fmt.Errorf("leaf %d: %w", i, err)
		}
		all = append(all, hashes...)
	}
	return all, nil
}

// ReadHashes makes the hashes a tlog.HashReader.
func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(*s)) {
			return nil, fmt.Errorf("there is no node %d", at)
		}
		list[i] = (*s)[at]
	}
	return list, nil
}

// plant puts the hashes into the table that the journal reads them from, moves its
// head there, and lays down the text of a checkpoint, which a proof is held against.
// There are no facts below them: proofs read none.
func (s stored) plant(ctx context.Context, at store.Options, leaves int64) (*store.DB, error) {
	db, err := store.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	origin, _, err := journal.Begin(ctx, db)
	if err != nil {
		return nil, err
	}
	root, err := tlog.TreeHash(leaves, &s)
	if err != nil {
		return nil, err
	}
	if at.Database != "" {
		err = s.copy(ctx, at.Database)
	} else {
		err = s.insert(ctx, db)
	}
	if err != nil {
		return nil, fmt.Errorf("write the tree: %w", err)
	}
	return db, db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE head SET size = $1 WHERE id = 1", leaves); err != nil {
			return err
		}
		text := verify.Head{Origin: origin, Size: uint64(leaves), Root: root}.Text() + "\n"
		_, err := tx.Exec(ctx, "INSERT INTO checkpoints (size, note, time, sum) VALUES ($1, $2, 0, $3)", leaves, text, []byte{})
		return err
	})
}

// insert cuts rows out of long texts within SQLite: some five times as fast as one by one.
func (s stored) insert(ctx context.Context, db *store.DB) error {
	const rows, statements = 4096, 128
	blob := make([]byte, 0, rows*tlog.HashSize)
	for from := 0; from < len(s); {
		err := db.InTx(ctx, func(tx *store.Tx) error {
			for i := 0; i < statements && from < len(s); i++ {
				blob = blob[:0]
				some := s[from:min(from+rows, len(s))]
				for _, h := range some {
					blob = append(blob, h[:]...)
				}
				_, err := tx.Exec(ctx, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
					INSERT INTO hashes (node, hash) SELECT $2 + i, substr($3, 32 * i + 1, 32) FROM n`, len(some), from, blob)
				if err != nil {
					return err
				}
				from += len(some)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s stored) copy(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	next := 0
	_, err = c.CopyFrom(ctx, pgx.Identifier{"hashes"}, []string{"node", "hash"}, pgx.CopyFromFunc(func() ([]any, error) {
		if next == len(s) {
			return nil, nil
		}
		row := []any{int64(next), s[next][:]}
		next++
		return row, nil
	}))
	if err == nil {
		_, err = c.Exec(ctx, "ANALYZE hashes")
	}
	return err
}

package vault

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/store"
)

// Table is a vault in the database, for replicas that share no disk. An entry
// passes through memory whole.
type Table struct {
	db    *store.DB
	limit int64
}

// NewTable is the vault in the table blobs of db.
func NewTable(db *store.DB) *Table { return &Table{db: db, limit: MaxSize} }

// Put is Vault.Put.
func (t *Table) Put(ctx context.Context, r io.Reader) (digest string, size int64, err error) {
	var body bytes.Buffer
	digest, size, err = intake(ctx, &body, r, t.limit)
	if err != nil {
		return "", 0, err
	}
	err = t.db.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (digest) DO UPDATE SET size = excluded.size, body = excluded.body
			WHERE blobs.body <> excluded.body`,
			digest, size, notNil(body.Bytes()), now.UnixMicro())
		return err
	})
	if err != nil {
		return "", 0, fmt.Errorf("put %s: %w", digest, err)
	}
	return digest, size, nil
}

// notNil keeps the empty entry from being stored as NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Open is Vault.Open.
func (t *Table) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	if _, err := hexOf(digest); err != nil {
		return nil, err
	}
	var body []byte
	err := t.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT body FROM blobs WHERE digest = $1`, digest).Scan(&body)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, absent(digest)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", digest, err)
	}
	return check(io.NopCloser(bytes.NewReader(body)), digest), nil
}

// Has is Vault.Has.
func (t *Table) Has(ctx context.Context, digest string) (bool, error) {
	if _, err := hexOf(digest); err != nil {
		return false, err
	}
	var n int
	err := t.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM blobs WHERE digest = $1`, digest).Scan(&n)
	})
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", digest, err)
	}
	return n > 0, nil
}

package vault

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Table is a shelf in the database, for replicas that share no disk. An entry
// passes through memory whole.
type Table struct {
	db     *store.DB
	origin string
}

// NewTable is the shelf in the table blobs of db, of the installation whose
// journal has the origin.
func NewTable(db *store.DB, origin string) *Table { return &Table{db: db, origin: origin} }

// place is Shelf.place.
func (t *Table) place(ctx context.Context, e Entry, r io.ReadSeeker) (Lock, error) {
	body := make([]byte, 0, e.Size+1) // never nil, which would be stored as NULL
	whole := bytes.NewBuffer(body)
	if _, err := io.Copy(whole, ending{ctx, r}); err != nil {
		return Lock{}, err
	}
	err := t.db.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (digest) DO UPDATE SET size = excluded.size, body = excluded.body
			WHERE blobs.body <> excluded.body`,
			e.Digest, e.Size, whole.Bytes(), now.UnixMicro())
		failpoint.Hit(failpoint.VaultRow)
		return err
	})
	if store.Full(err) {
		return Lock{}, fault.New(fault.Unavailable, "vault.full", "the disk of the vault is full").Remedy("make room; no restart is needed").Cause(err)
	}
	return Lock{}, err
}

// open is Shelf.open.
func (t *Table) open(ctx context.Context, digest string) (io.ReadCloser, error) {
	var body []byte
	err := t.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT body FROM blobs WHERE digest = $1`, digest).Scan(&body)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, absent(digest)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// list is Shelf.list.
func (t *Table) list(ctx context.Context, after string, n int) ([]Entry, error) {
	var all []Entry
	err := t.db.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.Each(ctx, func(r *sql.Rows) error {
			var e Entry
			err := r.Scan(&e.Digest, &e.Size)
			all = append(all, e)
			return err
		}, `SELECT digest, size FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2`, after, n)
	})
	if err != nil {
		return nil, fmt.Errorf("list the vault: %w", err)
	}
	return all, nil
}

// remove is Shelf.remove.
func (t *Table) remove(ctx context.Context, digest string) error {
	err := t.db.InTx(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM blobs WHERE digest = $1`, digest)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove from the vault: %w", err)
	}
	return nil
}

// tableID is the id of every vault in a database: it goes where the books go.
const tableID = "database"

// mark is Shelf.mark.
func (t *Table) mark(context.Context, string) (string, error) { return markOf(t.origin, tableID), nil }

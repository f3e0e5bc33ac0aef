package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Moved is what a move has brought over.
type Moved struct {
	Entries int
	Bytes   int64
	Lost    []string // gone or changed where they were, at most 1,000: not brought over
}

// Move brings every entry to another shelf, proved on the way, and makes that
// the installation's vault from then on. Nothing is removed where they were. It
// is for servers that are stopped: where anything is put meanwhile, it ends in a
// Conflict, and is done again; what has arrived is not sent twice. Unless lossy,
// entries that are gone or have changed keep it from being made the vault.
func (v *Vault) Move(ctx context.Context, to Shelf, lossy bool) (Moved, error) {
	var m Moved
	begun, err := v.DB.Now(ctx)
	if err != nil {
		return m, err
	}
	id, err := v.claimed(ctx, to)
	if err != nil {
		return m, err
	}
	for after := ""; ; {
		all, err := v.booked(ctx, after, v.page)
		if err != nil {
			return m, err
		}
		for _, e := range all {
			after = e.Digest
			if err := v.bring(ctx, to, e, &m); err != nil {
				return m, fmt.Errorf("move %s: %w", e.Digest, err)
			}
		}
		if len(all) < v.page {
			break
		}
	}
	if len(m.Lost) > 0 && !lossy {
		return m, fault.New(fault.Unverified, "vault.lost", fmt.Sprintf("%d originals are gone or have changed; nothing was switched", len(m.Lost))).
			Because("the first is " + m.Lost[0]).Remedy("restore them or send them again, or move the rest with --lossy")
	}
	failpoint.Hit(failpoint.VaultBrought)
	return m, v.DB.InTx(ctx, func(tx *store.Tx) error { return v.switchTo(ctx, tx, id, begun.UnixMicro()) })
}

// claimed marks a shelf as this installation's next vault; one that a move
// before has marked keeps its mark.
func (v *Vault) claimed(ctx context.Context, to Shelf) (id string, err error) {
	line, err := to.mark(ctx, "")
	if err == nil && line == "" {
		line, err = to.mark(ctx, markOf(v.Origin, rand.Text()))
	}
	if err != nil {
		return "", err
	}
	next := Vault{Options: v.Options}
	if err := next.ours(line, ""); err != nil {
		return "", err
	}
	if next.id == v.id {
		return "", fault.New(fault.Conflict, "vault.same", "the originals are there already").Remedy("name the new place with --vault, and the old one with --from")
	}
	return next.id, nil
}

// bring copies one entry, or counts it as lost.
func (v *Vault) bring(ctx context.Context, to Shelf, e Entry, m *Moved) error {
	b, err := v.whole(ctx, e.Digest)
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Unverified {
		m.Lost = listed(m.Lost, e.Digest)
		return nil
	}
	if err != nil {
		return err
	}
	e.Size = int64(len(b))
	lock, err := to.place(ctx, e, &proven{ctx: ctx, from: bytes.NewReader(b), entry: e, hash: sha256.New()})
	if err != nil {
		return err
	}
	m.Entries++
	m.Bytes += e.Size
	return unlessGone(v.settle(ctx, e.Digest, lock))
}

func (v *Vault) whole(ctx context.Context, digest string) ([]byte, error) {
	from, err := v.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(ending{ctx, from})
	return b, errors.Join(err, from.Close())
}

// switchTo makes another shelf the vault if nothing was put since an instant.
// Servers that still run find out at their next put.
func (v *Vault) switchTo(ctx context.Context, tx *store.Tx, id string, since int64) error {
	if _, err := tx.Exec(ctx, `UPDATE vault SET mark = mark WHERE id = 1`); err != nil {
		return err
	}
	if err := v.still(ctx, tx); err != nil {
		return err
	}
	var put int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM vault_entries WHERE put >= $1`, since).Scan(&put); err != nil {
		return err
	}
	if put > 0 {
		return fault.New(fault.Conflict, "vault.in-use", fmt.Sprintf("%d originals were put while they were moved; nothing was switched", put)).
			Remedy("stop every server, then move again: what has arrived is not sent twice")
	}
	_, err := tx.Exec(ctx, `UPDATE vault SET mark = $1 WHERE id = 1`, id)
	failpoint.Hit(failpoint.VaultSwitched)
	return err
}

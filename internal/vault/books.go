package vault

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// What reading an entry found wrong.
const (
	rotten  = "rotten"
	missing = "missing"
)

// claimTime is how long a sweep may take to remove one entry; whoever claims
// gives up well before. A claim that is older was left by a process that died.
const claimTime = 10 * time.Minute

// placing is how long a put may take between its entry and its bytes: until
// then, bytes that are not there are not missing.
const placing = time.Hour

// claimWait is how long a Put waits for a sweep that is removing its entry.
const claimWait = 5 * time.Second

// change runs fn in a transaction with the database's clock in microseconds.
func (v *Vault) change(ctx context.Context, fn func(tx *store.Tx, now int64) error) error {
	return v.DB.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		return fn(tx, now.UnixMicro())
	})
}

// affected is whether a statement changed a row.
func affected(ctx context.Context, tx *store.Tx, query string, args ...any) (bool, error) {
	r, err := tx.Exec(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// reserve enters an entry before its bytes are placed: from then on no sweep
// removes it for a week. The stamp names this put. It waits for a sweep that is
// removing the entry just now.
func (v *Vault) reserve(ctx context.Context, e Entry) (stamp int64, err error) {
	for waited := time.Duration(0); ; waited += 100 * time.Millisecond {
		free := false
		err := v.change(ctx, func(tx *store.Tx, now int64) (err error) {
			stamp, free, err = v.enter(ctx, tx, e, now)
			return err
		})
		if err != nil || free {
			return stamp, err
		}
		if waited >= v.wait {
			return 0, fault.New(fault.Busy, "vault.sweeping", "these bytes are being removed just now").
				Because("no fact named them for a week").Remedy("try again in a moment")
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// enter enters a put; free is false while a sweep holds the entry.
func (v *Vault) enter(ctx context.Context, tx *store.Tx, e Entry, now int64) (stamp int64, free bool, err error) {
	if err := v.still(ctx, tx); err != nil {
		return 0, false, err
	}
	added, err := affected(ctx, tx, `INSERT INTO vault_entries (digest, size, created, put) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO NOTHING`, e.Digest, e.Size, now, now)
	if err != nil {
		return 0, false, err
	}
	if added {
		return now, true, v.count(ctx, tx, e.Size)
	}
	free, err = affected(ctx, tx, `UPDATE vault_entries SET put = CASE WHEN put >= $1 THEN put + 1 ELSE $2 END, claimed = 0
		WHERE digest = $3 AND claimed < $4`, now, now, e.Digest, now-claimTime.Microseconds())
	if err != nil || !free {
		return 0, false, err
	}
	err = tx.QueryRow(ctx, `SELECT put FROM vault_entries WHERE digest = $1`, e.Digest).Scan(&stamp)
	return stamp, true, err
}

// count adds an entry to the sums, if the quota has room for it.
func (v *Vault) count(ctx context.Context, tx *store.Tx, size int64) error {
	most := v.Quota
	if most == 0 {
		most = math.MaxInt64
	}
	room, err := affected(ctx, tx, `UPDATE vault SET entries = entries + 1, bytes = bytes + $1 WHERE id = 1 AND bytes + $2 <= $3`, size, size, most)
	if err == nil && !room {
		return fault.New(fault.TooLarge, "vault.quota", fmt.Sprintf("the vault has no room for %d bytes more", size)).
			Because(fmt.Sprintf("its quota is %d bytes", v.Quota)).
			Remedy("whoever runs the server can raise --vault-quota, or look at what signalbox vault status calls orphans")
	}
	return err
}

// forsake takes back the entry of a put that failed, unless another put has
// entered it as well. Its caller may be gone, so it has a time of its own.
func (v *Vault) forsake(ctx context.Context, e Entry, stamp int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return v.change(ctx, func(tx *store.Tx, _ int64) error {
		err := v.strike(ctx, tx, e, `DELETE FROM vault_entries WHERE digest = $1 AND put = $2 AND created = $3`, e.Digest, stamp, stamp)
		failpoint.Hit(failpoint.VaultForsaken)
		return err
	})
}

// strike takes an entry out of the books with a statement, and off the sums.
func (v *Vault) strike(ctx context.Context, tx *store.Tx, e Entry, query string, args ...any) error {
	gone, err := affected(ctx, tx, query, args...)
	if err != nil || !gone {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE vault SET entries = entries - 1, bytes = bytes - $1 WHERE id = 1`, e.Size)
	return err
}

// settle notes that an entry stands as it should, and its lock, unless the
// installation has left this vault meanwhile.
func (v *Vault) settle(ctx context.Context, digest string, l Lock) error {
	return v.change(ctx, func(tx *store.Tx, _ int64) error {
		if err := v.still(ctx, tx); err != nil {
			return err
		}
		there, err := affected(ctx, tx, `UPDATE vault_entries SET flaw = '', lock_mode = $1, lock_until = $2, lock_hold = $3 WHERE digest = $4`,
			l.Mode, l.until(), l.held(), digest)
		if err == nil && !there {
			err = fault.New(fault.Busy, "vault.sweeping", "the entry was removed while it was put").Remedy("try again")
		}
		return err
	})
}

// flawed remembers and logs what reading an entry found, where the books know
// it. A put under way may not have placed its bytes yet, so what is missing
// counts from an hour after the last put.
func (v *Vault) flawed(ctx context.Context, digest, flaw string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	known := false
	err := v.change(ctx, func(tx *store.Tx, now int64) (err error) {
		if flaw == missing {
			now -= placing.Microseconds()
		}
		known, err = affected(ctx, tx, `UPDATE vault_entries SET flaw = $1 WHERE digest = $2 AND put <= $3`, flaw, digest, now)
		return err
	})
	if known || err != nil || flaw == rotten {
		v.Log.Error("the vault does not hold what it should", "digest", digest, "flaw", flaw, "error", err)
	}
}

// booked is the first n entries of the books after a digest.
func (v *Vault) booked(ctx context.Context, after string, n int) ([]Entry, error) {
	var all []Entry
	err := v.DB.ReadTx(ctx, func(tx *store.Tx) error {
		return tx.Each(ctx, func(r *sql.Rows) error {
			var e Entry
			var put int64
			err := r.Scan(&e.Digest, &e.Size, &put)
			e.Put = time.UnixMicro(put).UTC()
			all = append(all, e)
			return err
		}, `SELECT digest, size, put FROM vault_entries WHERE digest > $1 ORDER BY digest LIMIT $2`, after, n)
	})
	if err != nil {
		return nil, fmt.Errorf("read the books of the vault: %w", err)
	}
	return all, nil
}

// claim takes an entry for removal if it was put last before an instant, and
// says since when it is claimed; 0 where it may not be removed.
func (v *Vault) claim(ctx context.Context, digest string, before time.Time) (since int64, err error) {
	err = v.change(ctx, func(tx *store.Tx, now int64) error {
		mine, err := affected(ctx, tx, `UPDATE vault_entries SET claimed = $1 WHERE digest = $2 AND put < $3 AND claimed < $4`,
			now, digest, before.UnixMicro(), now-claimTime.Microseconds())
		if mine {
			since = now
		}
		return err
	})
	return since, err
}

// unclaim gives an entry back, with the lock that kept it.
func (v *Vault) unclaim(ctx context.Context, digest string, since int64, l Lock) error {
	return v.change(ctx, func(tx *store.Tx, _ int64) error {
		_, err := tx.Exec(ctx, `UPDATE vault_entries SET claimed = 0, lock_mode = $1, lock_until = $2, lock_hold = $3 WHERE digest = $4 AND claimed = $5`,
			l.Mode, l.until(), l.held(), digest, since)
		return err
	})
}

// gone strikes a claimed entry whose bytes are removed.
func (v *Vault) gone(ctx context.Context, e Entry, since int64) error {
	return v.change(ctx, func(tx *store.Tx, _ int64) error {
		return v.strike(ctx, tx, e, `DELETE FROM vault_entries WHERE digest = $1 AND claimed = $2`, e.Digest, since)
	})
}

// adopt enters bytes that the books do not know, as if put now.
func (v *Vault) adopt(ctx context.Context, all []Entry) error {
	if len(all) == 0 {
		return nil
	}
	return v.change(ctx, func(tx *store.Tx, now int64) error {
		for _, e := range all {
			added, err := affected(ctx, tx, `INSERT INTO vault_entries (digest, size, created, put) VALUES ($1, $2, $3, $4)
				ON CONFLICT (digest) DO NOTHING`, e.Digest, e.Size, now, now)
			if err != nil {
				return err
			}
			if added {
				_, err = tx.Exec(ctx, `UPDATE vault SET entries = entries + 1, bytes = bytes + $1 WHERE id = 1`, e.Size)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

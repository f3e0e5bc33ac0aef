package store

import (
	"context"
	"fmt"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
)

// Acquire takes or renews the lease name for holder until ttl from now, by the
// database's clock, and reports whether holder has it. A lease says who does a
// periodic task; it is not a lock, and nothing that a decision rests on may rely on it.
func (db *DB) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		r, err := tx.Exec(ctx, `INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE leases.holder = excluded.holder OR leases.until <= $4`,
			name, holder, now.Add(ttl).UnixMicro(), now.UnixMicro())
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.LeaseTaken)
		n, err := r.RowsAffected()
		held = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	return held, nil
}

// Release gives the lease up if holder has it.
func (db *DB) Release(ctx context.Context, name, holder string) error {
	err := db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM leases WHERE name = $1 AND holder = $2", name, holder)
		failpoint.Hit(failpoint.LeaseReleased)
		return err
	})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", name, err)
	}
	return nil
}

package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Status is what is known of a vault without reading its bytes.
type Status struct {
	Kind    string // disk, database or s3
	Entries int
	Bytes   int64
	Quota   int64    // 0 is no bound
	Rule    LockRule // that each entry gets when it is put
	Proven  int      // entries whose lock was read back
	Rotten  int      // entries whose bytes were found changed
	Missing int      // entries whose bytes were found gone
	Last    Swept    // what the last sweep found: sums alone; zero before the first
}

// Status is the vault as the books have it.
func (v *Vault) Status(ctx context.Context) (Status, error) {
	s := Status{Kind: v.kind(), Quota: v.Quota, Rule: v.rule()}
	err := v.DB.ReadTx(ctx, func(tx *store.Tx) error {
		var at, oldest int64
		err := tx.QueryRow(ctx, `SELECT entries, bytes, swept, orphans, orphan_bytes, oldest, removed, removed_bytes, locked FROM vault WHERE id = 1`).
			Scan(&s.Entries, &s.Bytes, &at, &s.Last.Orphans, &s.Last.OrphanBytes, &oldest, &s.Last.Removed, &s.Last.RemovedSize, &s.Last.Locked)
		if err != nil {
			return err
		}
		s.Last.At, s.Last.Oldest = instant(at), instant(oldest)
		return tx.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM vault_entries WHERE lock_mode <> '' OR lock_hold <> 0),
			(SELECT count(*) FROM vault_entries WHERE flaw = $1),
			(SELECT count(*) FROM vault_entries WHERE flaw = $2)`, rotten, missing).Scan(&s.Proven, &s.Rotten, &s.Missing)
	})
	if err != nil {
		return s, fmt.Errorf("status of the vault: %w", err)
	}
	return s, nil
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func (v *Vault) kind() string {
	switch v.Shelf.(type) {
	case *Dir:
		return "disk"
	case *Table:
		return "database"
	}
	return "s3"
}

// locking is a shelf that puts retention locks on its entries.
type locking interface {
	rule() LockRule
	// lock reads back the lock of an entry.
	lock(ctx context.Context, digest string) (Lock, error)
}

func (v *Vault) rule() LockRule {
	if l, locks := v.Shelf.(locking); locks {
		return l.rule()
	}
	return LockRule{}
}

// Bounds of one Check.
const (
	checkEntries = 100
	checkBytes   = 256 << 20
)

// Checked is what reading some entries back has shown.
type Checked struct {
	Entries int
	Bytes   int64
	Rotten  []string // whose bytes have changed
	Missing []string // whose bytes are gone
	Open    []string // without the lock that the rule demands now
	Next    string   // the last digest read, to go on after; "" where all were read
}

// Check reads entries after a digest back, in their order: at most a hundred,
// or 256 MiB and one more. It compares every byte, and the lock where there is
// a rule, and remembers what it finds, good or bad.
func (v *Vault) Check(ctx context.Context, after string) (Checked, error) {
	var c Checked
	if after != "" {
		if _, err := hexOf(after); err != nil {
			return c, err
		}
	}
	now, err := v.DB.Now(ctx)
	if err != nil {
		return c, err
	}
	all, err := v.booked(ctx, after, checkEntries)
	if err != nil {
		return c, err
	}
	for _, e := range all {
		if c.Bytes >= checkBytes {
			return c, nil
		}
		if err := v.checkOne(ctx, &c, e); fault.KindOf(err) == fault.NotFound {
			if e.Put.Before(now.Add(-placing)) {
				c.Missing = append(c.Missing, e.Digest)
			}
		} else if err != nil {
			return c, fmt.Errorf("check %s: %w", e.Digest, err)
		}
		c.Entries++
		c.Bytes += e.Size
		c.Next = e.Digest
	}
	if len(all) < checkEntries {
		c.Next = ""
	}
	return c, nil
}

func (v *Vault) checkOne(ctx context.Context, c *Checked, e Entry) error {
	err := v.proof(ctx, e.Digest)
	if fault.KindOf(err) == fault.Unverified {
		c.Rotten = append(c.Rotten, e.Digest)
		return nil
	}
	if err != nil {
		return err
	}
	l := Lock{}
	if s, locks := v.Shelf.(locking); locks {
		if l, err = s.lock(ctx, e.Digest); err != nil {
			return err
		}
		if !s.rule().meets(l, e.Put) {
			c.Open = append(c.Open, e.Digest)
		}
	}
	return unlessGone(v.settle(ctx, e.Digest, l))
}

// unlessGone passes over an entry that a sweep has removed since it was read.
func unlessGone(err error) error {
	if fault.KindOf(err) == fault.Busy {
		return nil
	}
	return err
}

// proof reads an entry to its end.
func (v *Vault) proof(ctx context.Context, digest string) error {
	from, err := v.Open(ctx, digest)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, ending{ctx, from})
	return errors.Join(err, from.Close())
}

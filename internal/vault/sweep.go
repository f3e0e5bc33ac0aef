package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/store"
)

// Grace is how long an orphan stays after its last put.
const Grace = 7 * 24 * time.Hour

// page is how many entries are looked at together.
const page = 1000

// removeTime is how long removing one entry may take: well below claimTime.
const removeTime = time.Minute

// maxListed bounds what a report lists one by one; all are counted.
const maxListed = 1000

// Sweeping says how to sweep. Named calls name with the digest of every entry
// that any fact names, as the journal has them after Named is called; other
// digests are passed over. The journal is read anew each time: nothing that is
// remembered decides what goes.
type Sweeping struct {
	Dry   bool // look, and remove nothing
	Named func(ctx context.Context, name func(digest string)) error
}

// Swept is what a sweep found and did.
type Swept struct {
	At          time.Time
	Dry         bool
	Entries     int   // that there were
	Bytes       int64 // of them all
	Orphans     int   // that no fact names, however young
	OrphanBytes int64
	Oldest      time.Time // when the oldest of those that stay was put last; zero for none
	Due         []Entry   // orphans of more than a week, at most 1,000
	Removed     int
	RemovedSize int64
	Locked      int      // due, and kept by the store's lock
	Failed      int      // due, and not removed for another reason: the log has it
	Adopted     int      // bytes that the books did not know
	Missing     []string // named by a fact and not there, at most 1,000
}

// held is an entry while a sweep weighs it.
type held struct {
	Entry
	named, missing bool
}

// Sweep removes what no fact names and nobody has put for a week, and finds
// what is named and missing. It may run beside puts, and beside itself in
// another process: an entry is claimed in the books before its bytes go, which
// fails if it was put meanwhile, and a put waits until the claim is over. A
// crash leaves claims that the next sweep takes over.
func (v *Vault) Sweep(ctx context.Context, s Sweeping) (Swept, error) {
	now, err := v.DB.Now(ctx)
	if err != nil {
		return Swept{}, err
	}
	r := Swept{At: now, Dry: s.Dry}
	all, err := v.stock(ctx, &r)
	if err != nil {
		return r, fmt.Errorf("sweep the vault: %w", err)
	}
	err = s.Named(ctx, func(digest string) {
		i, found := slices.BinarySearchFunc(all, digest, func(h held, d string) int { return strings.Compare(h.Digest, d) })
		if found {
			all[i].named = true
		}
	})
	if err != nil {
		return r, fmt.Errorf("sweep the vault: %w", err)
	}
	for _, h := range all {
		if err := v.weigh(ctx, &r, h); err != nil {
			return r, fmt.Errorf("sweep the vault: %w", err)
		}
	}
	if d, tidies := v.Shelf.(*Dir); tidies && !s.Dry {
		err = d.tidy()
	}
	return r, errors.Join(err, v.record(ctx, r))
}

// weigh says what becomes of one entry.
func (v *Vault) weigh(ctx context.Context, r *Swept, h held) error {
	r.Entries++
	r.Bytes += h.Size
	if h.named {
		if h.missing && h.Put.Before(r.At.Add(-placing)) {
			v.flawed(ctx, h.Digest, missing)
			r.Missing = listed(r.Missing, h.Digest)
		}
		return nil
	}
	r.Orphans++
	r.OrphanBytes += h.Size
	removed := false
	if h.Put.Before(r.At.Add(-Grace)) {
		r.Due = listed(r.Due, h.Entry)
		if !r.Dry {
			var err error
			if removed, err = v.discard(ctx, r, h.Entry); err != nil {
				return err
			}
		}
	}
	if !removed && (r.Oldest.IsZero() || h.Put.Before(r.Oldest)) {
		r.Oldest = h.Put
	}
	return nil
}

func listed[T any](list []T, one T) []T {
	if len(list) < maxListed {
		list = append(list, one)
	}
	return list
}

// discard removes one orphan. What the store refuses is counted and logged, and
// stops nothing; the claim stays where it is not known whether the bytes still
// go, so that no put relies on them meanwhile.
func (v *Vault) discard(ctx context.Context, r *Swept, e Entry) (removed bool, err error) {
	since, err := v.claim(ctx, e.Digest, r.At.Add(-Grace))
	if err != nil || since == 0 {
		return false, err
	}
	failpoint.Hit(failpoint.VaultClaimed)
	short, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	err = v.Shelf.remove(short, e.Digest)
	var locked *Locked
	switch {
	case errors.As(err, &locked):
		r.Locked++
		return false, v.unclaim(ctx, e.Digest, since, locked.Lock)
	case err != nil:
		r.Failed++
		v.Log.Warn("an orphan was not removed", "digest", e.Digest, "error", err)
		return false, ctx.Err()
	}
	failpoint.Hit(failpoint.VaultRemoved)
	if err := v.gone(ctx, e, since); err != nil {
		return false, err
	}
	r.Removed++
	r.RemovedSize += e.Size
	v.Log.Info("an orphan was removed", "digest", e.Digest, "size", e.Size, "put", e.Put)
	return true, nil
}

// stock is every entry by digest: what the books know and what is on the
// shelf, each read in pages and side by side. What only the shelf has is
// entered as if put now, so that it stays for a week; what only the books have
// is missing, or still to be placed.
func (v *Vault) stock(ctx context.Context, r *Swept) ([]held, error) {
	var all []held
	for after := ""; ; {
		shelved, err := v.Shelf.list(ctx, after, v.page)
		if err != nil {
			return nil, err
		}
		known, err := v.booked(ctx, after, v.page)
		if err != nil {
			return nil, err
		}
		until, more := frontier(v.page, shelved, known)
		both, strange := merge(shelved, known, until)
		all = append(all, both...)
		if err := v.enterStrange(ctx, r, strange); err != nil {
			return nil, err
		}
		if !more {
			break
		}
		after = until
	}
	return all, nil
}

func (v *Vault) enterStrange(ctx context.Context, r *Swept, strange []Entry) error {
	r.Adopted += len(strange)
	if r.Dry {
		return nil
	}
	return v.adopt(ctx, strange)
}

// frontier is the digest up to which both pages are whole, and whether anything
// may come after it; of a full page more may come.
func frontier(full int, pages ...[]Entry) (until string, more bool) {
	for _, p := range pages {
		if len(p) < full {
			continue
		}
		if last := p[len(p)-1].Digest; !more || last < until {
			until, more = last, true
		}
	}
	return until, more
}

// merge pairs two pages up to a digest, "" for all, and says what the books do
// not know. What they do not know is not weighed: it was entered just now.
func merge(shelved, known []Entry, until string) (both []held, strange []Entry) {
	there := make(map[string]bool, len(shelved))
	booked := make(map[string]bool, len(known))
	for _, e := range shelved {
		there[e.Digest] = true
	}
	for _, e := range known {
		booked[e.Digest] = true
		if until == "" || e.Digest <= until {
			both = append(both, held{Entry: e, missing: !there[e.Digest]})
		}
	}
	for _, e := range shelved {
		if !booked[e.Digest] && (until == "" || e.Digest <= until) {
			strange = append(strange, e)
		}
	}
	return both, strange
}

// record notes what a sweep found, for Status, and sums the books anew: what
// is counted can never drift away for long.
func (v *Vault) record(ctx context.Context, r Swept) error {
	return v.change(ctx, func(tx *store.Tx, _ int64) error {
		if _, err := tx.Exec(ctx, `UPDATE vault SET id = id WHERE id = 1`); err != nil {
			return err // the sums wait for us from here on, so that the next statement counts them all
		}
		oldest := int64(0)
		if !r.Oldest.IsZero() {
			oldest = r.Oldest.UnixMicro()
		}
		_, err := tx.Exec(ctx, `UPDATE vault SET swept = $1, orphans = $2, orphan_bytes = $3, oldest = $4, locked = $5,
			entries = (SELECT count(*) FROM vault_entries), bytes = (SELECT coalesce(sum(size), 0) FROM vault_entries) WHERE id = 1`,
			r.At.UnixMicro(), int64(r.Orphans-r.Removed), r.OrphanBytes-r.RemovedSize, oldest, int64(r.Locked))
		if err != nil || r.Dry {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE vault SET removed = $1, removed_bytes = $2 WHERE id = 1`, int64(r.Removed), r.RemovedSize)
		return err
	})
}

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/store"
)

const old = Grace + time.Minute

func TestSweepRemovesOrphansAfterAWeek(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		named, orphan, young, again := put(t, r.Vault, []byte("named")), put(t, r.Vault, []byte("orphan")), put(t, r.Vault, []byte("young")), put(t, r.Vault, []byte("again"))
		age(t, r.db, old, named, orphan, again)
		age(t, r.db, Grace-time.Minute, young)
		put(t, r.Vault, []byte("again"))

		dry := sweep(t, r.Vault, true, named)
		if !dry.Dry || dry.Entries != 4 || dry.Bytes != 21 || dry.Orphans != 3 || dry.OrphanBytes != 16 || dry.Removed != 0 || len(dry.Due) != 1 || dry.Due[0].Digest != orphan {
			t.Errorf("looking: %+v", dry)
		}
		for _, d := range []string{named, orphan, young, again} {
			if !has(t, r.Vault, d) {
				t.Errorf("looking removed %s", d)
			}
		}
		if s := status(t, r.Vault); s.Last.Orphans != 3 || s.Last.OrphanBytes != 16 || s.Last.Oldest.IsZero() || !s.Last.Oldest.Equal(dry.Oldest) {
			t.Errorf("status after looking: %+v", s.Last)
		}

		done := sweep(t, r.Vault, false, named, sum([]byte("of something else")))
		if done.Removed != 1 || done.RemovedSize != 6 || done.Failed != 0 || done.Adopted != 0 || !done.Oldest.After(dry.Oldest) {
			t.Errorf("sweeping: %+v", done)
		}
		if has(t, r.Vault, orphan) {
			t.Error("the orphan is still there")
		}
		for _, d := range []string{named, young, again} {
			if !has(t, r.Vault, d) {
				t.Errorf("%s was removed", d)
			}
		}
		if s := status(t, r.Vault); s.Entries != 3 || s.Bytes != 15 || s.Last.Orphans != 2 || s.Last.Removed != 1 || s.Missing != 0 {
			t.Errorf("status: %+v", s)
		}
		if last := sweep(t, r.Vault, false, named); last.Removed != 0 || last.Entries != 3 {
			t.Errorf("sweeping again: %+v", last)
		}
	})
}

// More than a page on both sides, with holes on either.
func TestSweepPassesThroughAllPages(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		r.page = 20
		want := map[string]bool{}
		must(t, r.change(t.Context(), func(tx *store.Tx, now int64) error {
			for i := range 2*r.page + 7 { // booked, and never placed: a process died in between
				d := sum(fmt.Appendf(nil, "booked %d", i))
				want[d] = true
				if _, err := tx.Exec(t.Context(), `INSERT INTO vault_entries (digest, size, created, put) VALUES ($1, 3, 1, 1)`, d); err != nil {
					return err
				}
			}
			return nil
		}))
		both := put(t, r.Vault, []byte("both"))
		for i := range 30 {
			r.plant(t, fmt.Appendf(nil, "planted %d", i))
		}
		s := sweep(t, r.Vault, true, both)
		if s.Entries != len(want)+1 || s.Adopted != 30 || s.Orphans != len(want) || len(s.Due) != len(want) {
			t.Errorf("%d entries, %d adopted, %d orphans, %d listed", s.Entries, s.Adopted, s.Orphans, len(s.Due))
		}
		if s := status(t, r.Vault); s.Entries != len(want)+1 || s.Bytes != int64(3*len(want)+4) {
			t.Errorf("the sums are counted anew: %+v", s)
		}
		s = sweep(t, r.Vault, false, both)
		if s.Removed != len(want) || s.Adopted != 30 {
			t.Errorf("%+v", s)
		}
		if s = sweep(t, r.Vault, false, both); s.Entries != 31 || s.Orphans != 30 || s.Removed != 0 {
			t.Errorf("what was entered stays for a week: %+v", s)
		}
	})
}

// What a fact names and nobody finds is told, by digest; what is still to be
// placed is not.
func TestSweepFindsWhatIsMissing(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		lost, fresh, orphan := put(t, r.Vault, []byte("lost")), put(t, r.Vault, []byte("fresh")), put(t, r.Vault, []byte("orphan"))
		for _, d := range []string{lost, fresh, orphan} {
			r.lose(t, d)
		}
		age(t, r.db, 2*placing, lost, orphan)
		s := sweep(t, r.Vault, false, lost, fresh)
		if !slices.Equal(s.Missing, []string{lost}) || s.Removed != 0 {
			t.Errorf("%+v", s)
		}
		if s := status(t, r.Vault); s.Missing != 1 {
			t.Errorf("%d are remembered as missing", s.Missing)
		}
		put(t, r.Vault, []byte("lost"))
		if s := status(t, r.Vault); s.Missing != 0 {
			t.Error("what was put again is remembered as missing")
		}
	})
}

// A put that returned stands, whatever is swept meanwhile, here or by another process.
func TestPutsMeetSweeps(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		other := opened(t, r.db, r.shelf(t), 0)
		b := []byte("met")
		digest := put(t, r.Vault, b)
		removed := 0
		for range 40 {
			age(t, r.db, old, digest)
			var wait sync.WaitGroup
			var swept [2]Swept
			for i, v := range []*Vault{r.Vault, other} {
				wait.Go(func() { swept[i] = sweep(t, v, false) })
			}
			wait.Go(func() {
				if _, _, err := other.Put(t.Context(), bytes.NewReader(b)); err != nil {
					t.Error(err)
				}
				if !has(t, r.Vault, digest) {
					t.Error("put, and gone at once")
				}
			})
			wait.Wait()
			if got, err := read(t, r.Vault, digest); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("put, and gone after the sweep: %q %v", got, err)
			}
			removed += swept[0].Removed + swept[1].Removed
			if s := status(t, r.Vault); s.Entries != 1 || s.Bytes != 3 {
				t.Fatalf("booked are %d entries of %d bytes", s.Entries, s.Bytes)
			}
		}
		t.Logf("of 40 meetings the sweep was first in %d", removed)
	})
}

// While a sweep holds an entry, a put of it waits and then places it anew; of a
// sweep that died, it takes the entry over.
func TestAPutWaitsForAClaim(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		b := []byte("claimed")
		digest := put(t, r.Vault, b)
		age(t, r.db, old, digest)
		now, err := r.db.Now(t.Context())
		must(t, err)
		since, err := r.claim(t.Context(), digest, now.Add(-Grace))
		if err != nil || since == 0 {
			t.Fatalf("not claimed: %v", err)
		}
		if again, err := r.claim(t.Context(), digest, now.Add(-Grace)); err != nil || again != 0 {
			t.Errorf("claimed twice: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			_, _, err := r.Put(t.Context(), bytes.NewReader(b))
			done <- err
		}()
		select {
		case err := <-done:
			t.Errorf("the put did not wait: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		must(t, r.Shelf.remove(t.Context(), digest))
		must(t, r.gone(t.Context(), Entry{Digest: digest, Size: int64(len(b))}, since))
		must(t, <-done)
		if got, err := read(t, r.Vault, digest); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%q %v", got, err)
		}

		age(t, r.db, old, digest)
		if _, err := r.claim(t.Context(), digest, now.Add(-Grace)); err != nil {
			t.Fatal(err)
		}
		r.wait = 200 * time.Millisecond
		if _, _, err := r.Put(t.Context(), bytes.NewReader(b)); code(err) != "vault.sweeping" {
			t.Errorf("while it is claimed: %v", err)
		}
		exec(t, r.db, `UPDATE vault_entries SET claimed = claimed - $1`, (claimTime + time.Second).Microseconds())
		put(t, r.Vault, b)
		if s := sweep(t, r.Vault, false); s.Removed != 0 || s.Orphans != 1 {
			t.Errorf("put again, and swept: %+v", s)
		}
	})
}

// A claim that a dead process left is taken over by a later sweep.
func TestASweepTakesOverOldClaims(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		digest := put(t, r.Vault, []byte("left"))
		age(t, r.db, old, digest)
		now, err := r.db.Now(t.Context())
		must(t, err)
		if _, err := r.claim(t.Context(), digest, now); err != nil {
			t.Fatal(err)
		}
		if s := sweep(t, r.Vault, false); s.Removed != 0 {
			t.Errorf("another's claim was not minded: %+v", s)
		}
		exec(t, r.db, `UPDATE vault_entries SET claimed = claimed - $1`, (claimTime + time.Second).Microseconds())
		if s := sweep(t, r.Vault, false); s.Removed != 1 || has(t, r.Vault, digest) {
			t.Errorf("%+v", s)
		}
	})
}

// Where the facts cannot be read, nothing is removed.
func TestNoFactsNoSweep(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		digest := put(t, r.Vault, []byte("orphan"))
		age(t, r.db, old, digest)
		broken := errors.New("the journal cannot be read")
		_, err := r.Sweep(t.Context(), Sweeping{Named: func(context.Context, func(string)) error { return broken }})
		if !errors.Is(err, broken) || !has(t, r.Vault, digest) {
			t.Errorf("%v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		var all []string
		for i := range checkEntries + 5 {
			all = append(all, put(t, r.Vault, fmt.Appendf(nil, "entry %d", i)))
		}
		rots, goes, young := all[3], all[50], all[70]
		r.rot(t, rots)
		r.lose(t, goes)
		r.lose(t, young)
		age(t, r.db, 2*placing, goes)
		var found Checked
		calls := 0
		for after := ""; calls == 0 || after != ""; calls++ {
			c, err := r.Check(t.Context(), after)
			must(t, err)
			found.Entries += c.Entries
			found.Bytes += c.Bytes
			found.Rotten = append(found.Rotten, c.Rotten...)
			found.Missing = append(found.Missing, c.Missing...)
			found.Open = append(found.Open, c.Open...)
			after = c.Next
		}
		if calls != 2 || found.Entries != len(all) || !slices.Equal(found.Rotten, []string{rots}) || !slices.Equal(found.Missing, []string{goes}) || len(found.Open) != 0 {
			t.Errorf("%d calls: %+v", calls, found)
		}
		if s := status(t, r.Vault); s.Rotten != 1 || s.Missing != 1 {
			t.Errorf("remembered: %+v", s)
		}
		exec(t, r.db, `UPDATE vault_entries SET flaw = 'rotten' WHERE digest = $1`, all[9])
		if _, err := r.Check(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if s := status(t, r.Vault); s.Rotten > 1 {
			t.Error("what was found good is still remembered as rotten")
		}
	})
}

// The digests that are found are those that a plain pattern finds.
func FuzzDigests(f *testing.F) {
	d := sum(nil)
	for _, s := range []string{"", d, `{"file":"` + d + `","size":0}`, d + d, d[:70], d + "0", "sha256:sha256:" + d, "SHA256:" + d[7:]} {
		f.Add([]byte(s))
	}
	pattern := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	f.Fuzz(func(t *testing.T, b []byte) {
		found := map[string]bool{}
		for d := range Digests(b) {
			if _, err := hexOf(d); err != nil {
				t.Fatal(err)
			}
			found[d] = true
		}
		for _, want := range pattern.FindAll(b, -1) {
			if !found[string(want)] {
				t.Errorf("%s is not found in %q", want, b)
			}
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add(markOf(testOrigin, "ABC"))
	f.Add("signalbox-vault/1  a b")
	f.Fuzz(func(t *testing.T, line string) {
		origin, id, err := readMark(line)
		if err == nil && markOf(origin, id) != line {
			t.Errorf("%q was read as %q %q", line, origin, id)
		}
	})
}

package vault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"signalbox.dev/signalbox/internal/fault"
)

// Everything is brought over, is where the installation looks from then on, and
// a server that was not stopped finds out before it acknowledges anything.
func TestMove(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		r.page = 4
		var all []string
		for i := range 10 {
			all = append(all, put(t, r.Vault, fmt.Appendf(nil, "entry %d", i)))
		}
		all = append(all, put(t, r.Vault, nil))
		f := newFakeS3(t, true)
		places := map[string]Shelf{"a directory": dirAt(t, filepath.Join(t.TempDir(), "next")), "a bucket": f.shelf(t, LockRule{Mode: Governance, For: month})}
		if _, is := r.Shelf.(*Table); !is {
			places["the database"] = NewTable(r.db, testOrigin)
		}
		from := r.Vault
		for name, to := range places {
			m, err := from.Move(t.Context(), to, false)
			if err != nil || m.Entries != len(all) || m.Lost != nil {
				t.Fatalf("%s: %+v %v", name, m, err)
			}
			if _, err := Open(t.Context(), from.Options); code(err) != "vault.other" {
				t.Errorf("%s: the old place is opened: %v", name, err)
			}
			if _, _, err := from.Put(t.Context(), bytes.NewReader([]byte("late"))); code(err) != "vault.moved" || fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: put at the old place: %v", name, err)
			}
			next := opened(t, r.db, to, 0)
			for _, d := range all {
				if _, err := read(t, next, d); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if !has(t, from, d) {
					t.Errorf("%s: it was removed where it was", name)
				}
			}
			if c, err := next.Check(t.Context(), ""); err != nil || c.Entries != len(all) || c.Open != nil || c.Missing != nil {
				t.Errorf("%s: %+v %v", name, c, err)
			}
			if _, isS3 := to.(*S3); isS3 && status(t, next).Proven != len(all) {
				t.Errorf("%d are locked", status(t, next).Proven)
			}
			if _, err := next.Move(t.Context(), to, false); code(err) != "vault.same" {
				t.Errorf("%s: moved to where it is: %v", name, err)
			}
			from = next
		}
	})
}

// What is gone or has changed keeps a move from being made; or, lossy, is left.
func TestMoveOfWhatIsLost(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		gone, changed, kept := put(t, r.Vault, []byte("gone")), put(t, r.Vault, []byte("changed")), put(t, r.Vault, []byte("kept"))
		r.lose(t, gone)
		r.rot(t, changed)
		to := dirAt(t, filepath.Join(t.TempDir(), "next"))
		m, err := r.Move(t.Context(), to, false)
		slices.Sort(m.Lost)
		want := []string{gone, changed}
		slices.Sort(want)
		if code(err) != "vault.lost" || !slices.Equal(m.Lost, want) {
			t.Errorf("%+v %v", m, err)
		}
		put(t, r.Vault, []byte("gone"))
		m, err = r.Move(t.Context(), to, true)
		if err != nil || !slices.Equal(m.Lost, []string{changed}) || m.Entries != 2 {
			t.Errorf("lossy: %+v %v", m, err)
		}
		next := opened(t, r.db, to, 0)
		if !has(t, next, kept) || !has(t, next, gone) || has(t, next, changed) {
			t.Error("what is there is not what was brought over")
		}
	})
}

// fails is a shelf that takes only so many entries, or that somebody puts
// something into the old vault beside.
type fails struct {
	Shelf
	left   int
	beside func()
}

func (f *fails) place(ctx context.Context, e Entry, r io.ReadSeeker) (Lock, error) {
	if f.left--; f.left < 0 {
		return Lock{}, fault.New(fault.Unavailable, "test.full", "no more")
	}
	if f.beside != nil {
		f.beside()
	}
	return f.Shelf.place(ctx, e, r)
}

// A move that breaks off, or that puts go on beside, changes nothing, and is
// done again.
func TestMoveIsDoneAgain(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		for i := range 5 {
			put(t, r.Vault, fmt.Appendf(nil, "entry %d", i))
		}
		to := dirAt(t, filepath.Join(t.TempDir(), "next"))
		if _, err := r.Move(t.Context(), &fails{Shelf: to, left: 3}, false); code(err) != "test.full" {
			t.Errorf("broken off: %v", err)
		}
		late := func() {
			if _, _, err := r.Put(t.Context(), bytes.NewReader([]byte("late"))); err != nil {
				t.Error(err)
			}
		}
		if _, err := r.Move(t.Context(), &fails{Shelf: to, left: 99, beside: late}, false); code(err) != "vault.in-use" || fault.KindOf(err) != fault.Conflict {
			t.Errorf("beside puts: %v", err)
		}
		put(t, r.Vault, []byte("still here"))
		if _, err := Open(t.Context(), Options{DB: r.db, Origin: testOrigin, Shelf: to}); code(err) != "vault.other" {
			t.Errorf("half of it is opened: %v", err)
		}
		if m, err := r.Move(t.Context(), to, false); err != nil || m.Entries != 7 {
			t.Errorf("again: %+v %v", m, err)
		}
	})
}

// Another installation's place is never moved to.
func TestMoveToAStranger(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		to := dirAt(t, filepath.Join(t.TempDir(), "next"))
		_, err := to.mark(t.Context(), markOf("signalbox.local/other", "X"))
		must(t, err)
		if _, err := r.Move(t.Context(), to, false); code(err) != "vault.other" {
			t.Errorf("%v", err)
		}
	})
}

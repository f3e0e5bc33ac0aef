package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// hold keeps the committer waiting until the function it returns is called.
func hold(t *testing.T, k *kit) (release func()) {
	t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- k.db.InTx(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Exec(context.Background(), "UPDATE head SET size = size WHERE id = 1")
			close(held)
			<-free
			return err
		})
	}()
	<-held
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Commands that wait together are answered each for itself, and later ones see
// what earlier ones did.
func TestOneBatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		k.must(t, add("a", 1))
		named := add("b", 1)
		named.Facts[0].Body = added{Name: "b", N: 1}
		rival := add("c", 1)
		rival.Facts[0].Body = added{Name: "b", N: 1}
		unknown := add("d", 1)
		unknown.Facts[0].Kind = "counter.burnt"
		commands := []journal.Command{
			add("a", 1, journal.Read{Stream: "counter/a", Version: 1}),
			add("a", 1, journal.Read{Stream: "counter/a", Version: 1}),
			add("a", 1, journal.Read{Stream: "counter/a", Version: 2}),
			named, rival, unknown, add("e", 1),
		}
		errs := inOrder(t, k, commands)
		var stale *journal.Stale
		var taken *journal.Taken
		for i, want := range []bool{true, errors.As(errs[1], &stale), true, true, errors.As(errs[4], &taken), errs[5] != nil, true} {
			if !want || errs[i] != nil && i != 1 && i != 4 && i != 5 {
				t.Errorf("command %d: %v", i, errs[i])
			}
		}
		if n := k.verify(t); n != 6 {
			t.Errorf("%d facts", n)
		}
	})
}

// inOrder appends commands such that they wait in the queue in their order.
func inOrder(t *testing.T, k *kit, commands []journal.Command) []error {
	t.Helper()
	release := hold(t, k)
	errs := make([]error, len(commands))
	var all sync.WaitGroup
	for i, c := range commands {
		all.Go(func() { _, errs[i] = k.Append(context.Background(), c) })
		time.Sleep(5 * time.Millisecond)
	}
	release()
	all.Wait()
	return errs
}

// A command that the database refuses, here because a row was tampered with,
// does not take the others of its batch with it.
func TestRefusedByTheDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		k.must(t, add("a", 1))
		err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE streams SET version = 0 WHERE stream = 'counter/a'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		errs := inOrder(t, k, []journal.Command{add("b", 1), add("c", 1), add("a", 1), add("d", 1)})
		for i, err := range errs {
			if (err == nil) != (i != 2) {
				t.Errorf("command %d: %v", i, err)
			}
		}
		if n, err := k.Size(t.Context()); err != nil || n != 5 {
			t.Errorf("%d facts, %v", n, err)
		}
	})
}

func TestBackPressure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), func(o *journal.Options) { o.Queue = 2 })
		release := hold(t, k)
		var mu sync.Mutex
		count := map[fault.Kind]int{}
		appended := 0
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := k.Append(context.Background(), add(fmt.Sprint(i), 1))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					appended++
				} else {
					count[fault.KindOf(err)]++
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		release()
		all.Wait()
		if count[fault.Busy] == 0 || count[fault.Busy]+appended != 20 {
			t.Errorf("%d appended, refused: %v", appended, count)
		}
		if n := k.verify(t); n != uint64(appended)+1 {
			t.Errorf("%d facts of %d acknowledged", n, appended)
		}
	})
}

// A command that its submitter gave up in the queue is never appended.
func TestGivenUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		release := hold(t, k)
		var all sync.WaitGroup
		all.Go(func() { k.must(t, add("first", 1)) })
		time.Sleep(50 * time.Millisecond) // the committer has taken it and waits
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.Append(ctx, add("given-up", 1)); fault.KindOf(err) != fault.Interrupted {
			t.Errorf("%v", err)
		}
		release()
		all.Wait()
		if n := k.verify(t); n != 2 {
			t.Errorf("%d facts", n)
		}
	})
}

func TestCloseDrains(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		release := hold(t, k)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { k.must(t, add(fmt.Sprint(i), 1)) })
		}
		time.Sleep(50 * time.Millisecond)
		release()
		k.Close()
		all.Wait()
		if _, err := k.Append(t.Context(), add("late", 1)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("after closing: %v", err)
		}
		k.reopen(t)
		if n := k.verify(t); n != 11 {
			t.Errorf("%d facts", n)
		}
	})
}

// A clock that goes back does not take the facts with it.
func TestClockGoesBack(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2031, 5, 5, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); now = now.Add(-time.Hour); return now }
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	first, second := k.must(t, add("a", 1)), k.must(t, add("a", 1))
	if first.Time != second.Time {
		t.Errorf("%v, then %v", first.Time, second.Time)
	}
	k.verify(t)
}

func TestPart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		c := add("a", 1)
		c.Parts = [][]byte{[]byte("one"), []byte("two")}
		k.must(t, c)
		c.Parts = append(c.Parts, []byte("three"))
		k.must(t, c)
		for _, want := range []string{"one", "two", "three"} {
			if b, err := k.Part(t.Context(), digest(want)); err != nil || string(b) != want {
				t.Errorf("%s: %q, %v", want, b, err)
			}
		}
		several, err := k.Parts(t.Context(), [][32]byte{digest("two"), digest("none"), digest("one"), digest("two")})
		if err != nil || len(several) != 2 || string(several[digest("one")]) != "one" || string(several[digest("two")]) != "two" {
			t.Errorf("several parts: %q %v", several, err)
		}
		if none, err := k.Parts(t.Context(), nil); err != nil || len(none) != 0 {
			t.Errorf("no parts: %q %v", none, err)
		}
		if _, err := k.Part(t.Context(), digest("none")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
		err = k.db.InTx(t.Context(), func(tx *store.Tx) error {
			d := digest("one")
			_, err := tx.Exec(t.Context(), "UPDATE parts SET body = $1 WHERE digest = $2", []byte("other"), d[:])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Parts(t.Context(), [][32]byte{digest("two"), digest("one")}); fault.KindOf(err) != fault.Unverified {
			t.Errorf("rotten, of several: %v", err)
		}
		if _, err := k.Part(t.Context(), digest("one")); fault.KindOf(err) != fault.Unverified {
			t.Errorf("a rotten part: %v", err)
		}
	})
}

// A stream whose row has rotted away is no stream that never was, among those that are
// not there as well. A decision on it is none.
func TestStreamThatRottedAway(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		k.must(t, add("a", 1))
		k.must(t, add("b", 1))
		err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "DELETE FROM streams WHERE stream = $1", string(counterStream("b")))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fault.Kind{"a": 0, "never": 0, "b": fault.Unverified} {
			err := k.Snapshot(t.Context(), func(s *journal.Snapshot) error {
				_, err := s.LoadAll(t.Context(), counterStream("none"), counterStream(name), counterStream("nothing"))
				return err
			})
			if want == 0 && err != nil || want != 0 && fault.KindOf(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// On a full disk nothing is half written, reading goes on, and writing does as
// soon as there is room.
func TestDiskFull(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := start(t, db, nil)
	room(t, db, 60)
	full := 0
	for i := range 60 {
		c := add(fmt.Sprint(i), 1)
		c.Parts = [][]byte{make([]byte, 16000)}
		c.Parts[0][0] = byte(i)
		if _, err := k.Append(t.Context(), c); fault.KindOf(err) == fault.Unavailable {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full == 0 {
		t.Fatal("the disk was never full")
	}
	if _, err := k.Facts(t.Context(), 0, 10); err != nil {
		t.Errorf("reading: %v", err)
	}
	room(t, db, 100000)
	k.must(t, add("again", 1))
	if n := k.verify(t); n != uint64(60-full)+2 {
		t.Errorf("%d facts after %d refusals", n, full)
	}
}

// room limits the database file to a number of pages.
func room(t *testing.T, db *store.DB, pages int) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		var got int
		return tx.QueryRow(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&got)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A journal that becomes shorter while it is open takes no more facts, also
// when nothing has been signed.
func TestRolledBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		k.must(t, add("a", 1))
		err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
			for _, undo := range []string{"DELETE FROM facts WHERE position = 1", "DELETE FROM hashes WHERE node > 0", "UPDATE head SET size = 1"} {
				if _, err := tx.Exec(t.Context(), undo); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Stopped(); err != nil {
			t.Errorf("stopped before anybody has looked: %v", err)
		}
		for range 2 {
			if _, err := k.Append(t.Context(), add("b", 1)); fault.KindOf(err) != fault.Unverified {
				t.Errorf("%v", err)
			}
		}
		if err := k.Stopped(); fault.KindOf(err) != fault.Unverified {
			t.Errorf("stopped: %v", err)
		}
	})
}

// Rows that say otherwise than their headers are never read as facts.
func TestRowsMustAgreeWithHeaders(t *testing.T) {
	for _, change := range []string{
		"UPDATE facts SET position = 9 WHERE position = 1",
		"UPDATE facts SET stream = 'counter/b' WHERE position = 1",
		"UPDATE facts SET version = 9 WHERE position = 1",
	} {
		storetest.Each(t, func(t *testing.T, open func() *store.DB) {
			k := start(t, open(), nil)
			k.must(t, add("a", 1))
			err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Facts(t.Context(), 0, 10); fault.KindOf(err) != fault.Unverified {
				t.Errorf("%s: %v", change, err)
			}
		})
	}
}

// Processes that open an empty database together agree on one journal.
func TestOpenTogether(t *testing.T) {
	o := store.Options{Database: storetest.PostgresURL(t)}
	var all sync.WaitGroup
	ks := make([]*kit, 4)
	for i := range ks {
		all.Go(func() {
			db, err := store.Open(context.Background(), o)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = db.Close() })
			ks[i] = start(t, db, nil)
		})
	}
	all.Wait()
	for _, k := range ks {
		if k == nil || k.Origin() != ks[0].Origin() || k.verify(t) != 1 {
			t.Fatalf("%+v", k)
		}
	}
}

func TestShapesAreChecked(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for name, o := range map[string]journal.Options{
		"twice":      {Shapes: []event.Shape{counterShape(1), counterShape(1)}},
		"ours":       {Shapes: []event.Shape{{Noun: "journal", Number: 1}}},
		"set":        {Shapes: []event.Shape{{Noun: "set", Number: 1}}},
		"no number":  {Shapes: []event.Shape{{Noun: "x"}}},
		"view twice": {Folders: []journal.Folder{&sums{name: "a"}, &sums{name: "a"}}},
		"view name":  {Folders: []journal.Folder{&sums{name: "state/x"}}},
	} {
		o.DB = db
		if _, err := journal.Open(t.Context(), o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

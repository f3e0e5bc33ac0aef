package journal_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// sums is a view of the sum of every counter, in a table of its own.
type sums struct {
	number int
	name   string
	broken atomic.Bool // fails after it has written, as a bug would
	panics atomic.Bool
	late   atomic.Bool // fails in what it writes Later
}

func (s *sums) Name() string { return s.name }
func (s *sums) Number() int  { return s.number }

func (s *sums) Reset(ctx context.Context, tx *store.Tx) error {
	_, err := tx.Exec(ctx, "DELETE FROM test_"+s.name)
	return err
}

func (s *sums) Apply(ctx context.Context, tx *store.Tx, facts []event.Recorded) error {
	for _, f := range facts {
		if err := s.add(ctx, tx, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *sums) add(ctx context.Context, tx *store.Tx, f event.Recorded) error {
	if f.Kind != addedKind {
		return nil
	}
	var a added
	if err := f.Body(&a); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO test_"+s.name+` (stream, sum) VALUES ($1, $2)
		ON CONFLICT (stream) DO UPDATE SET sum = test_`+s.name+".sum + excluded.sum", string(f.Stream), a.N*int64(s.number))
	if s.panics.Load() {
		panic("a bug")
	}
	if s.late.Load() {
		err = errors.Join(err, tx.Later(ctx, "INSERT INTO no_such_table VALUES (1)"))
	}
	if s.broken.Load() {
		_, err = tx.Exec(ctx, "INSERT INTO no_such_table VALUES (1)")
	}
	return err
}

func (s *sums) create(t *testing.T, db *store.DB) *sums {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "CREATE TABLE test_"+s.name+" (stream TEXT PRIMARY KEY, sum BIGINT NOT NULL)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sums) read(t *testing.T, db *store.DB) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := db.ReadTx(t.Context(), func(tx *store.Tx) error {
		return tx.Each(t.Context(), func(r *sql.Rows) error {
			var stream string
			var sum int64
			err := r.Scan(&stream, &sum)
			all[stream] = sum
			return err
		}, "SELECT stream, sum FROM test_"+s.name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// held fails once, and is then in the middle of folding until the journal is closed.
type held struct {
	*sums
	failed  atomic.Bool
	entered chan struct{}
}

func (h *held) Apply(ctx context.Context, _ *store.Tx, _ []event.Recorded) error {
	if !h.failed.Swap(true) {
		return errors.New("a bug")
	}
	close(h.entered)
	<-ctx.Done()
	return ctx.Err()
}

// A journal that is closed while it folds a view says nothing of a view that
// cannot be folded; of one that cannot it does.
func TestClosedWhileItFolds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		h := &held{sums: (&sums{name: "held", number: 1}).create(t, db), entered: make(chan struct{})}
		var log bytes.Buffer // read once the journal is closed
		k := start(t, db, func(o *journal.Options) {
			o.Folders, o.Logger = []journal.Folder{h}, slog.New(slog.NewTextHandler(&log, nil))
		})
		<-h.entered
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); strings.Count(got, "cannot be folded") != 1 || !strings.Contains(got, "a bug") {
			t.Errorf("logged %s", got)
		}
	})
}

func withFolders(f ...journal.Folder) func(*journal.Options) {
	return func(o *journal.Options) { o.Folders = f }
}

func quiet(string, uint64, uint64) {}

// followed waits until every view follows, and returns their status.
func followed(t *testing.T, k *kit) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		views, err := k.Views(ctx)
		if err != nil {
			t.Fatal(err)
		}
		size, err := k.Size(ctx)
		if err != nil {
			t.Fatal(err)
		}
		behind := false
		for _, v := range views {
			behind = behind || v.Stale != "" || v.Position != size
		}
		if !behind {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestViewsRebuiltEqualLive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		live, late := (&sums{name: "live", number: 1}).create(t, db), (&sums{name: "late", number: 1}).create(t, db)
		k := start(t, db, withFolders(live))
		for i := range 1203 {
			k.must(t, add(fmt.Sprint(i%5), int64(i)))
			if i == 600 {
				k.Close()
				k.options.Folders = []journal.Folder{live, late}
				k.reopen(t)
			}
		}
		want := live.read(t, db)
		if len(want) != 5 || want["counter/1"] == 0 {
			t.Fatalf("live: %v", want)
		}
		if diff := cmp.Diff(want, late.read(t, db)); diff != "" {
			t.Errorf("added later: %s", diff)
		}
		told := 0
		if err := k.Rebuild(t.Context(), "live", func(string, uint64, uint64) { told++ }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, live.read(t, db)); diff != "" || told < 3 {
			t.Errorf("rebuilt, told %d times: %s", told, diff)
		}
		if err := k.Rebuild(t.Context(), "none", quiet); fault.KindOf(err) != fault.NotFound {
			t.Errorf("no such view: %v", err)
		}
		k.must(t, add("1", 1))
		if live.read(t, db)["counter/1"] != want["counter/1"]+1 {
			t.Error("a rebuilt view does not follow")
		}
		k.Close()
		live.number = 2
		k.reopen(t)
		if live.read(t, db)["counter/1"] != 2*(want["counter/1"]+1) {
			t.Error("a view of a new number was not rebuilt before the journal opened")
		}
		k.verify(t)
	})
}

func TestFailingViewRecovers(t *testing.T) {
	for name, fail := range map[string]func(*sums, bool){
		"error": func(s *sums, on bool) { s.broken.Store(on) },
		"panic": func(s *sums, on bool) { s.panics.Store(on) },
		"late":  func(s *sums, on bool) { s.late.Store(on) },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				db := open()
				bad, good := (&sums{name: "bad", number: 1}).create(t, db), (&sums{name: "good", number: 1}).create(t, db)
				k := start(t, db, withFolders(bad, good))
				k.must(t, add("a", 1))
				fail(bad, true)
				k.must(t, add("a", 2))
				k.must(t, add("a", 4))
				if got := bad.read(t, db)["counter/a"]; got != 1 && got != 0 {
					t.Errorf("the failing view kept %d", got)
				}
				if got := good.read(t, db)["counter/a"]; got != 7 {
					t.Errorf("the other view has %d", got)
				}
				views, err := k.Views(t.Context())
				if err != nil || views[0].Stale == "" || views[1].Stale != "" {
					t.Errorf("views %+v, %v", views, err)
				}
				fail(bad, false)
				followed(t, k)
				k.must(t, add("a", 8))
				if diff := cmp.Diff(good.read(t, db), bad.read(t, db)); diff != "" {
					t.Error(diff)
				}
				k.verify(t)
			})
		})
	}
}

// A view that is rebuilt while several processes append ends equal to one that never fell behind.
func TestRebuildUnderLoad(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		live, again := (&sums{name: "live", number: 1}).create(t, db), (&sums{name: "again", number: 1}).create(t, db)
		k := start(t, db, withFolders(live, again))
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := range 150 {
					if _, err := k.Append(context.Background(), add(fmt.Sprint(w, i%3), int64(i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 5 {
			if err := k.Rebuild(t.Context(), "again", quiet); err != nil {
				t.Error(err)
			}
		}
		writers.Wait()
		followed(t, k)
		if diff := cmp.Diff(live.read(t, db), again.read(t, db)); diff != "" {
			t.Error(diff)
		}
		k.verify(t)
	})
}

func TestRefold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		touching := add("a", 3)
		touching.Facts[0].Touches = []event.Stream{counterStream("b"), event.SetFreezes}
		k.must(t, touching)
		k.must(t, add("b", 5))
		k.Close()
		k.options.Shapes = []event.Shape{counterShape(2)}
		k.reopen(t)
		if v, c := k.load(t, counterStream("b")); v != 2 || c.Sum != 10 {
			t.Errorf("b at %d is %+v", v, c)
		}
		err := k.Snapshot(t.Context(), func(s *journal.Snapshot) error {
			even, err := s.Find(t.Context(), "counter.parity", "0")
			if diff := cmp.Diff([]event.Stream{"counter/a", "counter/b"}, even); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		k.verify(t)
		// An older program loads and writes states of its own number.
		k.Close()
		k.options.Shapes = []event.Shape{counterShape(1)}
		k.reopen(t)
		k.must(t, add("b", 1))
		if _, c := k.load(t, counterStream("a")); c.Sum != 3 {
			t.Errorf("a by the older fold is %+v", c)
		}
		if _, c := k.load(t, counterStream("b")); c.Sum != 6 {
			t.Errorf("b by the older fold is %+v", c)
		}
	})
}

// A stored state that was changed by hand is found by the cold fold.
func TestCheckRebuildFinds(t *testing.T) {
	for name, change := range map[string]string{
		"state":         "UPDATE streams SET state = '{\"sum\":9}' WHERE stream = 'counter/a'",
		"version":       "UPDATE streams SET version = 7 WHERE stream = 'counter/a'",
		"missing":       "DELETE FROM streams WHERE stream = 'counter/a'",
		"invented":      "INSERT INTO streams (stream, version, fold, sum) VALUES ('counter/z', 1, 1, '')",
		"key missing":   "DELETE FROM keys WHERE name = 'counter.parity'",
		"key invented":  "INSERT INTO keys (kind, name, value, stream, since, until) VALUES ('lookup', 'x', 'y', 'counter/a', 0, 0)",
		"nothing amiss": "DELETE FROM leases",
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) {
				k := start(t, open(), nil)
				k.must(t, add("a", 1))
				err := k.db.InTx(t.Context(), func(tx *store.Tx) error {
					text := change
					if tx.Dialect == store.SQLite && name == "state" {
						text = "UPDATE streams SET state = CAST('{\"sum\":9}' AS BLOB) WHERE stream = 'counter/a'"
					}
					if tx.Dialect == store.SQLite {
						text = strings.Replace(text, "1, 1, '')", "1, 1, x'')", 1)
					}
					_, err := tx.Exec(t.Context(), text)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				err = k.CheckRebuild(t.Context(), quiet)
				var found *fault.Error
				if errors.As(err, &found) != (name != "nothing amiss") || err != nil && found.Kind != fault.Unverified {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

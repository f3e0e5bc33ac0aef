package journal_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// replicas is n journals over one database: one process on SQLite, where it
// cannot be otherwise, n connections' worth on PostgreSQL.
func replicas(t *testing.T, open func() *store.DB, n int) []*kit {
	db := open()
	all := []*kit{start(t, db, nil)}
	for len(all) < n {
		if db.Dialect == store.SQLite {
			all = append(all, all[0])
			continue
		}
		k := &kit{db: open(), verifier: all[0].verifier, keys: all[0].keys, options: all[0].options}
		k.options.DB = k.db
		k.reopen(t)
		all = append(all, k)
	}
	return all
}

// decideAgain adds 1 to a counter on the version it read, as often as needed.
func decideAgain(k *kit, id string, tries *atomic.Int64) error {
	for {
		var version uint64
		ctx, stream := context.Background(), counterStream(id)
		err := k.Snapshot(ctx, func(s *journal.Snapshot) (err error) {
			version, _, err = s.Load(ctx, stream)
			return err
		})
		if err != nil {
			return err
		}
		tries.Add(1)
		_, err = k.Append(ctx, add(id, 1, journal.Read{Stream: stream, Version: version}))
		var stale *journal.Stale
		if !errors.As(err, &stale) {
			return err
		}
	}
}

func TestRacingDecisions(t *testing.T) {
	const racers, rounds = 8, 15
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 3)
		var all sync.WaitGroup
		var tries atomic.Int64
		for r := range racers {
			all.Go(func() {
				for range rounds {
					if err := decideAgain(ks[r%len(ks)], "race", &tries); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if v, c := ks[0].load(t, counterStream("race")); v != racers*rounds || c.Sum != racers*rounds {
			t.Errorf("version %d, sum %d after %d increments", v, c.Sum, racers*rounds)
		}
		if tries.Load() == racers*rounds {
			t.Error("no decision was ever stale: the race was not run")
		}
		if n := ks[1].verify(t); n != racers*rounds+1 {
			t.Errorf("%d facts", n)
		}
	})
}

func TestOneWinnerPerVersion(t *testing.T) {
	const racers, rounds = 16, 10
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 3)
		for round := range rounds {
			var all sync.WaitGroup
			var won, lost atomic.Int64
			for r := range racers {
				all.Go(func() {
					c := add("one", 1, journal.Read{Stream: counterStream("one"), Version: uint64(round)})
					_, err := ks[r%len(ks)].Append(context.Background(), c)
					var stale *journal.Stale
					switch {
					case err == nil:
						won.Add(1)
					case errors.As(err, &stale):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || lost.Load() != racers-1 {
				t.Fatalf("round %d: %d won, %d lost", round, won.Load(), lost.Load())
			}
		}
		ks[0].verify(t)
	})
}

func TestOneOwnerPerKey(t *testing.T) {
	const racers = 16
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 3)
		var all sync.WaitGroup
		var won atomic.Int64
		for r := range racers {
			all.Go(func() {
				c := add(fmt.Sprint("k", r), 1)
				c.Facts[0].Body = added{Name: "only", N: 1}
				_, err := ks[r%len(ks)].Append(context.Background(), c)
				var taken *journal.Taken
				if err == nil {
					won.Add(1)
				} else if !errors.As(err, &taken) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || ks[0].verify(t) != 2 {
			t.Errorf("%d streams own one key", won.Load())
		}
	})
}

func TestIdempotency(t *testing.T) {
	const racers = 16
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 3)
		c := add("a", 7, journal.Read{Stream: counterStream("a"), Version: 0})
		c.ID, c.Request, c.Result = "key", [32]byte{1}, []byte(`{"ok":true}`)
		var all sync.WaitGroup
		var fresh atomic.Int64
		receipts := make([]journal.Receipt, racers)
		for r := range racers {
			all.Go(func() {
				var err error
				if receipts[r], err = ks[r%len(ks)].Append(context.Background(), c); err != nil {
					t.Error(err)
				}
				if !receipts[r].Repeated {
					fresh.Add(1)
				}
			})
		}
		all.Wait()
		for _, r := range receipts {
			if r.First != 1 || r.Next != 2 || r.Command != "key" || string(r.Result) != `{"ok":true}` || r.Time != receipts[0].Time {
				t.Errorf("receipt %+v", r)
			}
		}
		if fresh.Load() != 1 {
			t.Errorf("%d of %d were not told that it was a repeat", fresh.Load(), racers)
		}
		ks[0].reopen(t)
		if r := ks[0].must(t, c); !r.Repeated || r.First != 1 {
			t.Errorf("after reopening: %+v", r)
		}
		other := c
		other.Request = [32]byte{2}
		if _, err := ks[0].Append(t.Context(), other); fault.KindOf(err) != fault.Conflict {
			t.Errorf("another request under the same key: %v", err)
		}
		if r, err := ks[0].Command(t.Context(), "key"); err != nil || r.First != 1 || string(r.Result) != `{"ok":true}` {
			t.Errorf("stored: %+v, %v", r, err)
		}
		if _, err := ks[0].Command(t.Context(), "none"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("no such command: %v", err)
		}
		if n := ks[0].verify(t); n != 2 {
			t.Errorf("%d facts", n)
		}
	})
}

// A refused command leaves its key free for another try.
func TestRefusedKeyIsFree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		k := start(t, open(), nil)
		c := add("a", 1, journal.Read{Stream: counterStream("a"), Version: 9})
		c.ID = "key"
		if _, err := k.Append(t.Context(), c); err == nil {
			t.Fatal("a stale command was appended")
		}
		c.Reads[0].Version = 0
		if r := k.must(t, c); r.Repeated {
			t.Error("a refusal was kept as the command's result")
		}
		k.verify(t)
	})
}

func TestFollowersMissNothing(t *testing.T) {
	const writers, followers = 8, 4
	each := cycles(50, 12_500)
	size := uint64(writers*each + 1)
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ks := replicas(t, open, 2)
		var all sync.WaitGroup
		for f := range followers {
			all.Go(func() {
				if err := followTo(t.Context(), ks[f%len(ks)], size); err != nil {
					t.Errorf("follower %d: %v", f, err)
				}
			})
		}
		for w := range writers {
			all.Go(func() {
				for i := range each {
					if _, err := ks[w%len(ks)].Append(context.Background(), add(fmt.Sprint(w, i%7), 1)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n, err := ks[1].WaitBeyond(t.Context(), size-1); err != nil || n != size {
			t.Errorf("size %d, %v", n, err)
		}
		if n := ks[0].verify(t); n != size {
			t.Errorf("%d facts", n)
		}
	})
}

// followTo follows from the first fact until it has seen size facts in order,
// beginning anew, as after a crash, at every hundredth.
func followTo(ctx context.Context, k *kit, size uint64) error {
	enough, crash := errors.New("enough"), errors.New("crash")
	next, crashed := uint64(0), uint64(0)
	for {
		err := k.Follow(ctx, next, func(facts []event.Recorded) error {
			for _, f := range facts {
				if f.Position != next {
					return fmt.Errorf("fact %d arrived as number %d", f.Position, next)
				}
				if next++; next/100 > crashed {
					crashed = next / 100
					return crash
				}
			}
			if next == size {
				return enough
			}
			return nil
		})
		if errors.Is(err, enough) || errors.Is(err, crash) && next == size {
			return nil
		}
		if !errors.Is(err, crash) {
			return err
		}
	}
}

// The negative control: who follows a sequence by "id > last" misses what was
// numbered earlier and committed later.
func TestFollowingASequenceMisses(t *testing.T) {
	const writers, each = 8, 60
	open := func(u string) *store.DB {
		db, err := store.Open(t.Context(), store.Options{Database: u})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := open(storetest.PostgresURL(t))
	inTx := func(query string) error {
		return db.InTx(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Exec(context.Background(), query)
			return err
		})
	}
	if err := inTx("CREATE TABLE test_sequence (id BIGSERIAL PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if err := inTx("INSERT INTO test_sequence DEFAULT VALUES"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	last, seen := int64(0), 0
	look := func() {
		err := db.ReadTx(t.Context(), func(tx *store.Tx) error {
			return tx.Each(t.Context(), func(r *sql.Rows) error {
				seen++
				return r.Scan(&last)
			}, "SELECT id FROM test_sequence WHERE id > $1 ORDER BY id", last)
		})
		if err != nil {
			t.Error(err)
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		look()
	}
	if seen >= writers*each {
		t.Errorf("%d of %d were seen: the control missed nothing", seen, writers*each)
	}
	t.Logf("a follower of a sequence missed %d of %d", writers*each-seen, writers*each)
}

// As many snapshots as there are connections, each of which reads something
// else of the database: none waits for the others for ever.
func TestSnapshotsReadElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		k := start(t, db, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for range db.Readers() {
			all.Go(func() {
				err := k.Snapshot(ctx, func(*journal.Snapshot) error {
					time.Sleep(100 * time.Millisecond) // until all that can be are open
					return db.ReadTx(ctx, func(*store.Tx) error { return nil })
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

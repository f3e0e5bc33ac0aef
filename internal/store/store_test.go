package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

// put writes one blob row, the plainest table there is.
func put(ctx context.Context, tx *store.Tx, digest string) error {
	_, err := tx.Exec(ctx, "INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)",
		digest, len(digest), []byte(digest), 1)
	return err
}

func digests(t *testing.T, db *store.DB) []string {
	t.Helper()
	var all []string
	err := db.ReadTx(t.Context(), func(tx *store.Tx) error {
		return tx.Each(t.Context(), func(r *sql.Rows) error {
			var d string
			err := r.Scan(&d)
			all = append(all, d)
			return err
		}, "SELECT digest FROM blobs ORDER BY digest")
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTransactions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db, stop := t.Context(), open(), errors.New("stop")
		if err := db.InTx(ctx, func(tx *store.Tx) error { return put(ctx, tx, "a") }); err != nil {
			t.Fatal(err)
		}
		err := db.InTx(ctx, func(tx *store.Tx) error { return errors.Join(put(ctx, tx, "b"), stop) })
		if !errors.Is(err, stop) {
			t.Errorf("error of the transaction: %v", err)
		}
		err = db.InTx(ctx, func(tx *store.Tx) error {
			if err := put(ctx, tx, "c"); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, "s", func() error { return errors.Join(put(ctx, tx, "d"), put(ctx, tx, "a")) })
			if err == nil {
				t.Error("a second row under one key was written")
			}
			return tx.Savepoint(ctx, "s", func() error { return put(ctx, tx, "e") })
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "c", "e"}, digests(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// An insertion that fails fails its transaction, or its savepoint alone, also
// where it is sent later.
func TestFailedInsert(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		insert := func(tx *store.Tx, digest string) error {
			return tx.Insert(ctx, store.Rows{Into: "INSERT INTO blobs (digest, size, body, created)", Values: [][]any{{digest, 1, []byte("x"), 1}}})
		}
		if err := db.InTx(ctx, func(tx *store.Tx) error { return insert(tx, "a") }); err != nil {
			t.Fatal(err)
		}
		for name, after := range map[string]func(*store.Tx) error{
			"commit": func(*store.Tx) error { return nil },
			"read":   func(tx *store.Tx) error { return tx.QueryRow(ctx, "SELECT 1").Scan(new(int)) },
			"write":  func(tx *store.Tx) error { return put(ctx, tx, "c") },
		} {
			err := db.InTx(ctx, func(tx *store.Tx) error {
				if err := errors.Join(insert(tx, "b"), insert(tx, "a")); err != nil {
					return err
				}
				return after(tx)
			})
			if !store.Refused(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		err := db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.Savepoint(ctx, "s", func() error { return errors.Join(insert(tx, "d"), insert(tx, "a")) }); !store.Refused(err) {
				t.Errorf("savepoint: %v", err)
			}
			return insert(tx, "e")
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "e"}, digests(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// reading is each way to read.
func reading(db *store.DB) map[string]func(context.Context, func(*store.Tx) error) error {
	return map[string]func(context.Context, func(*store.Tx) error) error{"ReadTx": db.ReadTx, "Glance": db.Glance, "Look": db.Look}
}

func TestReadingRefusesWrites(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		for name, read := range reading(open()) {
			if err := read(t.Context(), func(tx *store.Tx) error { return put(t.Context(), tx, "a") }); err == nil {
				t.Errorf("%s wrote", name)
			}
			queued := func(tx *store.Tx) error {
				return errors.Join(tx.Later(t.Context(), "DELETE FROM blobs"), tx.Answers(t.Context()))
			}
			if err := read(t.Context(), queued); err == nil {
				t.Errorf("%s wrote what was queued", name)
			}
		}
	})
}

func TestReadingSeesOneSnapshot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		count := func(tx *store.Tx) (n int) {
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM blobs").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		already := 0
		for name, read := range reading(db) {
			err := read(ctx, func(tx *store.Tx) error {
				before := count(tx)
				if err := db.InTx(ctx, func(tx *store.Tx) error { return put(ctx, tx, name) }); err != nil {
					return err
				}
				want := already
				if name == "Look" { // each statement sees what is committed by then
					want++
				}
				if after := count(tx); before != already || after != want {
					t.Errorf("%s: %d rows before, %d after another's commit", name, before, after)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if already++; len(digests(t, db)) != already {
				t.Errorf("%d rows in a new snapshot, not %d", len(digests(t, db)), already)
			}
		}
	})
}

// Who reads gives up when its context ends: ReadTx within a statement that would
// take for ever, Glance before the next one. Afterwards the store reads on, more
// often than it has connections.
func TestReadingEndsWithItsContext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		for range 2 * db.Readers() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := db.ReadTx(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n").Scan(new(int64))
			})
			cancel()
			if err == nil {
				t.Fatal("what takes for ever has ended")
			}
			ctx, cancel = context.WithCancel(t.Context())
			err = db.Glance(ctx, func(tx *store.Tx) error {
				one := func() error { return tx.QueryRow(ctx, "SELECT 1").Scan(new(int)) }
				if err := one(); err != nil {
					t.Error(err)
				}
				cancel()
				return one()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a statement after the end: %v", err)
			}
		}
		digests(t, db)
	})
}

func TestInsertAndAmong(t *testing.T) {
	for _, n := range []int{0, 1, 3, 255, 256, 257, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, open func() *store.DB) { insertMany(t, open(), n) })
		})
	}
}

func insertMany(t *testing.T, db *store.DB, n int) {
	ctx := t.Context()
	var want []string
	var rows [][]any
	var keys []any
	for i := range n {
		d := fmt.Sprintf("%04d", i)
		want, keys = append(want, d), append(keys, d)
		rows = append(rows, []any{d, i, []byte{byte(i)}, int64(i)})
	}
	var got []string
	err := db.InTx(ctx, func(tx *store.Tx) error {
		r := store.Rows{Into: "INSERT INTO blobs (digest, size, body, created)", Then: "ON CONFLICT (digest) DO NOTHING", Values: rows}
		if err := errors.Join(tx.Insert(ctx, r), tx.Insert(ctx, r)); err != nil {
			return err
		}
		return tx.Among(ctx, func(r *sql.Rows) error {
			var d string
			var size int
			var body []byte
			if err := r.Scan(&d, &size, &body); err != nil {
				return err
			}
			if d != fmt.Sprintf("%04d", size) || body[0] != byte(size) {
				t.Errorf("row %s has size %d and body %x", d, size, body)
			}
			got = append(got, d)
			return nil
		}, "SELECT digest, size, body FROM blobs WHERE digest IN (?) ORDER BY digest", keys)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A placeholder may stand twice, and the second may come before the first.
func TestPlaceholders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		var got string
		err := open().ReadTx(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT CAST($1 AS TEXT) || CAST($2 AS TEXT) || CAST($1 AS TEXT)", "a", "b").Scan(&got)
		})
		if err != nil || got != "aba" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		acquire := func(holder string, ttl time.Duration) bool {
			held, err := db.Acquire(t.Context(), "l", holder, ttl)
			if err != nil {
				t.Fatal(err)
			}
			return held
		}
		for _, what := range []string{"a free lease", "our own lease"} {
			if !acquire("a", time.Hour) {
				t.Errorf("%s is refused", what)
			}
		}
		if acquire("b", time.Hour) {
			t.Error("two hold one lease")
		}
		if !acquire("a", -time.Second) || !acquire("b", time.Hour) {
			t.Error("a lease that has run out is not given on")
		}
		if err := db.Release(t.Context(), "l", "a"); err != nil || acquire("a", time.Hour) {
			t.Errorf("another than the holder released the lease: %v", err)
		}
		if err := db.Release(t.Context(), "l", "b"); err != nil || !acquire("a", time.Hour) {
			t.Errorf("a released lease is not free: %v", err)
		}
	})
}

func TestNow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		now, err := open().Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now.Location() != time.UTC || !now.Equal(now.Truncate(time.Microsecond)) || time.Since(now).Abs() > time.Minute {
			t.Errorf("now is %v", now)
		}
	})
}

func TestReopenKeeps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		db := open()
		if err := db.InTx(t.Context(), func(tx *store.Tx) error { return put(t.Context(), tx, "a") }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got := digests(t, open()); len(got) != 1 {
			t.Errorf("rows after reopening: %v", got)
		}
	})
}

// What makes a commit durable is on, whatever the server's default says.
func TestCommitsAreDurable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		settings := map[string]string{"PRAGMA synchronous": "2", "PRAGMA journal_mode": "wal", "PRAGMA foreign_keys": "1"}
		if db.Dialect == store.Postgres {
			settings = map[string]string{"SHOW synchronous_commit": "on", "SHOW fsync": "on"}
			err := db.InTx(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		db.Close()
		db = open()
		err := db.InTx(ctx, func(tx *store.Tx) error {
			for show, want := range settings {
				var got string
				if err := tx.QueryRow(ctx, show).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %q, want %q, %v", show, got, want, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestDirectoryIsLocked(t *testing.T) {
	o := store.Options{Data: t.TempDir()}
	first, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), o); fault.KindOf(err) != fault.Conflict {
		t.Errorf("second opening: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("after closing: %v", err)
	}
	again.Close()
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    store.Options
		kind fault.Kind
	}{
		"nothing":   {store.Options{}, fault.Invalid},
		"other URL": {store.Options{Database: "mysql://x"}, fault.Invalid},
		"bad URL":   {store.Options{Database: "postgres://x:port/"}, fault.Invalid},
		"no server": {store.Options{Database: "postgres://127.0.0.1:1/x?sslmode=disable"}, fault.Unavailable},
	} {
		if _, err := store.Open(t.Context(), c.o); err == nil || fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A connection keeps the statements it has prepared: what one is used for
// changes nothing for its next use.
func TestStatementsAreUsedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		const query = "SELECT digest FROM blobs WHERE digest >= $1 ORDER BY digest"
		err := db.InTx(ctx, func(tx *store.Tx) error { return errors.Join(put(ctx, tx, "a"), put(ctx, tx, "b"), put(ctx, tx, "c")) })
		if err != nil {
			t.Fatal(err)
		}
		err = db.InTx(ctx, func(tx *store.Tx) error {
			for _, from := range []string{"a", "b", "c", "d", "a"} {
				var got []string
				scan := func(r *sql.Rows) error {
					var d string
					got = append(got, d)
					return r.Scan(&got[len(got)-1])
				}
				if err := tx.Each(ctx, scan, query, from); err != nil {
					return err
				}
				if diff := cmp.Diff(map[string][]string{"a": {"a", "b", "c"}, "b": {"b", "c"}, "c": {"c"}}[from], got); diff != "" {
					t.Errorf("from %s: %s", from, diff)
				}
			}
			stop := errors.New("stop")
			if err := tx.Each(ctx, func(*sql.Rows) error { return stop }, query, "a"); !errors.Is(err, stop) {
				t.Errorf("rows that are not read to the end: %v", err)
			}
			var d string
			return tx.QueryRow(ctx, query, "b").Scan(&d)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// On SQLite a text may be run while its rows are being read, more texts may be
// run than are kept, and one whose table changes under it is prepared anew.
func TestKeptStatements(t *testing.T) {
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const query = "SELECT digest FROM blobs ORDER BY digest"
	err = db.InTx(ctx, func(tx *store.Tx) error {
		if err := errors.Join(put(ctx, tx, "a"), put(ctx, tx, "b")); err != nil {
			return err
		}
		var seen string
		for range 2 {
			err := tx.Each(ctx, func(outer *sql.Rows) error {
				var o string
				if err := outer.Scan(&o); err != nil {
					return err
				}
				return tx.Each(ctx, func(inner *sql.Rows) error {
					var i string
					err := inner.Scan(&i)
					seen += o + i + " "
					return err
				}, query)
			}, query)
			if err != nil {
				return err
			}
		}
		if seen != "aa ab ba bb aa ab ba bb " {
			t.Errorf("seen %s", seen)
		}
		for i := range 600 {
			var got int
			if err := tx.QueryRow(ctx, fmt.Sprintf("SELECT %d + $1", i), 1).Scan(&got); err != nil || got != i+1 {
				t.Fatalf("%d: %d, %v", i, got, err)
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)", "a", 1, []byte{}, 1); !store.Refused(err) {
			t.Errorf("a key twice: %v", err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)", "c", 1, []byte{}, 1); err != nil {
			t.Errorf("after a failure: %v", err)
		}
		if _, err := tx.Exec(ctx, "ALTER TABLE blobs ADD COLUMN more TEXT"); err != nil {
			return err
		}
		var n int
		if err := tx.Each(ctx, func(*sql.Rows) error { n++; return nil }, query); err != nil || n != 3 {
			t.Errorf("after the table has changed: %d rows, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Before an embedded database is migrated, a copy of it is taken that holds
// what it held, and its path is said; one that is up to date is not copied.
func TestCopyBeforeMigration(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	o := store.Options{Data: dir, Log: slog.New(slog.NewTextHandler(&log, nil))}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	err = db.InTx(t.Context(), func(tx *store.Tx) error {
		for _, query := range []string{
			"INSERT INTO facts (position, stream, version, header, body, private) VALUES (0, 'kept', 1, x'', x'', x'')",
			"ALTER TABLE streams DROP COLUMN sum", "ALTER TABLE commands DROP COLUMN sum", "ALTER TABLE checkpoints DROP COLUMN sum", "DROP TABLE key_sums",
			"DELETE FROM goose_db_version WHERE version_id >= 13", // what came after the schema before checksums
		} {
			if _, err := tx.Exec(t.Context(), query); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	copies := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, store.SQLiteFile+".schema-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if len(copies()) > 0 {
		t.Error("a new database was copied")
	}
	for range 2 {
		if db, err = store.Open(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	found := copies()
	if len(found) != 1 || !strings.Contains(log.String(), found[0]) {
		t.Fatalf("copies %v, said %s", found, log.String())
	}
	b, err := os.ReadFile(found[0])
	if err != nil || !bytes.Contains(b, []byte("kept")) {
		t.Errorf("the copy does not hold what stood: %v", err)
	}
}

// A file in which an index and its table say different things is not sound.
func TestSound(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	open := func() *store.DB {
		db, err := store.Open(ctx, store.Options{Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	if err := db.InTx(ctx, func(tx *store.Tx) error { return put(ctx, tx, "sha256:findme") }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Sound(ctx), db.Close()); err != nil {
		t.Fatalf("as it was written: %v", err)
	}
	path := filepath.Join(dir, "signalbox.db")
	b, err := os.ReadFile(path)
	if err != nil || bytes.Count(b, []byte("findme")) < 2 {
		t.Fatalf("%d times, %v", bytes.Count(b, []byte("findme")), err)
	}
	b[bytes.Index(b, []byte("findme"))] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db = open()
	defer func() { _ = db.Close() }()
	if err := db.Sound(ctx); fault.KindOf(err) != fault.Unverified {
		t.Errorf("with a bit flipped: %v", err)
	}
}

// A commit whose connection is lost is in doubt, and whoever does not learn its
// outcome is told to try again.
func TestCommitInDoubt(t *testing.T) {
	p, url := storetest.Through(t, storetest.PostgresURL(t))
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{Database: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, c := range []struct {
		what   string
		at     int32
		stands bool
	}{{"b", storetest.Pass, true}, {"a", storetest.LoseAnswer, true}, {"c", storetest.LoseCommit, false}} {
		p.Store(c.at)
		err := db.InTx(ctx, func(tx *store.Tx) error { return put(ctx, tx, c.what) })
		if store.InDoubt(err) != (c.at != storetest.Pass) || err != nil && fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", c.what, err)
		}
		if slices.Contains(digests(t, db), c.what) != c.stands {
			t.Errorf("%s stands: %v", c.what, digests(t, db))
		}
	}
}

// A statement that the server has refused before the commit is no uncertain
// commit, though both were sent together; nor is one that nobody looked at.
func TestRefusedBeforeCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		var uncertain *store.Uncertain
		err := db.InTx(ctx, func(tx *store.Tx) error {
			return errors.Join(put(ctx, tx, "a"), tx.Later(ctx, "INSERT INTO blobs (digest, size, body, created) VALUES ($1, $2, $3, $4)", "a", 1, []byte{}, 1))
		})
		if !store.Refused(err) || errors.As(err, &uncertain) {
			t.Errorf("a key twice: %v", err)
		}
		if db.Dialect == store.Postgres { // SQLite goes on after a failed statement
			err = db.InTx(ctx, func(tx *store.Tx) error {
				_, _ = tx.Exec(ctx, "INSERT INTO no_such_table VALUES (1)")
				return nil
			})
			if err == nil || errors.As(err, &uncertain) {
				t.Errorf("a failure that nobody looked at: %v", err)
			}
		}
		if got := digests(t, db); len(got) != 0 {
			t.Errorf("written: %v", got)
		}
	})
}

// What is asked is answered in order, together with what was written before it.
func TestAnswers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.DB) {
		ctx, db := t.Context(), open()
		var got []string
		scan := func(r store.Row) error {
			var d string
			err := r.Scan(&d)
			got = append(got, d)
			return err
		}
		err := db.InTx(ctx, func(tx *store.Tx) error {
			insert := store.Rows{Into: "INSERT INTO blobs (digest, size, body, created)", Values: [][]any{{"a", 1, []byte{}, 1}, {"b", 1, []byte{}, 1}}}
			return errors.Join(
				tx.Ask(ctx, scan, "SELECT digest FROM blobs"),
				tx.Insert(ctx, insert),
				tx.AskAmong(ctx, scan, "SELECT digest FROM blobs WHERE size = $1 AND digest IN (?) ORDER BY digest", []any{"b", "c", "a"}, 1),
				tx.LaterAmong(ctx, "DELETE FROM blobs WHERE digest IN (?)", []any{"a"}),
				tx.Ask(ctx, scan, "SELECT digest FROM blobs"),
				tx.Answers(ctx), tx.Answers(ctx),
			)
		})
		if diff := cmp.Diff([]string{"a", "b", "b"}, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		fail := errors.New("not this one")
		err = db.InTx(ctx, func(tx *store.Tx) error {
			return errors.Join(put(ctx, tx, "z"), tx.Ask(ctx, func(store.Row) error { return fail }, "SELECT digest FROM blobs"), tx.Answers(ctx))
		})
		if !errors.Is(err, fail) {
			t.Errorf("a row that cannot be used: %v", err)
		}
		if diff := cmp.Diff([]string{"b"}, digests(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// A writing transaction that does nothing while it holds a row is ended by
// PostgreSQL before another has waited in vain; one that asks for patience is not.
func TestIdleTransactionIsEnded(t *testing.T) {
	const longer = 9 * time.Second
	for name, patient := range map[string]bool{"idle": false, "patient": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, err := store.Open(ctx, store.Options{Database: storetest.PostgresURL(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			if err := db.InTx(ctx, func(tx *store.Tx) error { return put(ctx, tx, "a") }); err != nil {
				t.Fatal(err)
			}
			holds, waited := make(chan struct{}), make(chan error, 1)
			go func() {
				<-holds
				waited <- db.InTx(ctx, func(tx *store.Tx) error {
					_, err := tx.Exec(ctx, "UPDATE blobs SET created = 2 WHERE digest = 'a'")
					return err
				})
			}()
			err = db.InTx(ctx, func(tx *store.Tx) error {
				if patient {
					if err := tx.Patience(ctx); err != nil {
						return err
					}
				}
				if _, err := tx.Exec(ctx, "UPDATE blobs SET created = 3 WHERE digest = 'a'"); err != nil {
					return err
				}
				close(holds)
				time.Sleep(longer)
				_, err := tx.Exec(ctx, "UPDATE blobs SET created = 4 WHERE digest = 'a'")
				return err
			})
			if ended := fault.KindOf(err) == fault.Unavailable; ended == patient || patient && err != nil {
				t.Errorf("it ended with %v", err)
			}
			if err := <-waited; err != nil {
				t.Errorf("the other waited in vain: %v", err)
			}
		})
	}
}

// What says that the disk is full is told from what says that it has failed, on both engines.
func TestFull(t *testing.T) {
	for code, want := range map[string]bool{"53100": true, "53200": false, "58030": false, "57P01": false, "22001": false} {
		if got := store.Full(fmt.Errorf("append: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("SQLSTATE %s: %t", code, got)
		}
	}
}

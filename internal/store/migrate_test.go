package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", to look at what a killed process left

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/store/storetest"
)

const (
	childData     = "SIGNALBOX_STORE_CHILD_DATA"
	childDatabase = "SIGNALBOX_STORE_CHILD_DATABASE"
)

// TestMain is a process that opens a database and ends, where a test asks for one.
func TestMain(m *testing.M) {
	o := store.Options{Data: os.Getenv(childData), Database: os.Getenv(childDatabase)}
	if o.Data == "" && o.Database == "" {
		os.Exit(m.Run())
	}
	if !failpoint.Enabled {
		fmt.Fprintln(os.Stderr, "the child is built without its kill points")
		os.Exit(1)
	}
	db, err := store.Open(context.Background(), o)
	if err == nil {
		err = db.Close()
	}
	fmt.Fprintln(os.Stderr, "it was not killed:", err)
	os.Exit(1)
}

// A schema that is newer than the program is refused, with both versions, and
// nothing is changed.
func TestNewerSchemaIsRefused(t *testing.T) {
	for engine, o := range map[string]store.Options{"sqlite": {Data: t.TempDir()}, "postgres": {Database: storetest.PostgresURL(t)}} {
		t.Run(engine, func(t *testing.T) {
			db, err := store.Open(t.Context(), o)
			if err == nil {
				err = db.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			_, known := storetest.Migrations(t, 0)
			const newer = 999
			left := look(t, o)
			if _, err := left.Exec(fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, %s)", newer, map[string]string{"sqlite": "1", "postgres": "true"}[engine])); err != nil {
				t.Fatal(err)
			}
			before := schemaOf(t, left)
			for range 2 {
				_, err = store.Open(t.Context(), o)
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Conflict || f.Code != "store.newer-schema" {
					t.Fatalf("a newer schema: %v", err)
				}
				if !strings.Contains(f.What, fmt.Sprint(newer)) || !strings.Contains(f.What, fmt.Sprint(known)) {
					t.Errorf("it does not name %d and %d: %s", newer, known, f.What)
				}
			}
			if diff := cmp.Diff(before, schemaOf(t, left)); diff != "" {
				t.Errorf("it was changed: %s", diff)
			}
		})
	}
}

// Each migration is one transaction, so that a process that is killed between
// two statements of one leaves none of them behind.
func TestMigrationsAreTransactions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("migrations", "*", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no migration: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToUpper(string(b)), "NO TRANSACTION") {
			t.Errorf("%s is no transaction", file)
		}
	}
}

// A process that is killed within any migration, its statements executed or its
// version recorded as well, leaves the schema of the migration before; the next
// start goes on from there, and ends where one that nobody kills does.
func TestInterruptedMigration(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "child")
	if out, err := exec.Command("go", "test", "-c", "-tags", "failpoint", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the child: %v\n%s", err, out)
	}
	fixtures, rounds := storetest.Fixtures(t)[:1], 1
	if os.Getenv("SIGNALBOX_PROVE") == "full" {
		fixtures, rounds = storetest.Fixtures(t), 20
	}
	kills := 0
	for _, f := range fixtures {
		for _, engine := range []string{"sqlite", "postgres"} {
			t.Run(filepath.Base(f.Dir)+"/"+engine, func(t *testing.T) {
				straight := laid(t, f, engine)
				want := opened(t, straight, f.Holds[engine].Facts)
				for range rounds {
					kills += interrupted(t, binary, laid(t, f, engine), func(t *testing.T, o store.Options) {
						if diff := cmp.Diff(want, opened(t, o, f.Holds[engine].Facts)); diff != "" {
							t.Errorf("the schema is another: %s", diff)
						}
					})
				}
			})
		}
	}
	t.Logf("%d kills", kills)
}

func laid(t *testing.T, f storetest.Fixture, engine string) store.Options {
	data, database := f.Lay(t, engine)
	if database != "" {
		data = ""
	}
	return store.Options{Data: data, Database: database}
}

// interrupted kills a start within every migration that is still to come, at
// each point, and then lets one through.
func interrupted(t *testing.T, binary string, o store.Options, through func(*testing.T, store.Options)) (kills int) {
	t.Helper()
	var versions []int64
	for n := int64(1); ; n++ {
		_, newest := storetest.Migrations(t, 0)
		if n > newest {
			break
		}
		if found, _ := filepath.Glob(filepath.Join("migrations", "sqlite", fmt.Sprintf("%05d_*.sql", n))); len(found) == 1 {
			versions = append(versions, n)
		}
	}
	at := slices.Index(versions, version(t, o))
	for ; at+1 < len(versions); at++ {
		for _, p := range []failpoint.Point{failpoint.MigrationRan, failpoint.MigrationRecorded} {
			kills++
			killed(t, binary, o, p, 0)
			if v := version(t, o); v != versions[at] {
				t.Fatalf("killed at %s of migration %d, the schema has version %d", p, versions[at+1], v)
			}
		}
		if at+2 < len(versions) { // one is let through, the next is killed
			kills++
			killed(t, binary, o, failpoint.MigrationRan, 1)
		}
		if v := version(t, o); at+2 < len(versions) && v != versions[at+1] {
			t.Fatalf("after migration %d the schema has version %d", versions[at+1], v)
		}
	}
	through(t, o)
	return kills
}

// killed runs a start that kills itself.
func killed(t *testing.T, binary string, o store.Options, p failpoint.Point, passes int) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), childData+"="+o.Data, childDatabase+"="+o.Database, fmt.Sprintf("%s=%s:%d", failpoint.Variable, p, passes))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("%s after %d passes: the child did not kill itself: %v\n%s", p, passes, err, out)
	}
}

// opened is the schema of a database once it is up to date, and holds so many facts.
func opened(t *testing.T, o store.Options, facts uint64) []string {
	t.Helper()
	db, err := store.Open(t.Context(), o)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	left := look(t, o)
	var n uint64
	if err := left.QueryRow("SELECT count(*) FROM facts").Scan(&n); err != nil || n != facts {
		t.Errorf("%d facts, there were %d: %v", n, facts, err)
	}
	if _, newest := storetest.Migrations(t, 0); version(t, o) != newest {
		t.Errorf("schema %d after a start that nobody killed", version(t, o))
	}
	return schemaOf(t, left)
}

// look opens a database past package store, to see what is in it.
func look(t *testing.T, o store.Options) *sql.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(o.Data, store.SQLiteFile)
	if o.Database != "" {
		driver, source = "pgx", o.Database
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func version(t *testing.T, o store.Options) (v int64) {
	t.Helper()
	db := look(t, o)
	if err := errors.Join(db.QueryRow("SELECT max(version_id) FROM goose_db_version").Scan(&v), db.Close()); err != nil {
		t.Fatal(err)
	}
	return v
}

// schemaOf is every table, column and index.
func schemaOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name")
	if err != nil {
		rows, err = db.Query(`SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
			FROM information_schema.columns WHERE table_schema = 'public' UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil || len(all) < 10 {
		t.Fatalf("%d tables: %v", len(all), err)
	}
	return all
}

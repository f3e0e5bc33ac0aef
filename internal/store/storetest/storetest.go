// Package storetest gives tests fresh databases on both engines.
//
// It knows how to start a throw-away PostgreSQL; it leaves what is tested to
// its callers. Its invariant: no test sees another's data, and nothing is left
// behind.
package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/internal/store"
)

// AdminVariable names the environment variable with the URL of a PostgreSQL
// server on which databases may be created. Unset, a server is started.
const AdminVariable = "SIGNALBOX_TEST_POSTGRES"

// Each runs test as the subtests "sqlite" and "postgres", each with a function
// that opens the subtest's own, at first empty, database. Calling it again
// opens the same database: on SQLite the one before must be closed first. What
// is open at the end is closed.
func Each(t *testing.T, test func(t *testing.T, open func() *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, opener(t, store.Options{Data: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, opener(t, store.Options{Database: PostgresURL(t)})) })
}

func opener(t *testing.T, o store.Options) func() *store.DB {
	return func() *store.DB {
		t.Helper()
		db, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
}

// server is the one server of this test binary.
var server = sync.OnceValues(start)

// PostgresURL is the URL of a fresh database, dropped when the test ends. The
// test is skipped where there is no PostgreSQL, and fails there if CI is set.
func PostgresURL(t testing.TB) string {
	t.Helper()
	admin := os.Getenv(AdminVariable)
	if admin == "" {
		started, err := server()
		if err != nil {
			missing(t, err)
		}
		admin = started.url
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	run(t, admin, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	t.Cleanup(func() { run(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("%s: %v", AdminVariable, err)
	}
	u.Path = "/" + name
	return u.String()
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("PostgreSQL is needed: %v", err)
	}
	t.Skipf("no PostgreSQL: %v", err)
}

// run executes one statement as administrator.
func run(t testing.TB, admin, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := execute(ctx, admin, statement); err != nil {
		t.Fatal(err)
	}
}

func execute(ctx context.Context, url, statement string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

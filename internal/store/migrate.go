package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// migration is what is migrated, and who is told.
type migration struct {
	dialect Dialect
	log     *slog.Logger
	path    string // of SQLite's file
}

// before takes a copy of an embedded database that is about to be migrated, and
// says where it is. A copy that cannot be taken keeps the old schema. Of
// PostgreSQL its operator takes the backup.
func (m migration) before(ctx context.Context, db *sql.DB, from, to int64) error {
	if m.dialect == Postgres {
		m.log.Warn("the database's schema is brought up to date; no copy of it is taken here", "from", from, "to", to)
		return nil
	}
	path := fmt.Sprintf("%s.schema-%d.%s", m.path, from, time.Now().UTC().Format("20060102T150405.000000"))
	err := copyTo(ctx, db, path)
	if err != nil {
		return fault.New(fault.Unavailable, "store.copy", fmt.Sprintf("the database is to be brought from schema version %d to %d, and no copy of it could be taken first", from, to)).
			Because(err.Error()).Remedy("make room beside it: a copy is as large as the database").Cause(err)
	}
	m.log.Warn("the database's schema is brought up to date; a copy was taken first", "from", from, "to", to, "copy", path)
	return nil
}

// copyTo copies an SQLite database whole, under its name only once it is durable.
func copyTo(ctx context.Context, db *sql.DB, path string) error {
	aside := path + ".incoming"
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", aside); err != nil {
		return errors.Join(err, unlessGone(os.Remove(aside)))
	}
	f, err := os.OpenFile(aside, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close(), os.Rename(aside, path)); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// migrate brings the schema up to this program's version. On PostgreSQL an
// advisory lock makes replicas that start together take turns; on SQLite the
// directory's lock has done so. Each file is one transaction: a crash between
// two leaves a schema from which the next start goes on.
func migrate(ctx context.Context, db *sql.DB, m migration) error {
	p, err := provider(db, m.dialect)
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > target {
		return newer(current, target)
	}
	if current < target && holdsFacts(ctx, db) {
		if err := m.before(ctx, db, current, target); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		var pe *goose.PartialError
		if errors.As(err, &pe) && pe.Failed != nil {
			return fmt.Errorf("migrate to %d: %w", pe.Failed.Source.Version, pe.Err)
		}
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// holdsFacts reports whether there is anything that a copy would keep: a first
// start that was cut short leaves a schema without any.
func holdsFacts(ctx context.Context, db *sql.DB) bool {
	var there bool
	err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM facts)").Scan(&there)
	return err == nil && there
}

func provider(db *sql.DB, d Dialect) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+d.String())
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	dialect := map[Dialect]goose.Dialect{SQLite: goose.DialectSQLite3, Postgres: goose.DialectPostgres}[d]
	if failpoint.Enabled {
		if options, err = stepped(options, dialect); err != nil {
			return nil, err
		}
		dialect = goose.DialectCustom
	}
	if d == SQLite {
		return goose.NewProvider(dialect, db, files, options...)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, files, append(options, goose.WithSessionLocker(locker))...)
}

func newer(current, target int64) error {
	return fault.New(fault.Conflict, "store.newer-schema",
		fmt.Sprintf("the database has schema version %d, this program knows up to %d", current, target)).
		Because("a newer version of signalbox has written it").
		Remedy("run that version, or put back the copy that was taken before the upgrade: with the embedded database signalbox.db.schema-* beside it")
}

// Vacant refuses an SQLite file that has facts, without changing it.
func Vacant(path string) error {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?mode=ro&_pragma=query_only(1)")
	if err != nil {
		return fmt.Errorf("look into %s: %w", path, err)
	}
	defer func() { _ = db.Close() }()
	var tables, facts int
	err = db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'facts'").Scan(&tables)
	if err == nil && tables > 0 {
		err = db.QueryRow("SELECT count(*) FROM facts").Scan(&facts)
	}
	if err != nil {
		return fault.New(fault.Conflict, "restore.not-empty", path+" is there, and cannot be read").Because(err.Error()).
			Remedy("name another directory with --data")
	}
	if facts > 0 {
		return fault.New(fault.Conflict, "restore.not-empty", fmt.Sprintf("%s has a journal of %d facts", path, facts)).
			Because("a backup is restored beside it and never over it: what stands may be all that is left").
			Remedy("name another directory with --data")
	}
	return nil
}

// steps is the table of versions with kill points inside each migration.
type steps struct{ database.StoreExtender }

func stepped(options []goose.ProviderOption, d goose.Dialect) ([]goose.ProviderOption, error) {
	s, err := database.NewStore(d, goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	extended, ok := s.(database.StoreExtender)
	if !ok {
		return nil, fmt.Errorf("the table of versions is a %T", s)
	}
	return append(options, goose.WithStore(steps{extended})), nil
}

// Insert records a version, in the transaction of its migration.
func (s steps) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	failpoint.Hit(failpoint.MigrationRan)
	err := s.StoreExtender.Insert(ctx, db, r)
	failpoint.Hit(failpoint.MigrationRecorded)
	return err
}

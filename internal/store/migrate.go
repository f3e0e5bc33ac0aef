package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to this program's version. On PostgreSQL an
// advisory lock makes replicas that start together take turns; on SQLite the
// directory's lock has done so. Each file is one transaction: a crash between
// two leaves a schema from which the next start goes on.
func migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	p, err := provider(db, d)
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
	if _, err := p.Up(ctx); err != nil {
		var pe *goose.PartialError
		if errors.As(err, &pe) && pe.Failed != nil {
			return fmt.Errorf("migrate to %d: %w", pe.Failed.Source.Version, pe.Err)
		}
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
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
		Remedy("run that version, or restore the backup taken before the upgrade")
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

package store

import (
	"context"
	"fmt"

	"signalbox.dev/signalbox/internal/fault"
)

// Scrub writes the database's files anew, so that they hold what rows hold and
// nothing else: what was updated or deleted stands in free space, in freed pages
// and in the log until then. SQLite needs as much disk again while it runs;
// PostgreSQL locks each table in turn. What it cannot reach: copies, backups, a
// server's archived log, and blocks of the disk that files have given back.
// Errors: fault Busy while somebody reads, Unavailable when it cannot be done.
func (db *DB) Scrub(ctx context.Context) error {
	run := db.scrubSQLite
	if db.Dialect == Postgres {
		run = db.scrubPostgres
	}
	if err := run(ctx); err != nil {
		return fmt.Errorf("write the database anew: %w", full(err))
	}
	return nil
}

func (db *DB) scrubSQLite(ctx context.Context) error {
	if _, err := db.write.ExecContext(ctx, "VACUUM"); err != nil {
		return err
	}
	var busy, log, done int
	if err := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done); err != nil {
		return err
	}
	if busy != 0 {
		return fault.New(fault.Busy, "store.read", "the database's log could not be emptied").Because("somebody reads the database").Remedy("try again in a moment")
	}
	return nil
}

func (db *DB) scrubPostgres(ctx context.Context) error {
	rows, err := db.write.QueryContext(ctx, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range tables {
		if _, err := db.write.ExecContext(ctx, "VACUUM (FULL) "+name); err != nil {
			return err
		}
	}
	return nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"signalbox.dev/signalbox/internal/fault"
)

// SQLiteFile is the database's name in the data directory.
const SQLiteFile = "signalbox.db"

// sqlitePragmas hold for every connection. FULL, because with NORMAL a power
// loss takes acknowledged commits of a WAL database with it. The log grows to 16 MB
// before its pages are brought into the file, as many are written again meanwhile.
var sqlitePragmas = [...]string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "wal_autocheckpoint(4000)"}

func openSQLite(ctx context.Context, o Options) (*DB, error) {
	if o.Data == "" {
		return nil, fault.Invalidf("store.no-place", "neither a data directory nor a database is given").
			Remedy("give --data DIR or --database postgres://…")
	}
	dir, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", o.Data, err)
	}
	lock, err := LockDirectory(dir)
	if err != nil {
		return nil, err
	}
	db := &DB{Dialect: SQLite, lock: lock}
	if err := db.dialSQLite(ctx, o, filepath.Join(dir, SQLiteFile)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return db, nil
}

// dialSQLite opens one writing connection, which migrates, and then the readers.
func (db *DB) dialSQLite(ctx context.Context, o Options, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.New(fault.Unavailable, "store.unwritable", "the database cannot be written").Because(err.Error())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path, err)
	}
	// SQLite syncs the directory for its log, never for the database itself.
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return fault.New(fault.Unavailable, "store.unwritable", "the data directory cannot be synced").Because(err.Error())
	}
	if db.write, err = openPrepared(sqliteURL(path, "immediate", false)); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.write.SetMaxOpenConns(1)
	if err := migrate(ctx, db.write, migration{SQLite, o.Log, path}); err != nil {
		return errors.Join(err, db.write.Close())
	}
	if db.read, err = openPrepared(sqliteURL(path, "deferred", true)); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", path, err), db.write.Close())
	}
	db.read.SetMaxOpenConns(8)
	db.read.SetMaxIdleConns(8)
	return nil
}

func openPrepared(url string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(url)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(preparing{Connector: c}), nil
}

func sqliteURL(path, lock string, readOnly bool) string {
	v := url.Values{"_txlock": {lock}}
	for _, p := range sqlitePragmas {
		v.Add("_pragma", p)
	}
	if readOnly {
		v.Add("_pragma", "query_only(1)")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: v.Encode()}
	return u.String()
}

// LockDirectory makes dir and locks it for this process, until the file is closed.
func LockDirectory(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "store.unwritable", "the data directory cannot be made").Because(err.Error())
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "store.unwritable", "the data directory cannot be written").Because(err.Error())
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fault.New(fault.Conflict, "store.locked", "the data directory "+dir+" is in use by another process").
			Because("one process at a time may write it").
			Remedy("stop that process, or name another directory").Cause(err)
	}
	return f, nil
}

// Broken reports whether err says that the disk no longer keeps what is written
// or no longer holds what was: SQLite's input, output and corruption errors.
// After one, nothing may be written until the database has been opened anew.
func Broken(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return lost(err)
}

// lost reports whether err is one of input or output: what was written before
// may be on the disk or not, and the kernel may forget which.
func lost(err error) bool {
	return sqliteCode(err)&0xff == sqlite3.SQLITE_IOERR && !Full(err)
}

// Sound is nil where SQLite's own check of the whole file finds each page whole
// and each row where it is looked for. PostgreSQL has no such check that
// everybody may run. Errors: fault Unverified.
func (db *DB) Sound(ctx context.Context) error {
	if db.Dialect != SQLite {
		return nil
	}
	var found string
	if err := db.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil || found == "ok" {
		return err
	}
	return fault.New(fault.Unverified, "store.rotten", "the database file is damaged").
		Because(found).Remedy("check the disk, and restore a backup")
}

// Full reports whether err says that the disk is full: the transaction is undone,
// and a later one may succeed. Memory that SQLite's connections share is a file as
// well, which a full disk does not let grow.
func Full(err error) bool {
	code := sqliteCode(err)
	return code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE || postgresFull(err)
}

// sqliteCode is SQLite's extended result code, or 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// Refused reports whether err says that the engine took exception to the data
// of a statement, so that the same statement fails again.
func Refused(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return true
	}
	return postgresRefused(err)
}

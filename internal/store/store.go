// Package store opens the database, embedded SQLite or PostgreSQL 15 and later,
// and gives transactions on it.
//
// It knows connections, schema migrations, leases and the database's clock; it
// leaves the meaning of every table to the package that writes it. One SQL text
// with $1 placeholders, numbered in order of appearance, serves both engines.
// Its invariant: what InTx has returned nil for survives a crash of the process
// and of the machine.
//
// The schema of all packages lives in migrations/sqlite and migrations/postgres,
// one numbered file a change, the same numbers in both. A package that needs a
// table adds a file with the next free number to both folders.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
)

// Dialect is the engine, for the few statements that differ.
type Dialect int

// The engines.
const (
	SQLite Dialect = iota
	Postgres
)

// String is the engine's name.
func (d Dialect) String() string { return [...]string{"sqlite", "postgres"}[d] }

// Options say where the data is.
type Options struct {
	Data     string           // directory of the SQLite file, made if absent; ignored with Database
	Database string           // "" for SQLite in Data, or a postgres:// URL
	Now      func() time.Time // SQLite's clock; nil means time.Now. PostgreSQL uses its own
	Log      *slog.Logger     // told of what a migration does; nil discards
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	Dialect Dialect

	write, read *sql.DB
	now         func() time.Time
	lock        *os.File                    // held while a SQLite directory is ours
	failed      atomic.Pointer[fault.Error] // why nothing may be written any more
	cramped     atomic.Pointer[fault.Error] // there was no room when something was last written
}

// Open opens the database and brings its schema up to date. Errors: fault
// Conflict when another process holds the directory or the schema is newer than
// this program, Invalid for a malformed URL, Unavailable for a server that
// cannot be reached or is too old.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	open := openSQLite
	if o.Database != "" {
		open = openPostgres
	}
	db, err := open(ctx, o)
	switch {
	case err == nil:
		db.now = o.Now
		return db, nil
	case Full(err):
		return nil, full(err)
	default:
		return nil, err
	}
}

// Close closes all connections and gives the directory free.
func (db *DB) Close() error {
	err := errors.Join(db.read.Close(), db.write.Close())
	if db.lock != nil {
		err = errors.Join(err, db.lock.Close())
	}
	return err
}

// Uncertain is the error of a commit that failed: whether it took effect is not known.
type Uncertain struct{ Err error }

// Error says so.
func (u *Uncertain) Error() string { return "commit: " + u.Err.Error() }

// Unwrap is the database's error.
func (u *Uncertain) Unwrap() error { return u.Err }

// InDoubt reports that err is of a commit that may have taken effect, on a
// database that goes on.
func InDoubt(err error) bool {
	var u *Uncertain
	return errors.As(err, &u) && !Broken(err) && !Full(err)
}

// InTx runs fn in a read-write transaction and commits unless fn fails. On
// SQLite there is one writer at a time: fn must not call InTx. A failed commit
// is an *Uncertain; every other error means that nothing was written. Errors:
// fault Unavailable for a full disk, and for every transaction after one whose
// write or sync has failed (see Failed). A PostgreSQL server that is gone is
// Unavailable, here and in ReadTx; the next call connects anew.
func (db *DB) InTx(ctx context.Context, fn func(*Tx) error) error {
	if why := db.failed.Load(); why != nil {
		return why
	}
	err := db.inTx(ctx, fn)
	if lost(err) {
		db.failed.CompareAndSwap(nil, fault.New(fault.Unavailable, "store.failed", "nothing more is written since the disk has failed").
			Because("what a disk has refused to keep may be lost even where it says later that it was kept").
			Remedy("check the disk, then start again").Cause(err))
	}
	switch {
	case err == nil:
		db.cramped.Store(nil)
	case Full(err):
		why := full(err)
		db.cramped.Store(why)
		return why
	}
	return err
}

// Room is nil, or that the disk was full when something was last written.
func (db *DB) Room() error {
	if why := db.cramped.Load(); why != nil {
		return why
	}
	return nil
}

// Failed is why nothing is written any more until the database is opened anew,
// or nil. Reading goes on.
func (db *DB) Failed() error {
	if why := db.failed.Load(); why != nil {
		return why
	}
	return nil
}

// full is the error of a full disk as one to act on.
func full(err error) *fault.Error {
	return fault.New(fault.Unavailable, "store.full", "the disk is full").Remedy("make room; no restart is needed").Cause(err)
}

func (db *DB) inTx(ctx context.Context, fn func(*Tx) error) error {
	failpoint.Hit(failpoint.TxBegin)
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return db.reached(ctx, fmt.Errorf("connect: %w", err))
	}
	defer func() { _ = conn.Close() }()
	t, err := db.begin(ctx, conn, [...]string{SQLite: "BEGIN IMMEDIATE", Postgres: "begin"}[db.Dialect])
	if err != nil {
		return db.reached(ctx, err)
	}
	t.brief = true
	defer t.rollback(ctx)
	if err := fn(t); err != nil {
		return db.reached(ctx, cmp.Or(t.failed, err))
	}
	failpoint.Hit(failpoint.TxCommit)
	if err := t.commit(ctx); err != nil {
		return db.doubted(ctx, err)
	}
	failpoint.Hit(failpoint.TxCommitted)
	return nil
}

// doubted is the error of a commit, Unavailable where the server is gone: whoever
// does not learn the outcome may try again.
func (db *DB) doubted(ctx context.Context, err error) error {
	var u *Uncertain
	if errors.As(err, &u) {
		return &Uncertain{db.reached(ctx, u.Err)}
	}
	return db.reached(ctx, err)
}

// begin begins a transaction; on PostgreSQL its begin travels with its first
// statement, and its commit with the last, as each round trip is one while the
// journal's head is held.
func (db *DB) begin(ctx context.Context, conn *sql.Conn, opening string) (*Tx, error) {
	t := &Tx{Dialect: db.Dialect, on: conn, now: db.now, opening: opening, pipelined: db.Dialect == Postgres}
	if t.pipelined {
		return t, nil
	}
	if _, err := conn.ExecContext(ctx, opening); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	t.begun = true
	return t, nil
}

// commit commits; an *Uncertain says that it may have taken effect.
func (t *Tx) commit(ctx context.Context) error {
	if t.pipelined {
		return t.commitPipeline(ctx)
	}
	if _, err := t.on.ExecContext(t.span(ctx), "COMMIT"); err != nil {
		return &Uncertain{err}
	}
	t.begun = false
	return nil
}

// rollback ends a transaction that was not committed. SQLite keeps one open after
// a failed commit, such as one on a full disk: without this the only writing
// connection is lost.
func (t *Tx) rollback(ctx context.Context) {
	switch {
	case t.pipelined:
		t.rollbackPipeline(ctx)
	case t.begun:
		_, _ = t.on.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
}

// ReadTx runs fn in a read-only transaction that sees one snapshot throughout.
func (db *DB) ReadTx(ctx context.Context, fn func(*Tx) error) error { return db.readTx(ctx, false, fn) }

// Glance is ReadTx for statements that are brief: on SQLite each ends by itself,
// and ctx is looked at between them. To break one off takes two goroutines.
func (db *DB) Glance(ctx context.Context, fn func(*Tx) error) error { return db.readTx(ctx, true, fn) }

func (db *DB) readTx(ctx context.Context, brief bool, fn func(*Tx) error) error {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return db.reached(ctx, fmt.Errorf("connect: %w", err))
	}
	defer func() { _ = conn.Close() }()
	t, err := db.begin(ctx, conn, [...]string{SQLite: "BEGIN", Postgres: "begin isolation level repeatable read read only"}[db.Dialect])
	if err != nil {
		return db.reached(ctx, err)
	}
	defer t.rollback(ctx)
	t.brief, t.reads = brief, true
	err = fn(t)
	return db.reached(ctx, cmp.Or(t.failed, err))
}

// Look runs fn without a transaction, for rows that are never changed once they
// are written: each statement sees what is committed when it runs, in the order of
// the statements, and on PostgreSQL what is asked together is one round trip. As
// with Glance none is broken off on SQLite.
func (db *DB) Look(ctx context.Context, fn func(*Tx) error) error {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return db.reached(ctx, fmt.Errorf("connect: %w", err))
	}
	defer func() { _ = conn.Close() }()
	t := &Tx{Dialect: db.Dialect, on: conn, now: db.now, begun: true, brief: true, reads: true, pipelined: db.Dialect == Postgres}
	err = fn(t)
	return db.reached(ctx, cmp.Or(t.failed, err))
}

// Readers is how many read transactions may be open at once; more wait. Whoever
// opens one within another may wait for ever.
func (db *DB) Readers() int { return db.read.Stats().MaxOpenConnections }

// Now is the database's clock in whole microseconds, UTC.
func (db *DB) Now(ctx context.Context) (now time.Time, err error) {
	if db.Dialect == SQLite {
		return db.now().UTC().Truncate(time.Microsecond), nil
	}
	err = db.ReadTx(ctx, func(tx *Tx) error {
		now, err = tx.Now(ctx)
		return err
	})
	return now, err
}

// isURL reports whether s is a PostgreSQL connection URL.
func isURL(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

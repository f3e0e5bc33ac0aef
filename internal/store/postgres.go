package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"signalbox.dev/signalbox/internal/fault"
)

// postgresOldest is the oldest server version accepted, as in server_version_num.
const postgresOldest = 150000

func openPostgres(ctx context.Context, o Options) (*DB, error) {
	if !isURL(o.Database) {
		return nil, fault.Invalidf("store.url", "the database is not a PostgreSQL URL").
			On("--database").Remedy("write postgres://user@host/name, or leave it out for the embedded store")
	}
	c, err := pgx.ParseConfig(o.Database)
	if err != nil {
		return nil, fault.Invalidf("store.url", "the database URL cannot be read").On("--database").Cause(err)
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if err := migratePostgres(ctx, c.Copy(), o); err != nil {
		return nil, err
	}
	read := limited(c, "15min")
	read.RuntimeParams["default_transaction_read_only"] = "on"
	return &DB{Dialect: Postgres, write: postgresPool(limited(c, headIdle), 8), read: postgresPool(read, 12)}, nil
}

// headIdle is how long a writing transaction may do nothing, and lockWait how
// long another waits for it. The first is the shorter one: a process that stands
// still with the journal's head is ended by the server before any other has
// waited in vain. A transaction that rightly works on something else asks for Patience.
const (
	headIdle = "8s"
	lockWait = "15s"
)

// limited bounds how long a session may hold others up, so that a client that
// has hung never blocks the journal's head for long. Idle is how long a
// transaction may do nothing: a reader may be exporting to somebody slow.
func limited(c *pgx.ConnConfig, idle string) *pgx.ConnConfig {
	c = c.Copy()
	c.RuntimeParams["application_name"] = "signalbox"
	c.RuntimeParams["statement_timeout"] = "30s"
	c.RuntimeParams["lock_timeout"] = lockWait
	c.RuntimeParams["idle_in_transaction_session_timeout"] = idle
	return c
}

func postgresPool(c *pgx.ConnConfig, size int) *sql.DB {
	p := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(durable))
	p.SetMaxOpenConns(size)
	p.SetMaxIdleConns(size)
	p.SetConnMaxIdleTime(5 * time.Minute)
	return p
}

// durable turns synchronous_commit on where the server's default is off: an
// acknowledged commit must survive a crash of the server.
func durable(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// migratePostgres checks the server and migrates, without the time limits of ordinary sessions.
func migratePostgres(ctx context.Context, c *pgx.ConnConfig, o Options) error {
	c.RuntimeParams["statement_timeout"] = "0"
	c.RuntimeParams["application_name"] = "signalbox"
	p := postgresPool(c, 2)
	defer func() { _ = p.Close() }()
	if err := checkServer(ctx, p); err != nil {
		return err
	}
	return migrate(ctx, p, migration{Postgres, o.Log, ""})
}

func checkServer(ctx context.Context, p *sql.DB) error {
	var number, name, encoding, fsync string
	err := p.QueryRowContext(ctx, `SELECT current_setting('server_version_num'), current_setting('server_version'),
		current_setting('server_encoding'), current_setting('fsync')`).Scan(&number, &name, &encoding, &fsync)
	if err != nil {
		return unreachable(err)
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("server version %q: %w", number, err)
	}
	f := fault.New(fault.Unavailable, "store.server", "this PostgreSQL server cannot be used")
	switch {
	case n < postgresOldest:
		return f.Because("it is version " + name).Remedy("use PostgreSQL 15 or later")
	case encoding != "UTF8":
		return f.Because("its encoding is " + encoding).Remedy("create the database with ENCODING 'UTF8'")
	case fsync != "on":
		return f.Because("fsync is off, so a crash loses what was acknowledged").Remedy("set fsync = on")
	}
	return nil
}

func unreachable(err error) error {
	f := fault.New(fault.Unavailable, "store.unreachable", "the database cannot be reached").Cause(err)
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return f.Because(pg.Message)
	}
	return f.Because("no connection could be made").Remedy("check host, port and credentials of --database")
}

// reached is err, as Unavailable where it says that the server is gone, is being
// started or is being stopped; who gave up waiting is no matter of the server's.
func (db *DB) reached(ctx context.Context, err error) error {
	if err == nil || db.Dialect == SQLite || ctx.Err() != nil {
		return err
	}
	if waited(err) {
		return fault.New(fault.Unavailable, "store.waited", "the database did not come to it in time").
			Because("others held what this needs, or it is overloaded").Remedy("try again in a moment").Cause(err)
	}
	if !gone(err) {
		return err
	}
	return fault.New(fault.Unavailable, "store.unreachable", "the database cannot be reached").
		Because("the connection to it was lost or refused").Remedy("try again in a moment").Cause(err)
}

// waited reports that the server gave up what was asked at a bound of ours: 55P03
// is lock_timeout, 57014 statement_timeout. A fault has been judged already.
func waited(err error) bool {
	var judged *fault.Error
	var pg *pgconn.PgError
	return !errors.As(err, &judged) && errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "57014")
}

// Patience lifts the bound on how long the transaction may do nothing between two
// statements, until it ends: for one that reads a large file meanwhile.
func (t *Tx) Patience(ctx context.Context) error {
	if t.Dialect == SQLite {
		return nil
	}
	if err := t.Later(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return fmt.Errorf("lift the bound on idleness: %w", err)
	}
	return nil
}

// gone reports an error of the connection rather than of a statement: SQLSTATE
// class 08 (connection), 57P01 to 57P03 (the server stops or starts), 25P03 (it
// has ended a transaction that did nothing), or one of the network. A fault has
// been judged already.
func gone(err error) bool {
	var judged *fault.Error
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &judged):
		return false
	case errors.As(err, &pg):
		return strings.HasPrefix(pg.Code, "08") || pg.Code >= "57P01" && pg.Code <= "57P03" || pg.Code == "25P03"
	}
	return pgconn.SafeToRetry(err) || errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone)
}

// postgresFull is Full for SQLSTATE 53100 (disk_full).
func postgresFull(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "53100"
}

// postgresRefused is Refused for SQLSTATE classes 22 (data), 23 (constraint)
// and 54 (program limit).
func postgresRefused(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return false
	}
	class := pg.Code[:2]
	return class == "22" || class == "23" || class == "54"
}

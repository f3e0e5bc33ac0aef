package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// preparedMax is how many statements a connection keeps, of some kilobytes
// each; the product has fewer texts than that.
const preparedMax = 256

// preparing is SQLite's connector with connections that keep every statement
// they have prepared: parsing one takes longer than running it.
type preparing struct {
	driver.Connector
}

// Connect opens a connection.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	e, ok := c.(engine)
	if !ok {
		return nil, fmt.Errorf("the connection is a %T", c)
	}
	return &preparedConn{engine: e, kept: map[string]*kept{}}, nil
}

// engine is what a connection of SQLite's driver does, beside running statements.
type engine interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

// preparedConn is a connection with the statements it keeps. As database/sql
// promises, it is used by one goroutine at a time.
type preparedConn struct {
	engine
	kept map[string]*kept
}

// kept is a prepared statement; lent while its rows are being read.
type kept struct {
	statement
	lent bool
}

// statement is what a statement of SQLite's driver does.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Close closes the connection and its statements.
func (c *preparedConn) Close() error {
	for text := range c.kept {
		c.drop(text)
	}
	return c.engine.Close()
}

// ExecContext runs a statement that returns no rows.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, release, err := c.lend(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args)
	release(err)
	return r, err
}

// QueryContext runs a statement that returns rows.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, release, err := c.lend(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		release(err)
		return nil, err
	}
	return &lentRows{Rows: r, release: release}, nil
}

// lend is the statement for a text, and what ends its use: one that has failed
// is not kept. A text that is being read already is prepared for this use alone.
func (c *preparedConn) lend(ctx context.Context, text string) (statement, func(error), error) {
	if k := c.kept[text]; k != nil && !k.lent {
		k.lent = true
		return k, func(err error) {
			if k.lent = false; err != nil {
				c.drop(text)
			}
		}, nil
	}
	fresh, err := c.engine.PrepareContext(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	s, ok := fresh.(statement)
	if !ok {
		_ = fresh.Close()
		return nil, nil, fmt.Errorf("the statement is a %T", fresh)
	}
	if c.kept[text] != nil {
		return s, func(error) { _ = s.Close() }, nil
	}
	return s, func(err error) {
		if err != nil || c.kept[text] != nil {
			_ = s.Close()
			return
		}
		c.keep(text, s)
	}, nil
}

// keep keeps a statement, in place of any other where there are too many.
func (c *preparedConn) keep(text string, s statement) {
	for other, k := range c.kept {
		if len(c.kept) < preparedMax {
			break
		}
		if !k.lent {
			c.drop(other)
		}
	}
	c.kept[text] = &kept{statement: s}
}

func (c *preparedConn) drop(text string) {
	_ = c.kept[text].Close()
	delete(c.kept, text)
}

// lentRows ends the use of its statement with its own.
type lentRows struct {
	driver.Rows
	release func(error)
}

// Close closes the rows.
func (r *lentRows) Close() error {
	err := r.Rows.Close()
	if r.release != nil {
		r.release(err)
		r.release = nil
	}
	return err
}

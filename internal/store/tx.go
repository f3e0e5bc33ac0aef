package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/failpoint"
)

// Tx is a transaction. It is not safe for concurrent use.
type Tx struct {
	Dialect Dialect

	on      *sql.Conn // begun and ended by statements of its own
	now     func() time.Time
	opening string // the statement that begins it
	begun   bool   // it has begun, or its begin is queued
	reads   bool   // it writes nothing
	brief   bool   // statements are short: on SQLite none is broken off once begun

	pipelined bool      // on PostgreSQL, where statements are queued
	queued    []waiting // statements that wait to be sent together
	failed    error     // of sending them
}

// span is ctx, or one that never ends for a statement that is not broken off: the
// driver and database/sql each start a goroutine a statement to do that.
func (t *Tx) span(ctx context.Context) context.Context {
	if t.brief && t.Dialect == SQLite && ctx.Err() == nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// Exec runs a statement that returns no rows.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.on.ExecContext(t.span(ctx), query, args...)
}

// Query runs a statement that returns rows; the caller closes them before the next statement.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.on.QueryContext(t.span(ctx), query, args...)
}

// QueryRow runs a statement that returns at most one row.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	_ = t.flush(ctx) // kept in t.failed: PostgreSQL refuses every later statement, the transaction's end says why
	return t.on.QueryRowContext(t.span(ctx), query, args...)
}

// Each runs a query and calls scan for every row.
func (t *Tx) Each(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Ask is Each for a query whose rows may come late: by when Answers returns, and
// on PostgreSQL in one round trip with all that was asked or written Later.
func (t *Tx) Ask(ctx context.Context, scan func(Row) error, query string, args ...any) error {
	if t.pipelined {
		t.queue(waiting{text: query, args: args, scan: scan})
		return nil
	}
	return t.Each(ctx, func(r *sql.Rows) error { return scan(r) }, query, args...)
}

// Answers waits for the rows of all that was asked.
func (t *Tx) Answers(ctx context.Context) error {
	if !t.pipelined || t.failed == nil && len(t.queued) == 0 {
		return nil
	}
	return t.flush(ctx)
}

// amongMax is how many values one statement of Among names.
const amongMax = 256

// Among runs query, in which "(?)" stands for a list of values, as often as the
// number of values needs, and calls scan for every row. No values, no query.
// Placeholders of the query itself are those of before, and stand before the list.
func (t *Tx) Among(ctx context.Context, scan func(*sql.Rows) error, query string, values []any, before ...any) error {
	return t.among(query, values, before, func(text string, args []any) error { return t.Each(ctx, scan, text, args...) })
}

// AskAmong is Among as Ask is Each.
func (t *Tx) AskAmong(ctx context.Context, scan func(Row) error, query string, values []any, before ...any) error {
	return t.among(query, values, before, func(text string, args []any) error { return t.Ask(ctx, scan, text, args...) })
}

// LaterAmong is Later with "(?)" in the query standing for a list of values. No
// values, no statement.
func (t *Tx) LaterAmong(ctx context.Context, query string, values []any, before ...any) error {
	return t.among(query, values, before, func(text string, args []any) error { return t.Later(ctx, text, args...) })
}

func (t *Tx) among(query string, values, before []any, run func(text string, args []any) error) error {
	for len(values) > 0 {
		n := min(len(values), amongMax)
		list := padded(values[:n])
		text := strings.Replace(query, "(?)", t.placeholders(1+len(before), len(list)), 1)
		if err := run(text, slices.Concat(before, list)); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// padded repeats the last value up to a power of two, so that few different
// texts are prepared.
func padded(values []any) []any {
	size := 1
	for size < len(values) {
		size *= 2
	}
	list := make([]any, size)
	for i := range list {
		list[i] = values[min(i, len(values)-1)]
	}
	return list
}

// placeholders is "($from,$from+1,…)" with n parts, or "(?,?,…)" on SQLite,
// which looks a numbered one up among all before it.
func (t *Tx) placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte("(,"[min(i, 1)])
		if t.Dialect == SQLite {
			b.WriteByte('?')
			continue
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	b.WriteByte(')')
	return b.String()
}

// Rows are many rows for one table. Into ends before VALUES, Then follows the
// rows ("ON CONFLICT …") and may be empty. All rows have the same length.
type Rows struct {
	Into, Then string
	Values     [][]any
}

// variablesMax keeps a statement below both engines' limits (32,766 and 65,535).
const variablesMax = 8000

// Insert writes rows, Later, with few statements, whose texts depend only on a
// few sizes.
func (t *Tx) Insert(ctx context.Context, r Rows) error {
	for rest := r.Values; len(rest) > 0; {
		n := 256
		for n > len(rest) || n > 1 && n*len(rest[0]) > variablesMax {
			n /= 2
		}
		if err := t.Later(ctx, t.insertion(r, n), flat(rest[:n])...); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// Later runs a statement of which nothing but its effect is wanted: at once on
// SQLite; on PostgreSQL together with the next other statement or the commit,
// in one round trip, which then returns its error.
func (t *Tx) Later(ctx context.Context, query string, args ...any) error {
	if t.pipelined {
		t.queue(waiting{text: query, args: args})
		return nil
	}
	if _, err := t.on.ExecContext(t.span(ctx), query, args...); err != nil {
		return fmt.Errorf("%s: %w", beginning(query), err)
	}
	return nil
}

// beginning is enough of a statement to know it by.
func beginning(query string) string {
	begin, _, _ := strings.Cut(query, "(")
	return strings.TrimSpace(begin[:min(len(begin), 80)])
}

// insertion is the statement for n rows.
func (t *Tx) insertion(r Rows, n int) string {
	var b strings.Builder
	b.WriteString(r.Into + " VALUES ")
	columns := len(r.Values[0])
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.placeholders(1+i*columns, columns))
	}
	if r.Then != "" {
		b.WriteString(" " + r.Then)
	}
	return b.String()
}

func flat(rows [][]any) []any {
	var all []any
	for _, r := range rows {
		all = append(all, r...)
	}
	return all
}

// Savepoint runs fn such that its failure undoes what it wrote and nothing
// else, and is returned. The transaction goes on.
func (t *Tx) Savepoint(ctx context.Context, name string, fn func() error) error {
	name = `"` + strings.ReplaceAll(name, `"`, "") + `"`
	if err := t.Later(ctx, "SAVEPOINT "+name); err != nil {
		return fmt.Errorf("savepoint %s: %w", name, err)
	}
	failed := fn()
	if err := t.flush(ctx); failed == nil {
		failed = err
	}
	failpoint.Hit(failpoint.TxSavepoint)
	if failed != nil {
		t.failed = nil
		if _, err := t.on.ExecContext(t.span(ctx), "ROLLBACK TO SAVEPOINT "+name); err != nil {
			t.failed = fmt.Errorf("roll back to %s after %w: %w", name, failed, err)
			return t.failed
		}
	}
	if err := t.Later(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return fmt.Errorf("release %s: %w", name, err)
	}
	return failed
}

// Now is the database's clock in whole microseconds, UTC: on PostgreSQL the
// server's at this moment, not at the transaction's begin.
func (t *Tx) Now(ctx context.Context) (time.Time, error) {
	if t.Dialect == SQLite {
		return t.now().UTC().Truncate(time.Microsecond), nil
	}
	var µs int64
	err := t.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&µs)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock: %w", err)
	}
	return time.UnixMicro(µs).UTC(), nil
}

package appends

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/control"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/view"
)

// counts are how many submit at once.
func counts() []int { return []int{1, 64, 512} }

// releases is how many of them facts are spread over where they are not local.
const releases = 200_000

// What is measured, by which the tables find it.
const (
	growing   = "raw, growing file"
	allocated = "raw, allocated file"
	tiles     = "tessera"
	bare      = " without views"
	views     = " with views"
	spreading = " spread"
	oneOf     = "1 replica"
	threeOf   = "3 replicas"
)

// house is what the cases stand in.
type house struct {
	o    measure.Options
	pg   *measure.Server // nil: no PostgreSQL is measured
	open closers
}

// Measure holds journal.Append beside its peers.
func Measure(ctx context.Context, o measure.Options) (tables []measure.Table, aims []measure.Aim, err error) {
	h := &house{o: o}
	defer func() { err = errors.Join(err, h.open.Close()) }()
	if o.Postgres != "" {
		if h.pg, err = measure.NewServer(ctx, o.Postgres); err != nil {
			return nil, nil, err
		}
	}
	cases, err := h.peers(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, kind := range h.stores() {
		for _, variant := range []string{bare, views, spreading} {
			more, err := h.journalled(ctx, kind, variant)
			if err != nil {
				return nil, nil, err
			}
			cases = append(cases, more...)
		}
	}
	r, err := measure.Rounds(ctx, o, cases)
	if err != nil {
		return nil, nil, err
	}
	tables, aims = append(tables, h.table(r)), h.aims(r)
	if h.pg == nil {
		return tables, aims, nil
	}
	if err := h.open.Close(); err != nil {
		return nil, nil, err
	}
	t, aim, err := h.replicas(ctx)
	return append(tables, t), append(aims, aim), err
}

func (h *house) stores() []string {
	if h.pg == nil {
		return []string{store.SQLite.String()}
	}
	return []string{store.SQLite.String(), store.Postgres.String()}
}

func named(what string, n int) string { return fmt.Sprintf("%s/%d", what, n) }

func self() (time.Duration, error) { return measure.Self(), nil }

func (h *house) load(name string, all []submitter, used func() (time.Duration, error)) measure.Case {
	return measure.Case{Name: name, Run: func(ctx context.Context) (measure.Sample, error) { return submit(ctx, h.o.Budget, all, used) }}
}

// peers are the raw files and Tessera.
func (h *house) peers(ctx context.Context) (cases []measure.Case, err error) {
	limit := int64(256 << 20)
	if h.o.Smoke {
		limit = 4 << 20
	}
	for name, limit := range map[string]int64{growing: 0, allocated: limit} {
		for _, n := range counts() {
			r, err := openRaw(h.o.Dir, fmt.Sprintf("raw-%d-%d", limit, n), limit)
			if err != nil {
				return nil, err
			}
			h.open.add(r.Close)
			cases = append(cases, h.load(named(name, n), r.submitters(n), self))
		}
	}
	for _, n := range counts() {
		dir := filepath.Join(h.o.Dir, fmt.Sprint("tessera-", n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		life, end := context.WithCancel(context.WithoutCancel(ctx))
		t, err := openTile(life, dir, n)
		if err != nil {
			end()
			return nil, err
		}
		h.open.add(func() error { defer end(); return t.close(life) })
		cases = append(cases, h.load(named(tiles, n), t.submitters(n), self))
	}
	return cases, nil
}

// journalled are the cases of one store and variant, on one database.
func (h *house) journalled(ctx context.Context, kind, variant string) (cases []measure.Case, err error) {
	at, used, err := h.place(ctx, kind, kind+variant)
	if err != nil {
		return nil, err
	}
	j, err := h.journal(ctx, at, variant == views)
	if err != nil {
		return nil, err
	}
	for _, n := range counts() {
		s := local(fmt.Sprint("local-", n))
		if variant == spreading {
			s = spread(fmt.Sprint("spread-", n), releases, n)
		}
		cases = append(cases, h.load(named(kind+variant, n), pipelines(j, s, n), used))
	}
	return cases, nil
}

// place is a fresh database, and what it costs to use it.
func (h *house) place(ctx context.Context, kind, name string) (at store.Options, used func() (time.Duration, error), err error) {
	if kind == store.SQLite.String() {
		return store.Options{Data: filepath.Join(h.o.Dir, name)}, self, nil
	}
	url, drop, err := h.pg.Database(ctx)
	if err != nil {
		return at, nil, err
	}
	h.open.add(drop)
	return store.Options{Database: url}, h.pg.CPU, nil
}

func (h *house) journal(ctx context.Context, at store.Options, folded bool) (*journal.Journal, error) {
	db, err := store.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	h.open.add(db.Close)
	secret, _, err := note.GenerateKey(rand.Reader, "bench.example")
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	o := journal.Options{DB: db, Shapes: control.Shapes(), Signer: signer}
	if folded {
		for _, f := range view.New(db).Folders() {
			o.Folders = append(o.Folders, f)
		}
	}
	j, err := journal.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	h.open.add(j.Close)
	return j, nil
}

func (h *house) table(r measure.Results) measure.Table {
	t := measure.Table{
		Name: "append", Head: []string{"what", "submitters", "facts/s", "p50", "p99", "processor time", "of raw", "of Tessera"},
		Text: "Raw is the growing file; local facts are of releases that are opened, amended four times and left, spread ones of any of 200,000 releases.",
	}
	for _, n := range counts() {
		row := func(what, name string) {
			at := named(name, n)
			t.Add(what, fmt.Sprint(n), measure.Count(r.Median(at, measure.Rate)), measure.Millis(r.Median(at, measure.P50)), measure.Millis(r.Median(at, measure.P99)),
				measure.Micros(r.Median(at, measure.Cost)), measure.Percent(r.Ratio(at, named(growing, n), measure.Rate)), measure.Times(r.Ratio(at, named(tiles, n), measure.Rate)))
		}
		row("raw append and fdatasync, growing file", growing)
		row("raw append and fdatasync, allocated file", allocated)
		row("Tessera, POSIX driver", tiles)
		for _, kind := range h.stores() {
			row("journal, "+title(kind)+", views folded, local", kind+views)
			row("journal, "+title(kind)+", no views, local", kind+bare)
			row("journal, "+title(kind)+", no views, spread", kind+spreading)
		}
	}
	return t
}

func title(kind string) string {
	if kind == store.SQLite.String() {
		return measure.Store(store.SQLite)
	}
	return measure.Store(store.Postgres)
}

func (h *house) aims(r measure.Results) (all []measure.Aim) {
	beside := func(what, wanted, kind string, n int, of string, least float64, words func(float64) string) {
		got, without := r.Ratio(named(kind+views, n), named(of, n), measure.Rate), r.Ratio(named(kind+bare, n), named(of, n), measure.Rate)
		all = append(all, measure.Aim{
			What: fmt.Sprintf("append, %s, %d submitting, beside %s", title(kind), n, what), Wanted: wanted,
			Got: words(got) + "; without views " + words(without), Met: got >= least,
		})
	}
	for _, kind := range h.stores() {
		least := map[string]float64{store.SQLite.String(): 0.8, store.Postgres.String(): 0.45}[kind]
		beside("raw append", measure.Percent(least)+" of its rate", kind, 1, growing, least, measure.Percent)
		beside("Tessera", "its rate", kind, 64, tiles, 1, measure.Times)
		if kind == store.Postgres.String() {
			beside("Tessera", "its rate", kind, 512, tiles, 1, measure.Times)
		}
	}
	return all
}

// replicas are one journal, and three that share a database, with 64 submitters each.
func (h *house) replicas(ctx context.Context) (t measure.Table, aim measure.Aim, err error) {
	const each = 64
	var cases []measure.Case
	for name, n := range map[string]int{oneOf: 1, threeOf: 3} {
		at, used, err := h.place(ctx, store.Postgres.String(), name)
		if err != nil {
			return t, aim, err
		}
		var all []submitter
		for i := range n {
			j, err := h.journal(ctx, at, true)
			if err != nil {
				return t, aim, err
			}
			all = append(all, pipelines(j, local(fmt.Sprint("replica-", i)), each)...)
		}
		cases = append(cases, h.load(name, all, used))
	}
	r, err := measure.Rounds(ctx, h.o, cases)
	if err != nil {
		return t, aim, err
	}
	t = measure.Table{Name: "replicas", Head: []string{"PostgreSQL, views folded", "facts/s", "p50", "p99", "processor time", "of one"}}
	for _, row := range [][2]string{{"one journal, 64 submitters", oneOf}, {"three journals on one database, 64 submitters each", threeOf}} {
		t.Add(row[0], measure.Count(r.Median(row[1], measure.Rate)), measure.Millis(r.Median(row[1], measure.P50)), measure.Millis(r.Median(row[1], measure.P99)),
			measure.Micros(r.Median(row[1], measure.Cost)), measure.Percent(r.Ratio(row[1], oneOf, measure.Rate)))
	}
	share := r.Ratio(threeOf, oneOf, measure.Rate)
	return t, measure.Aim{What: "three replicas on one PostgreSQL beside one", Wanted: "90 %", Got: measure.Percent(share), Met: share >= 0.9}, nil
}

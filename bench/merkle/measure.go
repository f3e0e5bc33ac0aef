// Package merkle measures proofs: made by the journal out of its own table, at ten
// million facts, beside Go's tlog over the same tree in memory; and checked, one by
// one and as a whole export, by the code that outsiders use.
package merkle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"signalbox.dev/signalbox/bench/house"
	"signalbox.dev/signalbox/bench/measure"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/verify"
)

// What is measured, by which the tables find it.
const (
	inclusion = "inclusion"
	growth    = "growth"
	memory    = "memory"
	checked   = "checked"
	exported  = "exported"
	verified  = "verified"
)

// bench is what runs while the cases do.
type bench struct {
	o      measure.Options
	pg     *measure.Server
	leaves int64
	ends   []func() error
	cases  []measure.Case
	chance *rand.Rand
}

// Measure measures proofs and their verification.
func Measure(ctx context.Context, o measure.Options) (tables []measure.Table, aims []measure.Aim, err error) {
	b := &bench{o: o, leaves: 10_000_000, chance: rand.New(rand.NewPCG(1, 2))}
	if o.Smoke {
		b.leaves = 3000
	}
	defer func() {
		for _, end := range slices.Backward(b.ends) {
			err = errors.Join(err, end())
		}
	}()
	if o.Postgres != "" {
		if b.pg, err = measure.NewServer(ctx, o.Postgres); err != nil {
			return nil, nil, err
		}
	}
	if err := b.proofs(ctx); err != nil {
		return nil, nil, err
	}
	export, err := b.export(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := measure.Rounds(ctx, o, b.cases)
	if err != nil {
		return nil, nil, err
	}
	return []measure.Table{b.proofTable(r), verifyTable(r, export)}, b.aims(r), nil
}

// proofs prepares the tree and what is asked of it.
func (b *bench) proofs(ctx context.Context) error {
	tree, err := grow(b.leaves)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(b.leaves, &tree)
	if err != nil {
		return err
	}
	head := verify.Head{Origin: "bench.example", Size: uint64(b.leaves), Root: root}
	b.cases = append(b.cases,
		b.o.Loop(inclusion+memory, func() error { _, err := tlog.ProveRecord(b.leaves, b.position(), &tree); return err }),
		b.o.Loop(growth+memory, func() error { _, err := tlog.ProveTree(b.leaves, 1+b.position(), &tree); return err }))
	for _, kind := range b.stores() {
		if err := b.planted(ctx, kind, tree, head); err != nil {
			return err
		}
	}
	at := b.leaves / 3
	proof, err := tlog.ProveRecord(b.leaves, at, &tree)
	if err != nil {
		return err
	}
	entry := verify.Entry{Position: uint64(at), Leaf: tree[tlog.StoredHashIndex(0, at)]}
	b.cases = append(b.cases, b.o.Loop(checked, func() error { return verify.Inclusion(head, entry, proof) }))
	return nil
}

func (b *bench) position() int64 { return b.chance.Int64N(b.leaves) }

func (b *bench) stores() []store.Dialect {
	if b.pg == nil {
		return []store.Dialect{store.SQLite}
	}
	return []store.Dialect{store.SQLite, store.Postgres}
}

// planted is the journal over the tree in one store. Its first proof is checked.
func (b *bench) planted(ctx context.Context, kind store.Dialect, tree stored, head verify.Head) error {
	at := store.Options{Data: filepath.Join(b.o.Dir, kind.String())}
	if kind == store.Postgres {
		url, drop, err := b.pg.Database(ctx)
		if err != nil {
			return err
		}
		b.ends = append(b.ends, drop)
		at.Database = url
	}
	from := time.Now()
	db, err := tree.plant(ctx, at, b.leaves)
	if err != nil {
		return err
	}
	b.o.Log("%s holds the hashes of %d facts after %s", kind, b.leaves, time.Since(from).Round(time.Second))
	b.ends = append(b.ends, db.Close)
	j, err := journal.Open(ctx, journal.Options{DB: db})
	if err != nil {
		return err
	}
	b.ends = append(b.ends, j.Close)
	position := b.position()
	proof, err := j.Prove(ctx, uint64(position), head.Size)
	if err != nil {
		return err
	}
	if err := verify.Inclusion(head, verify.Entry{Position: uint64(position), Leaf: tree[tlog.StoredHashIndex(0, position)]}, proof); err != nil {
		return fmt.Errorf("the proof that %s gives: %w", kind, err)
	}
	loop := func(name string, fn func() error) {
		c := b.o.Loop(name, fn)
		if kind == store.Postgres {
			c = b.counted(c)
		}
		b.cases = append(b.cases, c)
	}
	loop(inclusion+kind.String(), func() error { _, err := j.Prove(ctx, uint64(b.position()), head.Size); return err })
	loop(growth+kind.String(), func() error { _, err := j.ProveGrowth(ctx, uint64(1+b.position()), head.Size); return err })
	return nil
}

// counted adds what PostgreSQL's processes use to a case.
func (b *bench) counted(c measure.Case) measure.Case {
	return measure.Case{Name: c.Name, Run: func(ctx context.Context) (measure.Sample, error) {
		before, err := b.pg.Family()
		if err != nil {
			return measure.Sample{}, err
		}
		s, err := c.Run(ctx)
		if err != nil {
			return s, err
		}
		after, err := b.pg.Family()
		s.CPU += after - before
		return s, err
	}}
}

// export prepares a journal of real facts, and answers how long its export is.
func (b *bench) export(ctx context.Context) (size int, err error) {
	h, err := house.Open(ctx, store.Options{}, filepath.Join(b.o.Dir, "house"))
	if err != nil {
		return 0, err
	}
	b.ends = append(b.ends, h.Close)
	releases := 5000
	if b.o.Smoke {
		releases = 10
	}
	if err := h.Ready(ctx, 0, releases); err != nil {
		return 0, err
	}
	if _, err := h.Journal.SignNow(ctx); err != nil {
		return 0, err
	}
	keys, err := verify.ParseKeys(h.Control.Keys.PublicText())
	if err != nil {
		return 0, err
	}
	var export bytes.Buffer
	if err := h.Journal.Export(ctx, &export); err != nil {
		return 0, err
	}
	report, err := verify.Export(ctx, bytes.NewReader(export.Bytes()), keys, nil)
	if err != nil {
		return 0, err
	}
	facts := float64(report.Facts)
	b.cases = append(b.cases,
		b.o.Bulk(exported, facts, func() error { var out bytes.Buffer; return h.Journal.Export(ctx, &out) }),
		b.o.Bulk(verified, facts, func() error {
			r, err := verify.Export(ctx, bytes.NewReader(export.Bytes()), keys, nil)
			if err == nil && r.Facts != report.Facts {
				err = fmt.Errorf("%d of %d facts are verified", r.Facts, report.Facts)
			}
			return err
		}))
	return export.Len() / int(report.Facts), nil
}

func (b *bench) proofTable(r measure.Results) measure.Table {
	t := measure.Table{
		Name: "proofs", Head: []string{fmt.Sprintf("at %s facts, one at a time, positions by chance", measure.Count(float64(b.leaves))), "proofs/s", "time", "processor time", "× tlog in memory"},
	}
	row := func(what, name, beside string) {
		rate := r.Median(name, measure.Rate)
		t.Add(what, measure.Count(rate), measure.Micros(1/rate), measure.Micros(r.Median(name, measure.Cost)), measure.Times(r.Ratio(beside, name, measure.Rate)))
	}
	for _, kind := range b.stores() {
		row("inclusion, journal on "+measure.Store(kind), inclusion+kind.String(), inclusion+memory)
	}
	row("inclusion, tlog in memory", inclusion+memory, inclusion+memory)
	for _, kind := range b.stores() {
		row("consistency, journal on "+measure.Store(kind), growth+kind.String(), growth+memory)
	}
	row("consistency, tlog in memory", growth+memory, growth+memory)
	return t
}

func verifyTable(r measure.Results, size int) measure.Table {
	t := measure.Table{Name: "verification", Head: []string{"one goroutine", "a second", "processor time each"}}
	t.Add("an inclusion proof checked", measure.Count(r.Median(checked, measure.Rate)), measure.Micros(r.Median(checked, measure.Cost)))
	each := fmt.Sprintf("a fact of an export (%s bytes a fact)", measure.Count(float64(size)))
	t.Add(each+" verified: leaf, versions, tree, checkpoints", measure.Count(r.Median(verified, measure.Rate)), measure.Micros(r.Median(verified, measure.Cost)))
	t.Add(each+" written, SQLite", measure.Count(r.Median(exported, measure.Rate)), measure.Micros(r.Median(exported, measure.Cost)))
	return t
}

func (b *bench) aims(r measure.Results) (all []measure.Aim) {
	for _, kind := range b.stores() {
		each := 1 / r.Median(inclusion+kind.String(), measure.Rate)
		all = append(all, measure.Aim{What: "inclusion proof at ten million facts, " + measure.Store(kind), Wanted: "under 50 µs", Got: measure.Micros(each), Met: each < 50e-6})
	}
	return all
}

package upkeep

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/journal"
	"signalbox.dev/signalbox/internal/state"
	"signalbox.dev/signalbox/internal/store"
	"signalbox.dev/signalbox/internal/view"
)

// Difference is one thing that does not stand as the facts make it.
type Difference struct {
	Table   string `json:"table"`
	Problem string `json:"problem"`
}

// Rebuilt is what a check or a rebuild has found.
type Rebuilt struct {
	Facts       uint64       `json:"facts"`
	Streams     int          `json:"streams"`
	Rows        int          `json:"rows"` // of views
	Differences []Difference `json:"differences"`
}

// differencesMax is how many differences are told; more are as good as all.
const differencesMax = 1000

// CheckRebuilt folds all states and views anew from the facts, into a scratch
// database in a temporary directory, and compares them with what stands, table
// by table, on one snapshot. It changes nothing.
func CheckRebuilt(ctx context.Context, j *journal.Journal, shapes []event.Shape, progress journal.Progress) (r Rebuilt, err error) {
	dir, err := os.MkdirTemp("", "signalbox-rebuild-")
	if err != nil {
		return r, fmt.Errorf("make a scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	scratch, err := store.Open(ctx, store.Options{Data: dir})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	cold, err := journal.Cold(shapes)
	if err != nil {
		return r, err
	}
	c := &comparison{cold: cold, folders: view.New(scratch).Folders(), progress: progress}
	c.Differences = []Difference{}
	// One transaction for all: what is folded need not outlast a crash.
	err = scratch.InTx(ctx, func(made *store.Tx) error {
		c.made = made
		return j.Walk(ctx, func(facts []event.Recorded, size uint64) error { return c.fold(ctx, facts, size) }, func(tx *store.Tx) error { return c.compare(ctx, tx) })
	})
	return c.Rebuilt, err
}

type comparison struct {
	Rebuilt
	made     *store.Tx // of the scratch database
	cold     *state.Cold
	folders  []view.Folder
	progress journal.Progress
}

// fold folds facts into states and, at the same time, into views.
func (c *comparison) fold(ctx context.Context, facts []event.Recorded, size uint64) error {
	var states error
	var folding sync.WaitGroup
	folding.Go(func() {
		for _, f := range facts {
			if states = c.cold.Add(f); states != nil {
				return
			}
		}
	})
	views := c.foldViews(ctx, facts)
	folding.Wait()
	c.Facts += uint64(len(facts))
	c.progress("fold anew", c.Facts, size)
	return errors.Join(states, views)
}

func (c *comparison) foldViews(ctx context.Context, facts []event.Recorded) error {
	for _, folder := range c.folders {
		if err := folder.Apply(ctx, c.made, facts); err != nil {
			return fmt.Errorf("fold view %s: %w", folder.Name(), err)
		}
	}
	return nil
}

func (c *comparison) say(table, format string, args ...any) {
	if len(c.Differences) < differencesMax {
		c.Differences = append(c.Differences, Difference{table, fmt.Sprintf(format, args...)})
	}
}

func (c *comparison) compare(ctx context.Context, tx *store.Tx) error {
	wrong, err := c.cold.Compare(ctx, tx, differencesMax)
	if err != nil {
		return err
	}
	for _, w := range wrong {
		c.say("streams and keys", "%s", w)
	}
	c.Streams = c.cold.Streams()
	tables := []string{"view_notes"}
	for _, f := range c.folders {
		tables = append(tables, "view_"+f.Name())
		var position uint64
		err := tx.QueryRow(ctx, "SELECT position FROM views WHERE name = $1 AND stale = ''", f.Name()).Scan(&position)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read how far view %s goes: %w", f.Name(), err)
		}
		if position != c.Facts {
			c.say("views", "%s has followed %d of %d facts", f.Name(), position, c.Facts)
		}
	}
	slices.Sort(tables)
	for _, table := range tables {
		if err := c.table(ctx, tx, table); err != nil {
			return err
		}
	}
	return nil
}

// row is a row of a table as both stores have it.
type row struct {
	sum   [32]byte
	place string // for people: where its newest fact stands
}

func (c *comparison) table(ctx context.Context, tx *store.Tx, table string) error {
	stands, err := rows(ctx, tx, table)
	if err != nil {
		return err
	}
	made, err := rows(ctx, c.made, table)
	if err != nil {
		return err
	}
	c.Rows += len(made)
	for _, key := range slices.Sorted(maps.Keys(made)) {
		switch s, there := stands[key]; {
		case !there:
			c.say(table, "%s is missing; its facts make it, %s", key, made[key].place)
		case s.sum != made[key].sum:
			c.say(table, "%s is another than its facts make, %s", key, made[key].place)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(stands)) {
		if _, made := made[key]; !made {
			c.say(table, "%s stands, and no fact makes it, %s", key, stands[key].place)
		}
	}
	return nil
}

// rows is every row of a view's table, by its key: id, or view and position.
func rows(ctx context.Context, tx *store.Tx, table string) (map[string]row, error) {
	all := map[string]row{}
	err := tx.Each(ctx, func(r *sql.Rows) error {
		names, err := r.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(names))
		places := make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		if err := r.Scan(places...); err != nil {
			return err
		}
		key, one := rowOf(names, values)
		all[key] = one
		return nil
	}, "SELECT * FROM "+table)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	return all, nil
}

// rowOf is the key of a row and what it holds: each column, in the order of
// their names, which the engines need not share, with the lengths of both.
func rowOf(names []string, values []any) (string, row) {
	var id, view, position string
	var held []byte
	for _, i := range order(names) {
		text := textOf(values[i])
		switch names[i] {
		case "id":
			id = string(text)
		case "view":
			view = string(text)
		case "position":
			position = string(text)
		}
		held = binary.AppendUvarint(held, uint64(len(names[i])))
		held = append(held, names[i]...)
		held = binary.AppendUvarint(held, uint64(len(text)))
		held = append(held, text...)
	}
	if view != "" {
		id = view + " at " + position
	}
	return id, row{sha256.Sum256(held), "position " + position}
}

func order(names []string) []int {
	all := make([]int, len(names))
	for i := range all {
		all[i] = i
	}
	slices.SortFunc(all, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	return all
}

// textOf is a value as both engines have it.
func textOf(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	}
	return fmt.Append(nil, v)
}

// Rebuild folds all states and views anew from the facts and puts them in the
// place of those that stand.
func Rebuild(ctx context.Context, j *journal.Journal, progress journal.Progress) error {
	if err := j.RebuildStates(ctx, progress); err != nil {
		return err
	}
	views, err := j.Views(ctx)
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := j.Rebuild(ctx, v.Name, progress); err != nil {
			return err
		}
	}
	return nil
}

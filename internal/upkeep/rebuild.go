package upkeep

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

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
	c := &comparison{scratch: scratch, cold: cold, folders: view.New(scratch).Folders(), progress: progress}
	c.Differences = []Difference{}
	err = j.Walk(ctx, func(facts []event.Recorded, size uint64) error { return c.fold(ctx, facts, size) }, func(tx *store.Tx) error { return c.compare(ctx, tx) })
	return c.Rebuilt, err
}

type comparison struct {
	Rebuilt
	scratch  *store.DB
	cold     *state.Cold
	folders  []view.Folder
	progress journal.Progress
}

func (c *comparison) fold(ctx context.Context, facts []event.Recorded, size uint64) error {
	for _, f := range facts {
		if err := c.cold.Add(f); err != nil {
			return err
		}
	}
	err := c.scratch.InTx(ctx, func(tx *store.Tx) error {
		for _, folder := range c.folders {
			if err := folder.Apply(ctx, tx, facts); err != nil {
				return fmt.Errorf("fold view %s: %w", folder.Name(), err)
			}
		}
		return nil
	})
	c.Facts += uint64(len(facts))
	c.progress("fold anew", c.Facts, size)
	return err
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
	var made map[string]row
	err = c.scratch.ReadTx(ctx, func(tx *store.Tx) error {
		made, err = rows(ctx, tx, table)
		return err
	})
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

func rowOf(names []string, values []any) (string, row) {
	texts := map[string]string{}
	var parts []string
	for i, name := range names {
		text := fmt.Sprint(values[i])
		if b, bytes := values[i].([]byte); bytes {
			text = string(b)
		}
		texts[name] = text
		parts = append(parts, fmt.Sprintf("%s=%q", name, text))
	}
	slices.Sort(parts)
	key := texts["id"]
	if v := texts["view"]; v != "" {
		key = v + " at " + texts["position"]
	}
	return key, row{sha256.Sum256([]byte(strings.Join(parts, "\n"))), "position " + texts["position"]}
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

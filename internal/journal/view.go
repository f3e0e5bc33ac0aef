package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/failpoint"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/store"
)

// Folder folds facts into the tables of one view, in the transaction that
// appends them and through it alone. Its tables are a function of the facts.
type Folder interface {
	Name() string                                                          // stable
	Number() int                                                           // raised when the tables would come out differently
	Apply(ctx context.Context, tx *store.Tx, facts []event.Recorded) error // in order, some or many
	Reset(ctx context.Context, tx *store.Tx) error                         // empties the tables
}

// ViewStatus says how far a view goes.
type ViewStatus struct {
	Name     string
	Number   int
	Position uint64 // facts folded
	Stale    string // why it does not follow, "" while it does
}

// statePrefix marks the rows of table views that are about a noun's fold number.
const statePrefix = "state/"

func checkFolders(folders []Folder) error {
	seen := map[string]bool{}
	for _, f := range folders {
		if f.Name() == "" || strings.HasPrefix(f.Name(), statePrefix) || seen[f.Name()] {
			return fmt.Errorf("view %q: its name is empty, reserved or used twice", f.Name())
		}
		seen[f.Name()] = true
	}
	return nil
}

// Views is the status of every view, by name.
func (j *Journal) Views(ctx context.Context) (all []ViewStatus, err error) {
	err = j.db.ReadTx(ctx, func(tx *store.Tx) error {
		rows, err := viewRows(ctx, tx)
		for _, f := range j.folders {
			v, ok := rows[f.Name()]
			if !ok {
				v = ViewStatus{Name: f.Name(), Number: f.Number(), Stale: "it has not been folded yet"}
			}
			all = append(all, v)
		}
		return err
	})
	return all, err
}

func viewRows(ctx context.Context, tx *store.Tx) (map[string]ViewStatus, error) {
	rows := map[string]ViewStatus{}
	err := askViews(ctx, tx, rows)
	if err == nil {
		err = tx.Answers(ctx)
	}
	return rows, err
}

func askViews(ctx context.Context, tx *store.Tx, rows map[string]ViewStatus) error {
	err := tx.Ask(ctx, func(r store.Row) error {
		var v ViewStatus
		err := r.Scan(&v.Name, &v.Number, &v.Position, &v.Stale)
		rows[v.Name] = v
		return err
	}, "SELECT name, number, position, stale FROM views")
	if err != nil {
		return fmt.Errorf("read the views' positions: %w", err)
	}
	return nil
}

func writeView(ctx context.Context, tx *store.Tx, v ViewStatus) error {
	err := tx.Later(ctx, `INSERT INTO views (name, number, position, stale) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET number = excluded.number, position = excluded.position, stale = excluded.stale`,
		v.Name, v.Number, int64(v.Position), v.Stale)
	if err != nil {
		return fmt.Errorf("write the position of view %s: %w", v.Name, err)
	}
	return nil
}

// foldViews folds a plan's facts into the views that stand just before them. A
// careful plan folds each behind a savepoint: one that fails is marked and left
// behind. It reports whether any is behind.
func (j *Journal) foldViews(ctx context.Context, tx *store.Tx, p *plan) (lagging bool, err error) {
	var moved []any
	for _, f := range j.folders {
		v := p.views[f.Name()]
		if v.Number != f.Number() || v.Stale != "" || v.Position != p.head.size {
			lagging = lagging || v.Number <= f.Number()
			continue
		}
		if p.careful {
			err = tx.Savepoint(ctx, f.Name(), func() error { return apply(ctx, tx, f, p.facts) })
		} else {
			p.folding = true
			err = apply(ctx, tx, f, p.facts)
		}
		switch {
		case err == nil:
			moved = append(moved, f.Name())
		case !p.careful:
			return lagging, err
		default:
			j.log.Error("a view failed to follow", "view", f.Name(), "error", err)
			v.Stale, lagging = reason(err), true
			if err := writeView(ctx, tx, v); err != nil {
				return lagging, err
			}
		}
		failpoint.Hit(failpoint.ViewApplied)
	}
	err = tx.LaterAmong(ctx, "UPDATE views SET position = $1 WHERE name IN (?)", moved, int64(p.next()))
	if err != nil {
		return lagging, fmt.Errorf("write the positions of views: %w", err)
	}
	failpoint.Hit(failpoint.ViewMoved)
	return lagging, nil
}

// apply folds facts; a panic of the folder is an error.
func apply(ctx context.Context, tx *store.Tx, f Folder, facts []event.Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("view %s panicked: %v", f.Name(), p)
		}
	}()
	if err := f.Apply(ctx, tx, facts); err != nil {
		return fmt.Errorf("view %s: %w", f.Name(), err)
	}
	return nil
}

// reason is an error as text that both engines can keep.
func reason(err error) string {
	s := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "")
	return strings.ToValidUTF8(s[:min(len(s), 500)], "")
}

// rebuildChunk is how many facts a rebuild folds while it holds the head.
const rebuildChunk = 500

// Rebuild empties a view and folds all facts anew, while the journal goes on.
// Errors: fault NotFound for a name that no folder has.
func (j *Journal) Rebuild(ctx context.Context, name string, progress Progress) error {
	for _, f := range j.folders {
		if f.Name() != name {
			continue
		}
		err := j.db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := lockHead(ctx, tx); err != nil {
				return err
			}
			return writeView(ctx, tx, ViewStatus{Name: name, Number: f.Number(), Stale: "it is being rebuilt"})
		})
		if err != nil {
			return fmt.Errorf("rebuild %s: %w", name, err)
		}
		failpoint.Hit(failpoint.ViewMarked)
		return j.catchUp(ctx, f, progress)
	}
	return fault.New(fault.NotFound, "view.unknown", fmt.Sprintf("there is no view %q", name))
}

// catchUp folds what a view lacks, from the first fact where it is new, failed
// or of another number, until it follows again. A crash between two chunks
// leaves a view that is behind, from which the next start goes on.
func (j *Journal) catchUp(ctx context.Context, f Folder, progress Progress) error {
	for done := false; !done; {
		var v ViewStatus
		var total uint64
		err := j.db.InTx(ctx, func(tx *store.Tx) (err error) {
			v, total, err = catchUpChunk(ctx, tx, f)
			return err
		})
		if ctx.Err() != nil {
			return fmt.Errorf("fold view %s: %w", f.Name(), ctx.Err())
		}
		if err != nil {
			return errors.Join(fmt.Errorf("fold view %s: %w", f.Name(), err), j.markStale(ctx, f, err))
		}
		if done = v.Position >= total; !done || total > rebuildChunk {
			progress(f.Name(), v.Position, total)
		}
	}
	return nil
}

func catchUpChunk(ctx context.Context, tx *store.Tx, f Folder) (v ViewStatus, total uint64, err error) {
	h, err := lockHead(ctx, tx)
	if err != nil {
		return v, 0, err
	}
	rows, err := viewRows(ctx, tx)
	if err != nil {
		return v, 0, err
	}
	v, known := rows[f.Name()]
	switch {
	case known && v.Number > f.Number():
		v.Position = h.size // a newer program keeps it
		return v, h.size, nil
	case !known || v.Number < f.Number() || v.Stale != "":
		v = ViewStatus{Name: f.Name(), Number: f.Number()}
		if err := f.Reset(ctx, tx); err != nil {
			return v, 0, fmt.Errorf("reset: %w", err)
		}
		failpoint.Hit(failpoint.ViewReset)
	case v.Position == h.size:
		return v, h.size, nil
	}
	facts, err := page(ctx, tx, v.Position, rebuildChunk)
	if err != nil {
		return v, 0, err
	}
	if err := apply(ctx, tx, f, facts); err != nil {
		return v, 0, err
	}
	failpoint.Hit(failpoint.ViewChunk)
	v.Position += uint64(len(facts))
	return v, h.size, writeView(ctx, tx, v)
}

// markStale says in the table that a view does not follow, and why.
func (j *Journal) markStale(ctx context.Context, f Folder, why error) error {
	return j.db.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if _, err := lockHead(ctx, tx); err != nil {
			return err
		}
		return writeView(ctx, tx, ViewStatus{Name: f.Name(), Number: f.Number(), Stale: reason(why)})
	})
}

// catchUpAll brings every view up to the head, and reports whether all are.
func (j *Journal) catchUpAll(ctx context.Context) bool {
	all := true
	for _, f := range j.folders {
		if err := j.catchUp(ctx, f, j.progress); err != nil && ctx.Err() == nil {
			j.log.Error("a view cannot be folded and is shown as stale", "view", f.Name(), "error", err)
			all = false
		}
	}
	return all && ctx.Err() == nil
}

// lag wakes keepViews.
func (j *Journal) lag() {
	select {
	case j.lagging <- struct{}{}:
	default:
	}
}

// keepViews catches up views that have fallen behind; while one fails it waits
// longer each time, from a second to five minutes.
func (j *Journal) keepViews(ctx context.Context) {
	const shortest, longest = time.Second, 5 * time.Minute
	wait := shortest
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.lagging:
		}
		if j.catchUpAll(ctx) {
			wait = shortest
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
		j.lag()
	}
}

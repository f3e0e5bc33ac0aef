package view

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/store"
)

// batch is facts being folded into a shelf: entries are read once, folded in
// memory and written once, however many facts are about them.
type batch[S any] struct {
	shelf   shelf[S]
	ids     []string // of the things that facts are about, in the order of their first fact
	entries map[string]*open
	notes   []noted
}

// open is an entry being folded.
type open struct {
	row
	known   bool // there is a row
	changed bool
}

// row is an Entry as it is stored. Its state stays as the fold writes it.
type row struct {
	State json.RawMessage `json:"state"`
	First Mark            `json:"first"`
	Last  Mark            `json:"last"`
}

// text is the row in JSON, without a state that it borrows. encoding/json would
// look through the state once more.
func (r row) text(borrows bool) ([]byte, error) {
	if borrows {
		return json.Marshal(row{First: r.First, Last: r.Last})
	}
	marks, err := json.Marshal(struct {
		First Mark `json:"first"`
		Last  Mark `json:"last"`
	}{r.First, r.Last})
	return slices.Concat([]byte(`{"state":`), r.State, []byte(","), marks[min(1, len(marks)):]), err
}

// taken is a fact, and the id of the thing that it is about.
type taken struct {
	event.Recorded
	id string
}

// noted is the private fields of a fact; nil where it has none.
type noted struct {
	id       string
	kind     event.Kind
	position uint64
	fields   []byte
}

func (s shelf[S]) apply(ctx context.Context, tx *store.Tx, facts []event.Recorded) error {
	b := &batch[S]{shelf: s, entries: map[string]*open{}}
	var mine []taken
	for _, f := range facts {
		id, ours := s.take(f)
		if ours && b.entries[id] == nil {
			b.entries[id] = &open{}
			b.ids = append(b.ids, id)
		}
		if ours || f.Kind == event.FieldsDisposed && len(s.notes) > 0 {
			mine = append(mine, taken{f, id})
		}
	}
	if len(mine) == 0 {
		return nil
	}
	if err := b.load(ctx, tx); err != nil {
		return err
	}
	for _, f := range mine {
		if err := b.fold(ctx, tx, f); err != nil {
			return fmt.Errorf("fact %d (%s): %w", f.Position, f.Kind, err)
		}
	}
	if err := b.save(ctx, tx); err != nil {
		return err
	}
	return b.annotate(ctx, tx)
}

// load reads the entries that there are.
func (b *batch[S]) load(ctx context.Context, tx *store.Tx) error {
	ids := make([]any, len(b.ids))
	for i, id := range b.ids {
		ids[i] = id
	}
	err := tx.AskAmong(ctx, func(r store.Row) error {
		var id string
		var text []byte
		err := r.Scan(&id, &text)
		if err != nil {
			return err
		}
		e := b.entries[id]
		e.known = true
		e.row, err = event.Decode[row](text)
		return err
	}, "SELECT id, entry FROM view_"+b.shelf.name+" WHERE id IN (?)", ids)
	if err == nil {
		err = tx.Answers(ctx)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", b.shelf.name, err)
	}
	return nil
}

// fold folds a fact into its entry, unless the entry has seen it already.
func (b *batch[S]) fold(ctx context.Context, tx *store.Tx, one taken) error {
	f, id := one.Recorded, one.id
	if f.Kind == event.FieldsDisposed {
		return b.dispose(ctx, tx, f)
	}
	e := b.entries[id]
	if (e.known || e.changed) && e.Last.Position >= f.Position {
		return nil
	}
	mark := Mark{Position: f.Position, At: f.Time, By: f.Actor}
	if !e.known && !e.changed {
		e.First = mark
	}
	var err error
	if e.State, err = b.shelf.fold(e.State, f); err != nil {
		return err
	}
	e.Last, e.changed = mark, true
	return b.note(id, f)
}

// note keeps the private fields of a fact in place of those of the fact of its kind before.
func (b *batch[S]) note(id string, f event.Recorded) error {
	if !slices.Contains(b.shelf.notes, f.Kind) {
		return nil
	}
	fields, err := f.Private()
	if err != nil {
		return err
	}
	n := noted{id: id, kind: f.Kind, position: f.Position}
	if len(fields) > 0 {
		if n.fields, err = json.Marshal(fields); err != nil {
			return err
		}
	}
	b.notes = slices.DeleteFunc(b.notes, func(before noted) bool { return before.id == n.id && before.kind == n.kind })
	b.notes = append(b.notes, n)
	return nil
}

// dispose drops the notes of the facts whose private fields went.
func (b *batch[S]) dispose(ctx context.Context, tx *store.Tx, f event.Recorded) error {
	var d event.Disposed
	if err := f.Body(&d); err != nil {
		return err
	}
	var positions []any
	for _, p := range d.Positions {
		positions = append(positions, int64(p))
		for i := range b.notes {
			if b.notes[i].position == p {
				b.notes[i].fields = nil
			}
		}
	}
	return tx.LaterAmong(ctx, "DELETE FROM view_notes WHERE view = $1 AND position IN (?)", positions, b.shelf.name)
}

// save writes the entries that have changed.
func (b *batch[S]) save(ctx context.Context, tx *store.Tx) error {
	s := b.shelf
	names, update := "id, position, entry", "entry = excluded.entry"
	for _, c := range s.columns {
		names += ", " + c
		update += ", " + c + " = excluded." + c
	}
	rows := store.Rows{Into: "INSERT INTO view_" + s.name + " (" + names + ")", Then: "ON CONFLICT (id) DO UPDATE SET " + update}
	for _, id := range b.ids {
		e := b.entries[id]
		if !e.changed {
			continue
		}
		text, err := e.text(s.borrows)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", s.name, id, err)
		}
		values := []any{id, int64(e.First.Position), text}
		if s.values != nil {
			columns, err := s.values(e.State)
			if err != nil {
				return fmt.Errorf("columns of %s %s: %w", s.name, id, err)
			}
			values = append(values, columns...)
		}
		rows.Values = append(rows.Values, values)
	}
	if err := tx.Insert(ctx, rows); err != nil {
		return fmt.Errorf("write %s: %w", s.name, err)
	}
	return nil
}

// annotate writes the notes, those of a kind in place of what there was.
func (b *batch[S]) annotate(ctx context.Context, tx *store.Tx) error {
	rows := store.Rows{Into: "INSERT INTO view_notes (view, position, id, kind, fields)"}
	replaced := map[event.Kind][]any{}
	for _, n := range b.notes {
		if b.entries[n.id].known {
			replaced[n.kind] = append(replaced[n.kind], n.id)
		}
		if n.fields != nil {
			rows.Values = append(rows.Values, []any{b.shelf.name, int64(n.position), n.id, string(n.kind), n.fields})
		}
	}
	for _, kind := range b.shelf.notes {
		err := tx.LaterAmong(ctx, "DELETE FROM view_notes WHERE view = $1 AND kind = $2 AND id IN (?)", replaced[kind], b.shelf.name, string(kind))
		if err != nil {
			return fmt.Errorf("replace notes of %s: %w", b.shelf.name, err)
		}
	}
	if err := tx.Insert(ctx, rows); err != nil {
		return fmt.Errorf("write notes of %s: %w", b.shelf.name, err)
	}
	return nil
}

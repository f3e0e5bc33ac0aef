// Package view knows the tables behind screens: lists, pages and searches of
// what the journal recorded, and who is meant by an id.
//
// It folds with the nouns' own shapes and leaves every rule to them; no
// decision rests on a view. Its invariant: the tables are a function of the
// facts alone, so that a view built anew equals the one that followed; and what
// was disposed of in the journal is in no table.
package view

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/activation"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/release"
	"signalbox.dev/signalbox/internal/store"
)

// Entry is one thing as a view shows it: its folded state, and the first and
// the newest fact about it.
type Entry[S any] struct {
	ID    string `json:"-"`
	State S      `json:"state"`
	First Mark   `json:"first"`
	Last  Mark   `json:"last"`
	Notes []Note `json:"-"` // private fields of the kinds that the view keeps, oldest first
}

// Mark is where, when and by whom a fact was recorded.
type Mark struct {
	Position uint64       `json:"position"`
	At       event.Micros `json:"at"`
	By       string       `json:"by"` // "person/<id>", "machine/<id>" or "system/<part>"
}

// Note is the private fields of the newest fact of a kind.
type Note struct {
	Kind     event.Kind
	Position uint64
	Fields   map[string]string
}

// Noted is a private field of the newest fact of a kind; "" where there is none any more.
func (e Entry[S]) Noted(kind event.Kind, field string) string {
	for _, n := range e.Notes {
		if n.Kind == kind {
			return n.Fields[field]
		}
	}
	return ""
}

// Views answers queries.
type Views struct {
	db *store.DB

	releases     shelf[release.State]
	decisions    shelf[release.Decision]
	people       shelf[access.Person]
	freezes      shelf[calendar.Freeze]
	deployments  shelf[release.Deployment]
	permits      shelf[release.Permit]
	tokens       shelf[access.Token]
	machines     shelf[access.Machine]
	services     shelf[catalog.Service]
	environments shelf[catalog.Environment]
	activations  shelf[activation.Entry]
}

// New is the views of a database.
func New(db *store.DB) *Views {
	return &Views{
		db: db, releases: releases(), decisions: decisions(), people: people(), freezes: freezes(), deployments: deployments(),
		permits: permits(), tokens: tokens(), machines: machines(), services: services(), environments: environments(), activations: activations(),
	}
}

// Folder folds facts into the tables of one view: a journal.Folder.
type Folder struct {
	name   string
	number int
	apply  func(context.Context, *store.Tx, event.Recorded) error
	reset  func(context.Context, *store.Tx) error
}

// Name is the view's name.
func (f Folder) Name() string { return f.name }

// Number is raised when the tables would come out differently.
func (f Folder) Number() int { return f.number }

// Apply folds one fact.
func (f Folder) Apply(ctx context.Context, tx *store.Tx, r event.Recorded) error {
	return f.apply(ctx, tx, r)
}

// Reset empties the tables.
func (f Folder) Reset(ctx context.Context, tx *store.Tx) error { return f.reset(ctx, tx) }

// Folders is one folder for each view, for journal.Options.
func (v *Views) Folders() []Folder {
	return []Folder{
		v.releases.folder(), v.decisions.folder(), v.people.folder(), v.freezes.folder(), v.deployments.folder(), v.permits.folder(),
		v.tokens.folder(), v.machines.folder(), v.services.folder(), v.environments.folder(), v.activations.folder(),
	}
}

// shelf is one view: a table view_<name> with a row for each thing.
type shelf[S any] struct {
	name    string
	number  int
	take    func(f event.Recorded) (id string, mine bool)
	fold    func(s S, f event.Recorded) (S, error)
	columns []string // beside id, position and entry
	values  func(S) []any
	notes   []event.Kind // whose private fields are kept
}

func (s shelf[S]) folder() Folder { return Folder{s.name, s.number, s.apply, s.reset} }

func (s shelf[S]) reset(ctx context.Context, tx *store.Tx) error {
	if _, err := tx.Exec(ctx, "DELETE FROM view_"+s.name); err != nil {
		return fmt.Errorf("empty view %s: %w", s.name, err)
	}
	_, err := tx.Exec(ctx, "DELETE FROM view_notes WHERE view = $1", s.name)
	return err
}

func (s shelf[S]) apply(ctx context.Context, tx *store.Tx, f event.Recorded) error {
	if f.Kind == event.FieldsDisposed {
		return s.dispose(ctx, tx, f)
	}
	id, mine := s.take(f)
	if !mine {
		return nil
	}
	e, known, err := s.load(ctx, tx, id)
	if err != nil {
		return err
	}
	mark := Mark{Position: f.Position, At: f.Time, By: f.Actor}
	if known && e.Last.Position >= f.Position {
		return nil
	}
	if e.Last = mark; !known {
		e.ID, e.First = id, mark
	}
	if e.State, err = s.fold(e.State, f); err != nil {
		return err
	}
	if err := s.save(ctx, tx, e); err != nil {
		return err
	}
	return s.note(ctx, tx, id, f)
}

func (s shelf[S]) load(ctx context.Context, tx *store.Tx, id string) (e Entry[S], known bool, err error) {
	var b []byte
	err = tx.QueryRow(ctx, "SELECT entry FROM view_"+s.name+" WHERE id = $1", id).Scan(&b)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return e, false, nil
	case err != nil:
		return e, false, fmt.Errorf("read %s %s: %w", s.name, id, err)
	}
	e.ID = id
	err = json.Unmarshal(b, &e)
	return e, err == nil, err
}

func (s shelf[S]) save(ctx context.Context, tx *store.Tx, e Entry[S]) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", s.name, e.ID, err)
	}
	names, update := "id, position, entry", "entry = excluded.entry"
	row := []any{e.ID, int64(e.First.Position), b}
	if s.values != nil {
		row = append(row, s.values(e.State)...)
	}
	for _, c := range s.columns {
		names += ", " + c
		update += ", " + c + " = excluded." + c
	}
	return tx.Insert(ctx, store.Rows{
		Into: "INSERT INTO view_" + s.name + " (" + names + ")", Then: "ON CONFLICT (id) DO UPDATE SET " + update, Values: [][]any{row},
	})
}

// note keeps the private fields of a fact in place of those of the fact of its kind before.
func (s shelf[S]) note(ctx context.Context, tx *store.Tx, id string, f event.Recorded) error {
	if !slices.Contains(s.notes, f.Kind) {
		return nil
	}
	fields, err := f.Private()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM view_notes WHERE view = $1 AND id = $2 AND kind = $3", s.name, id, string(f.Kind)); err != nil {
		return fmt.Errorf("replace the notes of %s %s: %w", s.name, id, err)
	}
	if len(fields) == 0 {
		return nil
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO view_notes (view, position, id, kind, fields) VALUES ($1, $2, $3, $4, $5)",
		s.name, int64(f.Position), id, string(f.Kind), b)
	return err
}

// dispose drops the notes of the facts whose private fields went.
func (s shelf[S]) dispose(ctx context.Context, tx *store.Tx, f event.Recorded) error {
	var d event.Disposed
	if err := f.Body(&d); err != nil || len(s.notes) == 0 {
		return err
	}
	for _, p := range d.Positions {
		if _, err := tx.Exec(ctx, "DELETE FROM view_notes WHERE view = $1 AND position = $2", s.name, int64(p)); err != nil {
			return fmt.Errorf("dispose of notes at %d: %w", p, err)
		}
	}
	return nil
}

// folded is the fold of a view that shows streams as their noun folds them.
func folded[S any](shape event.Shape) func(S, event.Recorded) (S, error) {
	return func(s S, f event.Recorded) (S, error) {
		b, err := json.Marshal(s)
		if err != nil {
			return s, err
		}
		if b, err = shape.Fold(b, f); err != nil {
			return s, err
		}
		return event.Decode[S](b)
	}
}

// of takes the facts of a noun's streams.
func of(noun string) func(event.Recorded) (string, bool) {
	return func(f event.Recorded) (string, bool) { return f.Stream.ID(), f.Stream.Noun() == noun }
}

// shapeOf is a noun's shape among several.
func shapeOf(noun string, shapes []event.Shape) event.Shape {
	for _, s := range shapes {
		if s.Noun == noun {
			return s
		}
	}
	return event.Shape{Noun: noun, Fold: func([]byte, event.Recorded) ([]byte, error) {
		return nil, fault.New(fault.Internal, "view.shape", "no shape of "+noun)
	}}
}

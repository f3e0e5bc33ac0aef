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
	"fmt"

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
	apply  func(context.Context, *store.Tx, []event.Recorded) error
	reset  func(context.Context, *store.Tx) error
}

// Name is the view's name.
func (f Folder) Name() string { return f.name }

// Number is raised when the tables would come out differently.
func (f Folder) Number() int { return f.number }

// Apply folds facts, in order.
func (f Folder) Apply(ctx context.Context, tx *store.Tx, facts []event.Recorded) error {
	return f.apply(ctx, tx, facts)
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
	fold    func(state []byte, f event.Recorded) ([]byte, error) // JSON of S; nil before the first fact
	borrows bool                                                 // the state is the body of the fact at position: rows do not repeat it
	columns []string                                             // beside id, position and entry
	values  func(state []byte) ([]any, error)
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

// reading is columns made of a state, or of a part of it.
func reading[S any](values func(S) []any) func(state []byte) ([]any, error) {
	return func(state []byte) ([]any, error) {
		s, err := event.Decode[S](state)
		return values(s), err
	}
}

// raised is the number of a view that shows streams as their noun folds them:
// where the noun's fold is raised, the view is folded anew as well.
func raised(own int, shape event.Shape) int { return own + shape.Number - 1 }

// of takes the facts of a noun's streams.
func of(noun string) func(event.Recorded) (string, bool) {
	return func(f event.Recorded) (string, bool) { return f.Stream.ID(), f.Stream.Noun() == noun }
}

// folded is a noun's own fold, which the journal has mostly just done.
func folded(shape event.Shape) func([]byte, event.Recorded) ([]byte, error) {
	return func(state []byte, f event.Recorded) ([]byte, error) {
		if f.Folded != nil {
			return f.Folded, nil
		}
		return shape.Fold(state, f)
	}
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

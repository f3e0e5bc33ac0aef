// Package catalog knows what is governed: services, environments, teams and
// groups, and how they are described in a file. It leaves people's rights to
// access and the rules over scope to policy.
//
// Invariant: a thing that is not in the catalog is never given a tier, a kind
// or an owner by guessing; it is unknown, and the strictest rule governs it.
package catalog

import (
	"reflect"

	"signalbox.dev/signalbox/internal/event"
)

// Nouns of the catalog's streams.
const (
	ServiceNoun     = "service"
	EnvironmentNoun = "environment"
	TeamNoun        = "team"
	GroupNoun       = "group"
)

// Keys by which the catalog's streams are found by name.
const (
	ServiceName     = "service.name"
	EnvironmentName = "environment.name"
	TeamName        = "team.name"
	GroupName       = "group.name"
)

// Every listed kind of environment.
const (
	Production  = "production"
	Staging     = "staging"
	Test        = "test"
	Development = "development"
)

// Service is what is released. Tier is business criticality, 0 (highest) to 3.
type Service struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Tier        int      `json:"tier"`
	Team        string   `json:"team"`                   // name of the owning team
	Flags       []string `json:"flags,omitempty"`        // set by the owner, never inferred
	DataClasses []string `json:"data_classes,omitempty"` // personal, health, cardholder …
	Repository  string   `json:"repository,omitempty"`   // where the server can read its commits
	DependsOn   []string `json:"depends_on,omitempty"`   // names of services

	Components []Component `json:"components,omitempty"`
}

// Environment is where a release goes.
type Environment struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Region string `json:"region,omitempty"`
}

// Team owns services. Group is a set of persons that chains and rules name.
// Both hold no members: a person says where he or she belongs.
type Team struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Group is a set of persons that approval chains and freeze rules name.
type Group struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Purpose string `json:"purpose,omitempty"`
}

// Shapes are the folds of the catalog's streams: each fact describes the whole thing anew.
func Shapes() []event.Shape {
	return []event.Shape{
		shapeOf(ServiceNoun, event.ServiceDescribed, func(s Service) string { return s.Name }),
		shapeOf(EnvironmentNoun, event.EnvironmentDescribed, func(e Environment) string { return e.Name }),
		shapeOf(TeamNoun, event.TeamDescribed, func(t Team) string { return t.Name }),
		shapeOf(GroupNoun, event.GroupDescribed, func(g Group) string { return g.Name }),
	}
}

func shapeOf[T any](noun string, kind event.Kind, name func(T) string) event.Shape {
	return event.ShapeOf(noun, 1,
		func(t *T, f event.Recorded) error {
			if f.Kind != kind {
				return event.Unknown(f)
			}
			var described T
			if err := f.Body(&described); err != nil {
				return err
			}
			*t = described
			return nil
		},
		func(t T) []event.Key {
			return []event.Key{
				{Kind: event.Unique, Name: noun + ".name", Value: name(t)},
				{Kind: event.Lookup, Name: "catalog", Value: noun},
			}
		})
}

// Describe is the fact that describes a thing anew; none where it is the same as what stands.
func Describe[T Service | Environment | Team | Group](stands, wanted T) []event.Draft {
	if reflect.DeepEqual(stands, wanted) {
		return nil
	}
	var noun, id string
	var kind event.Kind
	switch w := any(wanted).(type) {
	case Service:
		noun, id, kind = ServiceNoun, w.ID, event.ServiceDescribed
	case Environment:
		noun, id, kind = EnvironmentNoun, w.ID, event.EnvironmentDescribed
	case Team:
		noun, id, kind = TeamNoun, w.ID, event.TeamDescribed
	case Group:
		noun, id, kind = GroupNoun, w.ID, event.GroupDescribed
	}
	return []event.Draft{{Stream: event.StreamOf(noun, id), Kind: kind, Body: wanted, Touches: []event.Stream{event.SetCatalog}}}
}

// Nearest is the known name most like an unknown one, for "did you mean"; "" where none is near.
func Nearest(unknown string, names []string) string {
	best, distance := "", 3
	for _, n := range names {
		if d := edits(unknown, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		left := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := left
			if a[i-1] != b[j-1] {
				cost++
			}
			left = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

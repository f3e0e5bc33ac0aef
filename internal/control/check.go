package control

import (
	"context"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/mandate"
	"signalbox.dev/signalbox/internal/policy"
)

// CheckRequest asks what is wrong with a bundle.
type CheckRequest struct {
	Files    []policy.File
	Coverage bool // also what its test cases exercise
}

// Checked is what was found. One that does not compile has neither results nor coverage.
type Checked struct {
	Digest   string
	Problems []policy.Problem
	Tests    []policy.TestResult
	Coverage *lint.Coverage
}

// CheckPolicy looks a bundle over beside the catalog, and runs its test cases.
// A problem or a failing test is an answer and no error. Nothing is recorded.
func (c *Control) CheckPolicy(ctx context.Context, r Request, q CheckRequest) (Checked, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return Checked{}, err
	}
	around, err := view(ctx, c, surroundings)
	if err != nil {
		return Checked{}, err
	}
	done := Checked{Digest: policy.Digest(q.Files), Problems: lint.Check(q.Files, around)}
	program, _ := policy.Compile(q.Files)
	if program == nil || ctx.Err() != nil {
		return done, ctx.Err()
	}
	done.Tests = program.Test()
	if q.Coverage && ctx.Err() == nil {
		found, err := lint.Cover(program)
		if err != nil {
			return done, err
		}
		done.Coverage = &found
	}
	return done, ctx.Err()
}

// surroundings are what lint asks of the catalog: services, environments, and
// who of those present is in which group.
func surroundings(l *Load) (lint.Options, error) {
	known, err := governed(l)
	if err != nil {
		return lint.Options{}, err
	}
	o := lint.Options{Services: known.Services, Places: known.Places, Members: map[string][]string{}, Now: known.Now}
	if err := l.Set(event.SetGrants); err != nil {
		return o, err
	}
	people, err := peekAll[access.Person](l, access.PersonAll, "present")
	for _, p := range people {
		for _, g := range p.Groups {
			o.Members[g] = append(o.Members[g], p.ID)
		}
	}
	return o, err
}

// governed are the services and environments of the catalog. Every change of
// the catalog touches its set.
func governed(l *Load) (mandate.Catalog, error) {
	c := mandate.Catalog{Services: []policy.Service{}, Now: l.Now}
	if err := l.Set(event.SetCatalog); err != nil {
		return c, err
	}
	services, err := peekAll[catalog.Service](l, "catalog", catalog.ServiceNoun)
	if err != nil {
		return c, err
	}
	for _, s := range services {
		c.Services = append(c.Services, policy.Service{Known: true, Name: s.Name, Tier: s.Tier, Team: s.Team, Flags: s.Flags, DataClasses: s.DataClasses})
	}
	places, err := peekAll[catalog.Environment](l, "catalog", catalog.EnvironmentNoun)
	for _, e := range places {
		c.Places = append(c.Places, policy.Environment{Known: true, Name: e.Name, Kind: e.Kind, Region: e.Region})
	}
	return c, err
}

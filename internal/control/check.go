package control

import (
	"context"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/lint"
	"signalbox.dev/signalbox/internal/mandate"
	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/prose"
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

// Compared is what changes its meaning between the bundle in force and another.
type Compared struct {
	From, To string // digests
	Changes  []prose.Change
}

// ComparePolicy says in words what would change if a bundle took the place of
// the one in force. Nothing is recorded.
func (c *Control) ComparePolicy(ctx context.Context, r Request, files []policy.File) (Compared, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return Compared{}, err
	}
	to, err := Compiled(files)
	if err != nil {
		return Compared{}, err
	}
	from, err := c.inForce(ctx)
	if err != nil {
		return Compared{}, err
	}
	changes, err := prose.Diff(from, to)
	return Compared{From: from.Digest(), To: to.Digest(), Changes: changes}, err
}

// FormatPolicy lays the files of a bundle out, whether it compiles or not.
// Nothing is recorded.
func (c *Control) FormatPolicy(r Request, files []policy.File) (prose.Laid, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return prose.Laid{}, err
	}
	return prose.Format(files)
}

// inForce is the bundle in force, or a Conflict where none is.
func (c *Control) inForce(ctx context.Context) (*policy.Program, error) {
	program, _, err := c.ActivePolicy(ctx)
	if err == nil && program == nil {
		err = fault.New(fault.Conflict, "policy.inactive", "no policy is in force").Remedy("activate one")
	}
	return program, err
}

// Described is a bundle as auditors read it.
type Described struct {
	Digest string
	prose.Document
	InWords prose.Document // the same, explained document by document
}

// DescribePolicy is a bundle as auditors read it: the one in force, which whoever
// may read may ask for, where files is nil. Nothing is recorded.
func (c *Control) DescribePolicy(ctx context.Context, r Request, files []policy.File) (Described, error) {
	need, find := access.Read, func() (*policy.Program, error) { return c.inForce(ctx) }
	if files != nil {
		need, find = access.Policy, func() (*policy.Program, error) { return Compiled(files) }
	}
	if err := r.Actor.May(need); err != nil {
		return Described{}, err
	}
	program, err := find()
	if err != nil {
		return Described{}, err
	}
	now, err := c.Now(ctx)
	if err != nil {
		return Described{}, err
	}
	d, err := prose.Describe(program, now)
	if err != nil {
		return Described{}, err
	}
	words, err := prose.Explain(program)
	return Described{program.Digest(), d, words}, err
}

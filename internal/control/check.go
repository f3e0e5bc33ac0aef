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

// Surroundings are what lint asks of the catalog: services, environments, and
// who of those present is in which group.
func (c *Control) Surroundings(ctx context.Context, r Request) (lint.Options, error) {
	if err := r.Actor.May(access.Policy); err != nil {
		return lint.Options{}, err
	}
	return view(ctx, c, surroundings)
}

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

// names are those of all services and environments of the catalog.
func names(l *Load) (services, environments []string, err error) {
	all, err := governed(l)
	for _, s := range all.Services {
		services = append(services, s.Name)
	}
	for _, e := range all.Places {
		environments = append(environments, e.Name)
	}
	return services, environments, err
}

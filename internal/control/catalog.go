package control

import (
	"context"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// Imported says what an import changed. Things that the file does not name stay.
type Imported struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
}

func (i *Imported) count(existed bool, drafts []event.Draft) []event.Draft {
	switch {
	case len(drafts) == 0:
		i.Same++
	case existed:
		i.Changed++
	default:
		i.Added++
	}
	return drafts
}

// importBatch keeps a command's facts well below the journal's bounds.
const importBatch = 200

// ImportCatalog reads a catalog file and appends the differences only. Granting
// roles takes the right to grant, describing takes the right to the catalog.
func (c *Control) ImportCatalog(ctx context.Context, r Request, file string, data []byte) (Imported, error) {
	var total Imported
	if err := r.Actor.May(access.Catalog); err != nil {
		return total, err
	}
	entries, err := catalog.Parse(file, data)
	if err == nil {
		err = entries.CheckRoles(access.Roles())
	}
	if err != nil {
		return total, err
	}
	if grants(entries) {
		if err := r.Actor.May(access.Grant); err != nil {
			return total, err
		}
	}
	for n, batch := range c.describing(entries, r.Actor) {
		one := r
		if r.Key != "" {
			one.Key = fmt.Sprintf("%s#%d", r.Key, n)
		}
		part, err := do(ctx, c, one, importContent{File: string(data), Part: n}, func(l *Load) ([]event.Draft, Imported, error) {
			var done Imported
			var drafts []event.Draft
			if err := l.Set(event.SetCatalog); err != nil {
				return nil, done, err
			}
			for _, describe := range batch {
				more, err := describe(l, &done)
				if err != nil {
					return nil, done, err
				}
				drafts = append(drafts, more...)
			}
			return drafts, done, nil
		})
		if err != nil {
			return total, err
		}
		total.Added, total.Changed, total.Same = total.Added+part.Added, total.Changed+part.Changed, total.Same+part.Same
	}
	return total, nil
}

type importContent struct {
	File string
	Part int
}

type describer func(l *Load, done *Imported) ([]event.Draft, error)

func grants(e catalog.Entries) bool {
	return slices.ContainsFunc(e.People, func(p catalog.Person) bool { return len(p.Roles) > 0 }) ||
		slices.ContainsFunc(e.Machines, func(m catalog.Machine) bool { return len(m.Roles) > 0 })
}

// describing is one describer for each entry, in batches.
func (c *Control) describing(e catalog.Entries, by access.Actor) [][]describer {
	var all []describer
	for _, t := range e.Teams {
		all = append(all, describe(catalog.TeamName, t.Name, t, func(t *catalog.Team) *string { return &t.ID }))
	}
	for _, g := range e.Groups {
		all = append(all, describe(catalog.GroupName, g.Name, g, func(g *catalog.Group) *string { return &g.ID }))
	}
	for _, n := range e.Environments {
		all = append(all, describe(catalog.EnvironmentName, n.Name, n, func(n *catalog.Environment) *string { return &n.ID }))
	}
	for _, s := range e.Services {
		all = append(all, describe(catalog.ServiceName, s.Name, s, func(s *catalog.Service) *string { return &s.ID }))
	}
	named := map[string]bool{}
	for _, p := range e.People {
		named[c.Keys.Pseudonym(handleKind, p.Handle)] = true
	}
	for _, p := range e.People {
		all = append(all, c.describePerson(p, by, named))
	}
	for _, m := range e.Machines {
		all = append(all, describeMachine(m))
	}
	return slices.Collect(slices.Chunk(all, importBatch))
}

func describe[T catalog.Service | catalog.Environment | catalog.Team | catalog.Group](key, name string, wanted T, id func(*T) *string) describer {
	return func(l *Load, done *Imported) ([]event.Draft, error) {
		stands, existed, err := readOne[T](l, key, name)
		if err != nil {
			return nil, err
		}
		wanted := wanted
		if *id(&wanted) = *id(&stands); !existed {
			*id(&wanted) = NewID()
		}
		return done.count(existed, catalog.Describe(stands, wanted)), nil
	}
}

// describePerson describes a person; named are the handles of all whom the file
// describes. Nobody gains a role or a group by describing themselves.
func (c *Control) describePerson(p catalog.Person, by access.Actor, named map[string]bool) describer {
	return func(l *Load, done *Imported) ([]event.Draft, error) {
		d := c.described(p)
		stands, existed, err := readOne[access.Person](l, access.PersonIdentity, c.Keys.Pseudonym(handleKind, p.Handle))
		if err != nil {
			return nil, err
		}
		if stands.Departed {
			return nil, fault.New(fault.Conflict, "access.departed", p.Handle+" has departed").
				Because("whoever left does not come back under the same account").Remedy("take the entry out of the file, or describe a new person").At(p.At)
		}
		if d.ID = stands.ID; !existed {
			d.ID = NewID()
		}
		if d.ID == by.Person() && (gains(stands.Roles, p.Roles) || gains(stands.Groups, p.Groups)) {
			return nil, fault.New(fault.Forbidden, "access.own-grant", "nobody gives themselves a role or a group").
				Because(p.Handle + " is whoever imports this file").Remedy("leave them out, or have another administrator import it")
		}
		drafts := stands.Describe(d)
		if len(drafts) > 0 {
			if err := c.unclaimed(l, p, d.ID, named); err != nil {
				return nil, err
			}
		}
		stands.ID = d.ID
		more, err := grantAll(p.Roles, stands.Grant)
		return done.count(existed, append(drafts, more...)), err
	}
}

// unclaimed refuses addresses that belong to somebody whom the file does not
// describe anew: one address, one human.
func (c *Control) unclaimed(l *Load, p catalog.Person, id string, named map[string]bool) error {
	for _, address := range p.Emails {
		holder, known, err := readOne[access.Person](l, access.PersonIdentity, c.Keys.Pseudonym(emailKind, address))
		if err != nil {
			return err
		}
		if known && holder.ID != id && !slices.ContainsFunc(holder.Identities, func(i string) bool { return named[i] }) {
			return fault.New(fault.Conflict, "catalog.address-taken", "the address "+address+" belongs to another person than "+p.Handle).
				Because("commits under it are his or hers").Remedy("leave it out, or describe its holder without it in the same file")
		}
	}
	return nil
}

// gains reports whether something is wanted that is not held.
func gains(held, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(held, w) })
}

func describeMachine(m catalog.Machine) describer {
	return func(l *Load, done *Imported) ([]event.Draft, error) {
		stands, existed, err := readOne[access.Machine](l, access.MachineName, m.Name)
		if err != nil {
			return nil, err
		}
		wanted := access.Machine{ID: stands.ID, Name: m.Name, Purpose: m.Purpose, Services: m.Services}
		if !existed {
			wanted.ID = NewID()
		}
		drafts := stands.Describe(wanted)
		stands.ID = wanted.ID
		more, err := grantAll(m.Roles, stands.Grant)
		return done.count(existed, append(drafts, more...)), err
	}
}

func grantAll(roles []string, grant func(role, reason string) ([]event.Draft, error)) ([]event.Draft, error) {
	var drafts []event.Draft
	for _, role := range roles {
		more, err := grant(role, "catalog import")
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, more...)
	}
	return drafts, nil
}

package access

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// Described is what a person is described by: pseudonyms for the fold, and
// the personal data they stand for, which can be disposed of.
type Described struct {
	ID         string
	Identities []string // pseudonyms
	Named      string   // pseudonym of Name
	Teams      []string
	Groups     []string
	Name       string   // personal
	Handle     string   // personal
	Emails     []string // personal
}

// Describe is the fact that describes a person anew; none where it is the same as what stands.
func (p Person) Describe(d Described) []event.Draft {
	slices.Sort(d.Identities)
	if p.ID == d.ID && p.Named == d.Named && slices.Equal(p.Identities, d.Identities) && slices.Equal(p.Teams, d.Teams) && slices.Equal(p.Groups, d.Groups) {
		return nil
	}
	return []event.Draft{{
		Stream:  event.StreamOf(PersonNoun, d.ID),
		Kind:    event.PersonDescribed,
		Body:    described{ID: d.ID, Identities: d.Identities, Named: d.Named, Teams: d.Teams, Groups: d.Groups},
		Private: map[string]string{"name": d.Name, "handle": d.Handle, "emails": strings.Join(d.Emails, " ")},
		Touches: []event.Stream{event.SetGrants},
	}}
}

// Depart ends a person's rights at once; the history stays.
func (p Person) Depart(reason string) ([]event.Draft, error) {
	if p.Departed {
		return nil, fault.New(fault.Conflict, "access.departed", "this person has departed already")
	}
	return []event.Draft{{
		Stream: event.StreamOf(PersonNoun, p.ID), Kind: event.PersonDeparted, Body: struct{}{},
		Private: map[string]string{"reason": reason}, Touches: []event.Stream{event.SetGrants},
	}}, nil
}

// Grant gives a person a role; nothing where it is held already.
func (p Person) Grant(role, reason string) ([]event.Draft, error) {
	if p.Departed {
		return nil, fault.New(fault.Conflict, "access.departed", "a person who has departed cannot be granted a role")
	}
	return grant(event.StreamOf(PersonNoun, p.ID), event.PersonGranted, p.Roles, role, reason)
}

// Revoke takes a role from a person.
func (p Person) Revoke(role, reason string) ([]event.Draft, error) {
	return revoke(event.StreamOf(PersonNoun, p.ID), event.PersonRevoked, p.Roles, role, reason)
}

// Describe is the fact that describes a machine anew; none where nothing differs.
func (m Machine) Describe(d Machine) []event.Draft {
	if m.ID == d.ID && m.Name == d.Name && m.Purpose == d.Purpose && slices.Equal(m.Services, d.Services) {
		return nil
	}
	d.Roles = nil
	return []event.Draft{{Stream: event.StreamOf(MachineNoun, d.ID), Kind: event.MachineDescribed, Body: d, Touches: []event.Stream{event.SetGrants}}}
}

// Grant gives a machine a role; a machine never approves.
func (m Machine) Grant(role, reason string) ([]event.Draft, error) {
	if slices.Contains(roles[role], Approve) {
		return nil, fault.New(fault.Forbidden, "access.machine-approver", "a machine cannot hold the role "+role).Because("approvals are given by persons")
	}
	return grant(event.StreamOf(MachineNoun, m.ID), event.MachineGranted, m.Roles, role, reason)
}

// Revoke takes a role from a machine.
func (m Machine) Revoke(role, reason string) ([]event.Draft, error) {
	return revoke(event.StreamOf(MachineNoun, m.ID), event.MachineRevoked, m.Roles, role, reason)
}

func grant(s event.Stream, kind event.Kind, held []string, role, reason string) ([]event.Draft, error) {
	if _, known := roles[role]; !known {
		return nil, fault.Invalidf("access.unknown-role", "there is no role %q", role).Remedy("roles are " + strings.Join(Roles(), ", "))
	}
	if slices.Contains(held, role) {
		return nil, nil
	}
	return []event.Draft{{Stream: s, Kind: kind, Body: granted{Role: role}, Private: map[string]string{"reason": reason}, Touches: []event.Stream{event.SetGrants}}}, nil
}

func revoke(s event.Stream, kind event.Kind, held []string, role, reason string) ([]event.Draft, error) {
	if !slices.Contains(held, role) {
		return nil, fault.New(fault.NotFound, "access.not-held", fmt.Sprintf("the role %q is not held", role))
	}
	return []event.Draft{{Stream: s, Kind: kind, Body: granted{Role: role}, Private: map[string]string{"reason": reason}, Touches: []event.Stream{event.SetGrants}}}, nil
}

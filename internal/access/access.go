// Package access knows people behind identities, machines, tokens, roles, and
// who may do what. It never sees a name or an address: identities are
// pseudonyms that the shell computes under a key outside the journal.
//
// Invariant: an identity belongs to one person; a right is held only through a
// role that was granted by a fact, and a token never carries more than its holder has.
package access

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

// Nouns of the streams of access.
const (
	PersonNoun  = "person"
	MachineNoun = "machine"
	TokenNoun   = "token"
)

// Keys by which the streams are found.
const (
	PersonIdentity = "person.identity" // pseudonym of a handle or address, unique
	PersonAll      = "person.all"      // every present person, value "present"
	RoleHolder     = "role.holder"     // value is the role; persons and machines
	MachineName    = "machine.name"
	TokenHash      = "token.hash"
	TokenOf        = "token.of" // value is the subject
)

// Right is what a command demands.
type Right string

// The rights.
const (
	Read     Right = "read"     // see releases, decisions, the catalog and the calendar
	Open     Right = "open"     // open and revise releases, attach changes
	Evidence Right = "evidence" // add evidence
	Gate     Right = "gate"     // ask the gate
	Approve  Right = "approve"  // vote, within the groups that a chain names
	Move     Right = "move"     // move a release through its states by hand
	Deploy   Right = "deploy"   // report deployments and redeem permits
	Freeze   Right = "freeze"   // declare and lift freezes, where no freeze rule says otherwise
	Recall   Right = "recall"   // recall permits
	Policy   Right = "policy"   // store and activate policy
	Catalog  Right = "catalog"  // import the catalog
	Grant    Right = "grant"    // grant roles, issue and revoke tokens for others
	Export   Right = "export"   // export the journal and originals, with the personal data in them
	Operate  Right = "operate"  // see to the installation: sweep its vault
)

// Rights lists every right.
func Rights() []Right {
	return []Right{Read, Open, Evidence, Gate, Approve, Move, Deploy, Freeze, Recall, Policy, Catalog, Grant, Export, Operate}
}

// roles says what each role may do. An administrator runs the house and does
// not approve what goes through it (NIST 800-53 AC-5).
var roles = map[string][]Right{
	"viewer":          {Read},
	"developer":       {Read, Open, Evidence},
	"approver":        {Read, Approve},
	"release-manager": {Read, Open, Evidence, Gate, Move, Freeze, Recall},
	"policy-author":   {Read, Policy},
	"pipeline":        {Read, Open, Evidence, Gate, Deploy},
	"auditor":         {Read, Export},
	"administrator":   {Read, Catalog, Grant, Recall, Export, Operate},
}

// Roles lists every role, sorted.
func Roles() []string {
	var names []string
	for r := range roles {
		names = append(names, r)
	}
	slices.Sort(names)
	return names
}

// Gives reports whether one of some roles gives a right.
func Gives(held []string, r Right) bool {
	return slices.ContainsFunc(held, func(role string) bool { return slices.Contains(roles[role], r) })
}

// RightsOf is the union of the rights of some roles; a role nobody knows gives none.
func RightsOf(held []string) []Right {
	var rights []Right
	for _, r := range Rights() {
		if Gives(held, r) {
			rights = append(rights, r)
		}
	}
	return rights
}

// Actor is who acts in a command: a person, a machine, or the server itself.
type Actor struct {
	Subject    string   // "person/<id>", "machine/<id>" or "system/<part>"
	Auth       string   // how it was proved: "token/<id>", "session/<id>", "local"
	Source     string   // the way in: api, cli, web, import, timer
	Rights     []Right  // what the roles give and the token leaves
	Roles      []string // held
	Groups     []string // names of groups, for a person
	Services   []string // names of the services a machine may speak for; empty is all
	Confined   bool     // the token leaves out some of what the roles give
	Provenance string   // who is believed when this actor says something: pipeline, person, server
}

// System is the server's own part acting by itself.
func System(part string) Actor {
	return Actor{Subject: "system/" + part, Auth: "local", Source: part, Rights: Rights(), Provenance: "server"}
}

// Person is the id of the person who acts, or "" for a machine or the server.
func (a Actor) Person() string {
	id, ok := strings.CutPrefix(a.Subject, PersonNoun+"/")
	if !ok {
		return ""
	}
	return id
}

// May is nil where the actor holds the right, and otherwise says what is
// missing and who can grant it.
func (a Actor) May(r Right) error {
	if slices.Contains(a.Rights, r) {
		return nil
	}
	var with []string
	for _, role := range Roles() {
		if slices.Contains(roles[role], r) {
			with = append(with, role)
		}
	}
	return fault.New(fault.Forbidden, "access.missing-right", fmt.Sprintf("this needs the right %q", r)).
		Because("none of your roles has it, or your token was issued without it").
		Remedy("an administrator can grant the role " + strings.Join(with, " or ") + ", or issue a token with the right")
}

// MaySpeakFor is nil where the actor is not confined to other services.
func (a Actor) MaySpeakFor(service string) error {
	if len(a.Services) == 0 || slices.Contains(a.Services, service) {
		return nil
	}
	return fault.New(fault.Forbidden, "access.other-service", fmt.Sprintf("this machine may not speak for %s", service)).
		Because("it speaks for " + strings.Join(a.Services, ", ")).
		Remedy("use the machine of that service, or have the catalog name the service for this one")
}

// Person is the state of a person's stream.
type Person struct {
	ID         string   `json:"id"`
	Identities []string `json:"identities"` // pseudonyms of the handle and every address
	Named      string   `json:"named"`      // pseudonym of the printed name: tells a renaming
	Teams      []string `json:"teams,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	Departed   bool     `json:"departed,omitempty"`
}

// Machine is the state of a machine's stream: a named pipeline identity.
type Machine struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Purpose  string   `json:"purpose,omitempty"`
	Services []string `json:"services,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// described is the body of PersonDescribed. Private: name, handle, emails.
type described struct {
	ID         string   `json:"id"`
	Identities []string `json:"identities"`
	Named      string   `json:"named"`
	Teams      []string `json:"teams,omitempty"`
	Groups     []string `json:"groups,omitempty"`
}

// granted is the body of a grant or a revocation.
type granted struct {
	Role string `json:"role"`
}

// Shapes are the folds of persons, machines and tokens.
func Shapes() []event.Shape {
	return []event.Shape{
		PersonShape(),
		event.ShapeOf(MachineNoun, 1, foldMachine, machineKeys),
		event.ShapeOf(TokenNoun, 1, foldToken, tokenKeys),
	}
}

// PersonShape is the fold of persons.
func PersonShape() event.Shape { return event.ShapeOf(PersonNoun, 1, foldPerson, personKeys) }

func foldPerson(p *Person, f event.Recorded) error {
	switch f.Kind {
	case event.PersonDescribed:
		var d described
		if err := f.Body(&d); err != nil {
			return err
		}
		p.ID, p.Identities, p.Named, p.Teams, p.Groups = d.ID, d.Identities, d.Named, d.Teams, d.Groups
	case event.PersonGranted, event.PersonRevoked:
		return regrant(&p.Roles, f, event.PersonGranted)
	case event.PersonDeparted:
		p.Departed, p.Roles, p.Groups = true, nil, nil
	default:
		return event.Unknown(f)
	}
	return nil
}

func regrant(held *[]string, f event.Recorded, grant event.Kind) error {
	var g granted
	if err := f.Body(&g); err != nil {
		return err
	}
	*held = slices.DeleteFunc(*held, func(r string) bool { return r == g.Role })
	if f.Kind == grant {
		*held = append(*held, g.Role)
		slices.Sort(*held)
	}
	return nil
}

func personKeys(p Person) []event.Key {
	var keys []event.Key
	for _, i := range p.Identities {
		keys = append(keys, event.Key{Kind: event.Unique, Name: PersonIdentity, Value: i})
	}
	if !p.Departed {
		keys = append(keys, event.Key{Kind: event.Lookup, Name: PersonAll, Value: "present"})
	}
	return append(keys, roleKeys(p.Roles)...)
}

func roleKeys(held []string) []event.Key {
	var keys []event.Key
	for _, r := range held {
		keys = append(keys, event.Key{Kind: event.Lookup, Name: RoleHolder, Value: r})
	}
	return keys
}

func foldMachine(m *Machine, f event.Recorded) error {
	switch f.Kind {
	case event.MachineDescribed:
		var d Machine
		if err := f.Body(&d); err != nil {
			return err
		}
		m.ID, m.Name, m.Purpose, m.Services = d.ID, d.Name, d.Purpose, d.Services
	case event.MachineGranted, event.MachineRevoked:
		return regrant(&m.Roles, f, event.MachineGranted)
	default:
		return event.Unknown(f)
	}
	return nil
}

func machineKeys(m Machine) []event.Key {
	return append(roleKeys(m.Roles), event.Key{Kind: event.Unique, Name: MachineName, Value: m.Name})
}

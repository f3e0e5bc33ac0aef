package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/strict"
)

// APIVersion is the version of the catalog's documents.
const APIVersion = "signalbox/v1"

// Entries is a catalog file, read and checked. Things carry no ids yet.
type Entries struct {
	Services     []Service
	Environments []Environment
	Teams        []Team
	Groups       []Group
	People       []Person
	Machines     []Machine
}

// Person is a human as the file describes one. It is personal data: only
// pseudonyms of Handle and Emails enter the body of a fact.
type Person struct {
	Handle string   // how the person signs in and is named on the command line
	Name   string   // printed name
	Emails []string // every address under which the person commits
	Teams  []string
	Groups []string
	Roles  []string
	At     fault.Position // in the file
}

// Machine is a named pipeline identity.
type Machine struct {
	Name     string
	Purpose  string
	Services []string // the services it may speak for; empty is all
	Roles    []string
	At       fault.Position
}

type document struct {
	APIVersion  string      `json:"apiVersion"`
	Kind        string      `json:"kind"`
	Name        string      `json:"name"`
	Tier        *int        `json:"tier"`
	Team        string      `json:"team"`
	Flags       []string    `json:"flags"`
	DataClasses []string    `json:"data_classes"`
	Repository  string      `json:"repository"`
	DependsOn   []string    `json:"depends_on"`
	Components  []Component `json:"components"`
	Is          string      `json:"is"` // an environment's kind
	Region      string      `json:"region"`
	Purpose     string      `json:"purpose"`
	Display     string      `json:"display"`
	Emails      []string    `json:"emails"`
	Teams       []string    `json:"teams"`
	Groups      []string    `json:"groups"`
	Roles       []string    `json:"roles"`
	Services    []string    `json:"services"`

	at fault.Position
}

// fields says which fields each kind takes beside apiVersion, kind and name.
var fields = map[string]string{
	"Service":     " tier team flags data_classes repository depends_on components ",
	"Environment": " is region ",
	"Team":        " ",
	"Group":       " purpose ",
	"Person":      " display emails teams groups roles ",
	"Machine":     " purpose services roles ",
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]{0,98}[a-z0-9])?$`)

// Parse reads a catalog file: YAML documents of the kinds Service,
// Environment, Team, Group, Person and Machine. All that is wrong is said at
// once, each with its place.
func Parse(file string, data []byte) (Entries, error) {
	docs, err := strict.YAML(file, data)
	if err != nil {
		return Entries{}, err
	}
	var e Entries
	var errs []error
	seen := map[string]fault.Position{}
	for _, doc := range docs {
		d, err := read(doc)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if first, twice := seen[d.Kind+" "+d.Name]; twice {
			errs = append(errs, d.wrong("the "+d.Kind+" "+d.Name+" stands twice", "it stands first at "+first.String(), "keep one"))
			continue
		}
		seen[d.Kind+" "+d.Name] = d.at
		e.add(d)
	}
	if len(errs) == 0 && len(seen) == 0 {
		errs = append(errs, fault.Invalidf("catalog.empty", "%s describes nothing", file).Remedy("add documents of kind Service, Environment, Team, Group, Person or Machine"))
	}
	errs = append(errs, e.dangling(file)...)
	return e, errors.Join(errs...)
}

func read(doc strict.Document) (document, error) {
	d := document{at: doc.At()}
	if err := doc.Into(&d); err != nil {
		return d, err
	}
	d.at = doc.At()
	allowed, known := fields[d.Kind]
	switch {
	case d.APIVersion != APIVersion:
		return d, d.wrong(fmt.Sprintf("apiVersion %q is not known", d.APIVersion), "", "write apiVersion: "+APIVersion)
	case !known:
		return d, d.wrong(fmt.Sprintf("kind %q is not one of the catalog's", d.Kind), "", "use Service, Environment, Team, Group, Person or Machine")
	case !nameForm.MatchString(d.Name):
		return d, d.wrong(fmt.Sprintf("the name %q cannot be used", d.Name), "names are 1 to 100 of a–z, 0–9, '.', '_', '/', '-' and begin and end with a letter or digit", "")
	}
	for i := 0; i+1 < len(doc.Node.Content); i += 2 {
		f := doc.Node.Content[i]
		if f.Value != "apiVersion" && f.Value != "kind" && f.Value != "name" && !strings.Contains(allowed, " "+f.Value+" ") {
			return d, fault.Invalidf("catalog.field", "a %s has no field %q", d.Kind, f.Value).
				Remedy("it takes" + strings.TrimRight(allowed, " ")).At(fault.Position{File: doc.File, Line: f.Line, Column: f.Column})
		}
	}
	return d, d.check()
}

func (d document) check() error {
	switch d.Kind {
	case "Service":
		if d.Tier == nil || *d.Tier < 0 || *d.Tier > 3 {
			return d.wrong("the service "+d.Name+" needs a tier from 0 to 3", "business criticality is never guessed", "0 is the most critical")
		}
		if d.Team == "" {
			return d.wrong("the service "+d.Name+" needs a team", "somebody must answer for it", "name a Team of this catalog")
		}
		if what, fix := checkComponents(d.Components); what != "" {
			return d.wrong(what, "the service "+d.Name+" lists it", fix)
		}
	case "Environment":
		if !slices.Contains([]string{Production, Staging, Test, Development}, d.Is) {
			return d.wrong(fmt.Sprintf("the environment %s is %q", d.Name, d.Is), "rules of scope go by it", "write is: production, staging, test or development")
		}
	case "Person":
		if d.Display == "" {
			return d.wrong("the person "+d.Name+" needs a display name", "approvals print it", "")
		}
		for _, m := range d.Emails {
			if local, domain, ok := strings.Cut(m, "@"); !ok || local == "" || domain == "" || strings.ContainsAny(m, " <>\t\r\n") {
				return d.wrong(fmt.Sprintf("%q is not an e-mail address", m), "", "")
			}
		}
	}
	return nil
}

// CheckRoles refuses roles that are none of those known, each with its place.
func (e Entries) CheckRoles(known []string) error {
	var errs []error
	check := func(who string, roles []string, at fault.Position) {
		for _, r := range roles {
			if !slices.Contains(known, r) {
				errs = append(errs, fault.Invalidf("catalog.unknown-role", "%s has the role %q, which does not exist", who, r).
					Remedy("roles are "+strings.Join(known, ", ")).At(at))
			}
		}
	}
	for _, p := range e.People {
		check(p.Handle, p.Roles, p.At)
	}
	for _, m := range e.Machines {
		check(m.Name, m.Roles, m.At)
	}
	return errors.Join(errs...)
}

// CheckPerson refuses a person that a catalog file could not describe.
func CheckPerson(p Person) error {
	d := document{Kind: "Person", Name: p.Handle, Display: p.Name, Emails: p.Emails}
	if !nameForm.MatchString(d.Name) {
		return fault.Invalidf("catalog.invalid", "the handle %q cannot be used", d.Name).Remedy("use 1 to 100 of a–z, 0–9, '.', '_', '-'").On("handle")
	}
	return d.check()
}

func (d document) wrong(what, why, fix string) error {
	return fault.Invalidf("catalog.invalid", "%s", what).Because(why).Remedy(fix).At(d.at)
}

func (e *Entries) add(d document) {
	switch d.Kind {
	case "Service":
		e.Services = append(e.Services, Service{Name: d.Name, Tier: *d.Tier, Team: d.Team, Flags: d.Flags, DataClasses: d.DataClasses, Repository: d.Repository, DependsOn: d.DependsOn, Components: d.Components})
	case "Environment":
		e.Environments = append(e.Environments, Environment{Name: d.Name, Kind: d.Is, Region: d.Region})
	case "Team":
		e.Teams = append(e.Teams, Team{Name: d.Name})
	case "Group":
		e.Groups = append(e.Groups, Group{Name: d.Name, Purpose: d.Purpose})
	case "Person":
		e.People = append(e.People, Person{Handle: d.Name, Name: d.Display, Emails: d.Emails, Teams: d.Teams, Groups: d.Groups, Roles: d.Roles, At: d.at})
	case "Machine":
		e.Machines = append(e.Machines, Machine{Name: d.Name, Purpose: d.Purpose, Services: d.Services, Roles: d.Roles, At: d.at})
	}
}

// dangling lists names that the file uses and does not describe, and addresses that two persons claim.
func (e Entries) dangling(file string) []error {
	var errs []error
	known := map[string]bool{}
	for _, t := range e.Teams {
		known["team "+t.Name] = true
	}
	for _, g := range e.Groups {
		known["group "+g.Name] = true
	}
	for _, s := range e.Services {
		known["service "+s.Name] = true
	}
	need := func(user, kind string, names ...string) {
		for _, n := range names {
			if !known[kind+" "+n] {
				errs = append(errs, fault.Invalidf("catalog.unknown-name", "%s names the %s %q, which the catalog does not describe", user, kind, n).
					Remedy("describe it in the same file, or correct the name").At(fault.Position{File: file}))
			}
		}
	}
	for _, s := range e.Services {
		need("the service "+s.Name, "team", s.Team)
		need("the service "+s.Name, "service", s.DependsOn...)
	}
	claimed := map[string]string{}
	for _, p := range e.People {
		need("the person "+p.Handle, "team", p.Teams...)
		need("the person "+p.Handle, "group", p.Groups...)
		for _, m := range p.Emails {
			m = strings.ToLower(m)
			if other, taken := claimed[m]; taken && other != p.Handle {
				errs = append(errs, fault.Invalidf("catalog.claimed-twice", "%s and %s both claim %s", other, p.Handle, m).
					Because("one identity belongs to one person").At(fault.Position{File: file}))
			}
			claimed[m] = p.Handle
		}
	}
	for _, m := range e.Machines {
		need("the machine "+m.Name, "service", m.Services...)
	}
	return errs
}

package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/fault"
)

const example = `# an example
apiVersion: signalbox/v1
kind: Team
name: shop
---
apiVersion: signalbox/v1
kind: Group
name: approvers
purpose: approve releases
---
apiVersion: signalbox/v1
kind: Service
name: shop
tier: 0
team: shop
flags: [cardholder]
data_classes: [personal]
repository: /srv/git/shop.git
depends_on: [ledger]
---
apiVersion: signalbox/v1
kind: Service
name: ledger
tier: 2
team: shop
---
apiVersion: signalbox/v1
kind: Environment
name: production
is: production
region: eu
---
apiVersion: signalbox/v1
kind: Person
name: ann
display: Ann Example
emails: [ann@example.com, ann@example.org]
teams: [shop]
groups: [approvers]
roles: [approver]
---
apiVersion: signalbox/v1
kind: Machine
name: ci
services: [shop]
roles: [pipeline]
`

func TestParse(t *testing.T) {
	e, err := Parse("catalog.yaml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Services) != 2 || len(e.Environments) != 1 || len(e.Teams) != 1 || len(e.Groups) != 1 || len(e.People) != 1 || len(e.Machines) != 1 {
		t.Fatalf("read %+v", e)
	}
	if s := e.Services[0]; s.Tier != 0 || s.Team != "shop" || s.Flags[0] != "cardholder" || s.DependsOn[0] != "ledger" || s.Repository == "" {
		t.Errorf("service %+v", s)
	}
	if p := e.People[0]; p.Handle != "ann" || p.Name != "Ann Example" || len(p.Emails) != 2 {
		t.Errorf("person %+v", p)
	}
}

func TestParseRefuses(t *testing.T) {
	head := "apiVersion: signalbox/v1\n"
	for name, c := range map[string]struct{ in, says string }{
		"nothing":               {"# nothing\n", "describes nothing"},
		"no version":            {"kind: Team\nname: a\n", "apiVersion"},
		"another version":       {"apiVersion: signalbox/v9\nkind: Team\nname: a\n", "signalbox/v9"},
		"no kind":               {head + "name: a\n", `kind ""`},
		"another kind":          {head + "kind: Gate\nname: a\n", `"Gate"`},
		"no name":               {head + "kind: Team\n", "name"},
		"a name with a space":   {head + "kind: Team\nname: a b\n", "a b"},
		"upper case":            {head + "kind: Team\nname: Shop\n", "Shop"},
		"an unknown field":      {head + "kind: Team\nname: a\nowner: b\n", "owner"},
		"another kind's field":  {head + "kind: Team\nname: a\ntier: 1\n", `no field "tier"`},
		"no tier":               {head + "kind: Service\nname: a\nteam: t\n---\n" + head + "kind: Team\nname: t\n", "needs a tier"},
		"tier 4":                {head + "kind: Service\nname: a\nteam: t\ntier: 4\n", "tier"},
		"no team":               {head + "kind: Service\nname: a\ntier: 1\n", "needs a team"},
		"an unknown team":       {head + "kind: Service\nname: a\ntier: 1\nteam: t\n", `team "t"`},
		"an unknown service":    {head + "kind: Machine\nname: ci\nservices: [x]\n", `service "x"`},
		"an unknown group":      {head + "kind: Person\nname: ann\ndisplay: Ann\ngroups: [x]\n", `group "x"`},
		"no kind of place":      {head + "kind: Environment\nname: prod\n", "write is:"},
		"a kind nobody knows":   {head + "kind: Environment\nname: prod\nis: live\n", "live"},
		"no display name":       {head + "kind: Person\nname: ann\n", "display"},
		"no address":            {head + "kind: Person\nname: ann\ndisplay: Ann\nemails: [ann]\n", `"ann"`},
		"an address and a name": {head + "kind: Person\nname: ann\ndisplay: Ann\nemails: [\"Ann <ann@example.com>\"]\n", "e-mail"},
		"twice":                 {head + "kind: Team\nname: a\n---\n" + head + "kind: Team\nname: a\n", "stands twice"},
		"claimed twice": {head + "kind: Person\nname: ann\ndisplay: Ann\nemails: [a@example.com]\n---\n" + head +
			"kind: Person\nname: ben\ndisplay: Ben\nemails: [A@Example.com]\n", "both claim"},
	} {
		_, err := Parse("catalog.yaml", []byte(c.in))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "catalog.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// All that is wrong is said at once.
func TestParseSaysAll(t *testing.T) {
	_, err := Parse("c.yaml", []byte("kind: Team\nname: a\n---\napiVersion: signalbox/v1\nkind: Environment\nname: e\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v", err)
	}
}

func TestDescribe(t *testing.T) {
	s := Service{ID: "1", Name: "shop", Tier: 1, Team: "shop", Flags: []string{"icfr"}}
	if got := Describe(s, s); got != nil {
		t.Errorf("the same again: %v", got)
	}
	changed := s
	changed.Flags = nil
	drafts := Describe(s, changed)
	if len(drafts) != 1 || drafts[0].Stream != "service/1" || drafts[0].Touches[0] != event.SetCatalog {
		t.Fatalf("%+v", drafts)
	}
	for _, d := range [][]event.Draft{Describe(Team{}, Team{ID: "t"}), Describe(Group{}, Group{ID: "g"}), Describe(Environment{}, Environment{ID: "e"})} {
		if len(d) != 1 || d[0].Kind == "" {
			t.Errorf("%+v", d)
		}
	}
}

// What was described comes back from the fold as it was, whole.
func TestShapes(t *testing.T) {
	for _, shape := range Shapes() {
		state := []byte(nil)
		body, _ := json.Marshal(Service{ID: "1", Name: "n", Tier: 1})
		kind := map[string]event.Kind{ServiceNoun: event.ServiceDescribed, EnvironmentNoun: event.EnvironmentDescribed, TeamNoun: event.TeamDescribed, GroupNoun: event.GroupDescribed}[shape.Noun]
		state, err := shape.Fold(state, event.Recorded{Header: event.Header{Kind: kind}, BodyBytes: body})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := shape.Keys(state)
		if err != nil || len(keys) != 2 || keys[0] != (event.Key{Kind: event.Unique, Name: shape.Noun + ".name", Value: "n"}) {
			t.Errorf("%s: keys %v, %v", shape.Noun, keys, err)
		}
		if _, err := shape.Fold(state, event.Recorded{Header: event.Header{Kind: event.Decided}, BodyBytes: body}); err == nil {
			t.Errorf("%s folds a kind it has no rule for", shape.Noun)
		}
	}
	var s Service
	s.Flags = []string{"a"}
	b, _ := json.Marshal(s)
	state, err := Shapes()[0].Fold(b, event.Recorded{Header: event.Header{Kind: event.ServiceDescribed}, BodyBytes: []byte(`{"id":"1","name":"n"}`)})
	if err != nil || strings.Contains(string(state), "flags") {
		t.Errorf("an old flag survives: %s %v", state, err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"production", "staging", "shop"}
	for in, want := range map[string]string{"prodution": "production", "productoin": "production", "stagign": "staging", "shops": "shop", "nowhere": "", "": ""} {
		if got := Nearest(in, known); got != want {
			t.Errorf("%q is near %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse("f", b)
		if err == nil && len(e.Services)+len(e.Environments)+len(e.Teams)+len(e.Groups)+len(e.People)+len(e.Machines) == 0 {
			t.Error("a catalog of nothing was accepted")
		}
	})
}

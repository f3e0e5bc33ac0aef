package release

import (
	"cmp"
	"maps"
	"slices"
)

// ListedDecisions is how many decisions a count names, the first ones.
const ListedDecisions = 20

// Counts is how many decisions had which effect.
type Counts struct {
	Stopped, Through, Other, Untold int
}

func (c *Counts) add(e Effect) {
	switch e {
	case Stopped:
		c.Stopped++
	case Through:
		c.Through++
	case Other:
		c.Other++
	case Untold:
		c.Untold++
	}
}

func (c Counts) sum() int { return c.Stopped + c.Through + c.Other + c.Untold }

// Tally sums a replay up. It holds counts and a few ids, however long the history.
type Tally struct {
	Total, Same int
	Counts

	gates, services, teams map[string]*Share
}

// Share is what a gate, service or team has of the flips.
type Share struct {
	Name string
	Counts
	Decisions []string // ids, at most ListedDecisions
}

// Add counts a decision.
func (t *Tally) Add(f Flip) {
	if t.gates == nil {
		t.gates, t.services, t.teams = map[string]*Share{}, map[string]*Share{}, map[string]*Share{}
	}
	t.Total++
	if f.Effect == Same {
		t.Same++
		return
	}
	t.add(f.Effect)
	for _, g := range f.Gates {
		share(t.gates, g.Gate, f)
	}
	share(t.services, f.Service, f)
	share(t.teams, f.Team, f)
}

func share(all map[string]*Share, name string, f Flip) {
	s := all[name]
	if s == nil {
		s = &Share{Name: name, Decisions: []string{}}
		all[name] = s
	}
	s.add(f.Effect)
	if len(s.Decisions) < ListedDecisions {
		s.Decisions = append(s.Decisions, f.Decision)
	}
}

// Gates is the share of each gate whose word changed, the largest first. A
// decision counts for every one of them.
func (t *Tally) Gates() []Share { return shares(t.gates) }

// Services is the share of each service, the largest first.
func (t *Tally) Services() []Share { return shares(t.services) }

// Teams is the share of each team, the largest first; "" where none was known.
func (t *Tally) Teams() []Share { return shares(t.teams) }

func shares(all map[string]*Share) []Share {
	list := make([]Share, 0, len(all))
	for s := range maps.Values(all) {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Share) int { return cmp.Or(b.sum()-a.sum(), cmp.Compare(a.Name, b.Name)) })
	return list
}

package evidence

import (
	"slices"
	"strings"
	"time"
)

// LoadSummary sums the newest claim of each load test: requests and thresholds
// together, of the rest the worst. A time is nil where not every one gives it.
type LoadSummary struct {
	Believed
	Requests            int
	ErrorRate           float64
	P50, P95, P99, Mean *float64
	Set, Failed         int
	Named               []string // the components that are listed, sorted, each once
	Parts               []LoadOf // sorted; nil where a claim lists not all of its components
}

// LoadOf is a component of the load test that a tool and label claim.
type LoadOf struct {
	Tool, Label string
	LoadPart
}

// Load is what policy may see of the load tests at an instant.
func (a Artifact) Load(now time.Time) LoadSummary {
	s := LoadSummary{Believed: a.believed(LoadKind, now), Parts: []LoadOf{}}
	whole, first := true, true
	for i := range a.Claims {
		added := &a.Claims[i]
		l := added.Claim.Load
		if added.Claim.Kind != LoadKind || l == nil {
			continue
		}
		s.Requests, s.Set, s.Failed = s.Requests+l.Requests, s.Set+l.Set, s.Failed+l.Failed
		s.ErrorRate = max(s.ErrorRate, l.ErrorRate)
		s.P50, s.P95, s.P99, s.Mean = slower(first, s.P50, l.P50), slower(first, s.P95, l.P95), slower(first, s.P99, l.P99), slower(first, s.Mean, l.Mean)
		for _, p := range l.Parts {
			s.Parts = append(s.Parts, LoadOf{added.Claim.toolName(), added.Label, p})
			s.Named = append(s.Named, p.Name)
		}
		whole, first = whole && l.MoreParts == 0, false
	}
	slices.Sort(s.Named)
	s.Named = slices.Compact(s.Named)
	if !whole {
		s.Parts = nil
	}
	slices.SortStableFunc(s.Parts, func(a, b LoadOf) int { return strings.Compare(a.key(), b.key()) })
	return s
}

// slower is the slower of two times, nil where one is not known.
func slower(first bool, a, b *float64) *float64 {
	switch {
	case first:
		return b
	case a == nil || b == nil:
		return nil
	}
	worst := max(*a, *b)
	return &worst
}

func (p LoadOf) key() string { return p.Tool + "\x00" + p.Label + "\x00" + p.Name }

// Part finds the same component of the same load test, or reports false.
func (s LoadSummary) Part(p LoadOf) (LoadOf, bool) {
	for _, q := range s.Parts {
		if q.key() == p.key() {
			return q, true
		}
	}
	return LoadOf{}, false
}

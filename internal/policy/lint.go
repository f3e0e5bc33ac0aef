package policy

import (
	"fmt"
	"slices"
)

// Lint is everything that is wrong or doubtful in a bundle: the problems of
// Compile, and where it compiles, what its tests leave out. A failing test is
// not a problem here; see Test.
func Lint(files []File) []Problem {
	p, out := compile(files)
	switch {
	case p == nil:
	case len(p.cases) == 0:
		out.Add(Problem{Severity: LevelWarning, Code: "policy.no-tests", What: "the bundle has no TestCase", Why: "an untested policy may not be activated", Fix: "add a TestCase"})
	default:
		for _, g := range p.unexercised() {
			out.Add(Problem{Severity: LevelWarning, Where: g.Where, Code: "policy.untested-gate", What: fmt.Sprintf("no TestCase sees Gate %s refuse", g.Name), Why: "a gate that was never seen to refuse may hold always", Fix: "add a case whose inputs it must not let pass, and name the gate under reasons"})
		}
	}
	return out.Sorted()
}

// unexercised are the gates that pass in every test case, or apply in none.
func (p *Program) unexercised() []Gate {
	var refused []string
	for i := range p.cases {
		for _, r := range p.Decide(p.cases[i].inputs).Reasons {
			if r.Verdict != Go && r.Code != "relaxed" {
				refused = append(refused, r.Gate)
			}
		}
	}
	var all []Gate
	for _, g := range p.gates {
		if !slices.Contains(refused, g.Name) {
			all = append(all, g.Gate)
		}
	}
	return all
}

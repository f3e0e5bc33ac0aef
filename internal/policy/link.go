package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
)

// link checks what documents say of each other.
func (r *reader) link(p *Program) {
	r.onePolicy()
	r.pairs(p)
	r.references(p)
	r.controlled(p)
	r.owned(p)
	for _, g := range p.gates {
		r.thresholds(p, &g)
	}
	for _, c := range p.cases {
		r.expected(p, &c)
	}
	for _, s := range p.scopes {
		if s.Observe != nil && s.Governance == None {
			r.out.Add(Problem{Where: s.Where, Code: "policy.observe", What: fmt.Sprintf("ScopeRule %s observes what it does not govern", s.Name), Why: "governance none decides nothing that could be observed", Fix: "drop observe, or set governance to light or full"})
		}
	}
	if len(p.scopes) == 0 {
		r.warn(Problem{Code: "policy.no-scope", What: "the bundle has no ScopeRule", Why: "every answer would be cannot tell", Fix: "add a ScopeRule"})
	}
	if len(p.gates) == 0 {
		r.warn(Problem{Code: "policy.no-gates", What: "the bundle has no Gate", Why: "every governed answer would be cannot tell", Fix: "add a Gate"})
	}
}

func (r *reader) warn(p Problem) {
	p.Severity = LevelWarning
	r.out.Add(p)
}

func (r *reader) onePolicy() {
	switch {
	case len(r.policies) == 0:
		r.out.Add(Problem{Code: "policy.no-policy", What: "the bundle has no document of kind Policy", Why: "it names the bundle, its version and its owner", Fix: "add one"})
	case len(r.policies) > 1:
		r.out.Add(Problem{Where: r.policies[1].Where, Code: "policy.duplicate-name", What: "the bundle has a second document of kind Policy", Why: "the first stands at " + r.policies[0].Where.String(), Fix: "delete one"})
	}
}

// pairs checks that every size and change type has one release type.
func (r *reader) pairs(p *Program) {
	var gaps []string
	for _, size := range []string{Major, Minor, Patch} {
		for _, change := range []string{Standard, Normal, Emergency} {
			if pair := r.pair(p, size, change); pair != "" {
				gaps = append(gaps, pair)
			}
		}
	}
	if len(gaps) > 0 {
		r.warn(Problem{Code: "policy.no-type", What: "a ReleaseType covers only sometimes " + strings.Join(gaps, ", "), Why: "where its when does not hold the answer is cannot tell", Fix: "add a ReleaseType whose when covers the rest"})
	}
}

// pair checks one of them, and returns it where its type applies only sometimes.
func (r *reader) pair(p *Program, size, change string) string {
	var always, sometimes []releaseType
	for _, t := range p.types {
		switch {
		case !t.covers(size, change):
		case t.when.absent():
			always = append(always, t)
		default:
			sometimes = append(sometimes, t)
		}
	}
	pair := fmt.Sprintf("a %s %s release", size, change)
	switch {
	case len(always)+len(sometimes) == 0:
		r.out.Add(Problem{Code: "policy.no-type", What: pair + " has no ReleaseType", Why: "its answer would always be cannot tell", Fix: fmt.Sprintf("list %s under size and %s under change_types of one ReleaseType", size, change)})
	case len(always) > 0 && len(always)+len(sometimes) > 1:
		both := append(always, sometimes...)
		r.out.Add(Problem{Where: both[1].Where, Code: "policy.two-types", What: pair + " has two ReleaseTypes", Why: fmt.Sprintf("%s and %s both claim it", both[0].Name, both[1].Name), Fix: "take the pair out of one, or give both a when that excludes the other"})
	case len(always) == 0 && len(sometimes) == 1:
		return pair
	}
	return ""
}

func (t *releaseType) covers(size, change string) bool {
	return slices.Contains(t.Sizes, size) && slices.Contains(t.ChangeTypes, change)
}

// references checks the names that documents use of each other.
func (r *reader) references(p *Program) {
	chains := append(slices.Sorted(maps.Keys(p.chains)), NoChain)
	used := map[string]bool{}
	for _, t := range p.types {
		used[t.Chain] = true
		if t.Chain != "" && !slices.Contains(chains, t.Chain) {
			r.out.Add(Problem{Where: t.chainAt, Code: "policy.no-chain", What: fmt.Sprintf("there is no ApprovalChain %q", t.Chain), Why: "ReleaseType " + t.Name + " names it", Fix: bundle.DidYouMean(t.Chain, chains[:len(chains)-1])})
		}
	}
	for _, name := range chains[:len(chains)-1] {
		if !used[name] {
			r.warn(Problem{Where: p.chains[name].Where, Code: "policy.unused", What: "no ReleaseType names ApprovalChain " + name})
		}
	}
	types := typeNames(p)
	for _, z := range p.freezes {
		for _, name := range z.Exempt {
			if !slices.Contains(types, name) {
				r.out.Add(Problem{Where: z.Where, Code: "policy.no-type", What: fmt.Sprintf("there is no ReleaseType %q", name), Why: "FreezeRule " + z.Name + " exempts it", Fix: bundle.DidYouMean(name, types)})
			}
		}
	}
}

func typeNames(p *Program) []string {
	var names []string
	for _, t := range p.types {
		names = append(names, t.Name)
	}
	return names
}

// thresholds checks that every type sets what a gate reads.
func (r *reader) thresholds(p *Program, g *gate) {
	for _, x := range []*rule{&g.applies, &g.condition, &g.observed} {
		for _, i := range x.scalars {
			name, is := strings.CutPrefix(i.name, "threshold.")
			if !is {
				continue
			}
			for _, t := range p.types {
				if _, set := t.Thresholds[name]; !set {
					r.out.Add(Problem{Where: t.Where, Code: "policy.no-threshold", What: fmt.Sprintf("ReleaseType %s does not set the threshold %q", t.Name, name), Why: "Gate " + g.Name + " reads it", Fix: "add it under thresholds"})
				}
			}
		}
	}
}

// expected checks the names in what a test case expects.
func (r *reader) expected(p *Program, c *testCase) {
	gates := slices.Clone(engineGates[:])
	for _, g := range p.gates {
		gates = append(gates, g.Name)
	}
	for _, name := range c.reasons {
		if !slices.Contains(gates, name) {
			r.out.Add(Problem{Where: c.where, Code: "policy.no-gate", What: fmt.Sprintf("there is no Gate %q", name), Why: "the TestCase expects it not to pass", Fix: bundle.DidYouMean(name, gates)})
		}
	}
	if types := typeNames(p); c.wantType != "" && !slices.Contains(types, c.wantType) {
		r.out.Add(Problem{Where: c.where, Code: "policy.no-type", What: fmt.Sprintf("there is no ReleaseType %q", c.wantType), Why: "the TestCase expects it", Fix: bundle.DidYouMean(c.wantType, types)})
	}
}

package policy

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
)

// link checks what documents say of each other.
func (r *reader) link(p *Program) {
	for _, g := range p.gates {
		r.thresholds(p, &g)
	}
	r.attestors(p)
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

// attestors checks that conditions ask for attestors that there are.
func (r *reader) attestors(p *Program) {
	known := p.set.AttestorNames()
	for _, x := range p.rules() {
		for _, name := range x.named {
			if !slices.Contains(known, name) {
				r.out.Add(Problem{Where: x.source.At(1, 0), Code: "policy.no-attestor", What: fmt.Sprintf("there is no Attestor %q", name), Why: fmt.Sprintf("%q names it, and nothing could ever be its word", x.source.Field), Fix: bundle.DidYouMean(name, known)})
			}
		}
		if len(known) == 0 && x.sections().has(secAttestation) {
			r.warn(Problem{Where: x.source.At(1, 0), Code: "policy.no-attestor", What: "the bundle has no Attestor", Why: fmt.Sprintf("%q reads attestation, which will never be known", x.source.Field), Fix: "add an Attestor with the keys that are believed"})
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

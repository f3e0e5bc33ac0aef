package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Program is a bundle made ready to decide. It is immutable and safe for
// concurrent use.
type Program struct {
	files      []File
	digest     string
	policy     Policy
	scopes     []scope
	types      []releaseType
	gates      []gate
	chains     map[string]*ApprovalChain
	freezes    []FreezeRule
	params     []Parameter
	cases      []testCase
	frameworks []Framework
	controls   []Control
	includes   []Include
	overlays   []Overlay
	relaxed    []relaxation
	risks      []RiskModel
	windows    []Window
	owners     []Owner
	parameters map[string]any
}

// scope, releaseType and gate are documents with their compiled rules.
type scope struct {
	ScopeRule
	match rule
}

type releaseType struct {
	ReleaseType
	when    rule
	chainAt fault.Position
}

type gate struct {
	Gate
	applies, condition, observed rule
	needs                        sections // named and read
	text                         texts
	controlsAt                   map[string]fault.Position
	relaxed                      []*relaxation
}

// Compile checks a bundle and makes it ready to run. There is a Program where
// no problem is an error.
func Compile(files []File) (*Program, []Problem) {
	p, out := compile(files)
	return p, out.Sorted()
}

func compile(files []File) (*Program, *bundle.Problems) {
	out := &bundle.Problems{}
	r := &reader{out: out, files: files, names: map[string]string{}}
	for _, d := range bundle.Read(files, out) {
		r.document(d)
	}
	p := &Program{
		files: bundle.Clone(files), digest: Digest(files), scopes: r.scopes, types: r.types, gates: r.gates,
		chains: map[string]*ApprovalChain{}, freezes: r.freezes, params: r.params, cases: r.cases,
		frameworks: r.frameworks, controls: r.controls, relaxed: r.relaxed, risks: r.risks, windows: r.windows, owners: r.owners,
	}
	r.included(p)
	r.lay(p)
	r.relax(p)
	for i := range r.chains {
		p.chains[r.chains[i].Name] = &r.chains[i]
	}
	if len(r.policies) > 0 {
		p.policy = r.policies[0]
	}
	r.compile(p)
	r.link(p)
	if out.Failed() {
		return nil, out
	}
	return p, out
}

// compile makes every rule ready to run.
func (r *reader) compile(p *Program) {
	names := map[string]float64{}
	for _, t := range p.types {
		maps.Copy(names, t.Thresholds)
	}
	s, err := environment(p.params, slices.Sorted(maps.Keys(names)))
	if err != nil {
		r.out.Add(Problem{Code: "policy.inputs", What: "the inputs of the conditions cannot be declared"})
		return
	}
	p.parameters = s.parameters
	for i := range p.scopes {
		r.early(s, &p.scopes[i].match)
	}
	for i := range p.types {
		r.early(s, &p.types[i].when)
	}
	for i := range p.relaxed {
		r.early(s, &p.relaxed[i].match)
	}
	for i := range p.gates {
		g := &p.gates[i]
		s.compile(&g.applies, wantBool, r.out)
		s.compile(&g.condition, wantBool, r.out)
		s.compile(&g.observed, wantText, r.out)
		g.needs = g.condition.reads
		for _, n := range g.Needs {
			if sec, ok := sectionNamed(n); ok {
				g.needs = g.needs.with(sec)
			}
		}
		g.text = g.texts(p)
	}
}

// early compiles a rule that runs before the type is known, and so before
// approvals and the calendar are.
func (r *reader) early(s *scoped, x *rule) {
	s.compile(x, wantBool, r.out)
	for _, late := range []section{secApproval, secCalendar} {
		if x.sections().has(late) {
			r.out.Add(Problem{Where: x.source.At(1, 0), Code: "policy.too-early", What: fmt.Sprintf("%q cannot read %s", x.source.Field, late), Why: "which approvals and freezes count depends on the release type, which is chosen with this expression", Fix: "put the condition into a Gate"})
		}
	}
	for _, i := range x.scalars {
		if i.name == "release.type" || strings.HasPrefix(i.name, "threshold.") {
			r.out.Add(Problem{Where: x.source.At(1, 0), Code: "policy.too-early", What: fmt.Sprintf("%q cannot read %s", x.source.Field, i.name), Why: "the release type is chosen with this expression", Fix: "read release.size, release.change_type, service or environment"})
		}
	}
}

// Digest identifies the bundle; see the function Digest.
func (p *Program) Digest() string { return p.digest }

// Files are the sources, by name. The caller may keep and change them.
func (p *Program) Files() []File { return bundle.Clone(p.files) }

// Policy is the name and version of the bundle.
func (p *Program) Policy() Policy { return p.policy }

// Gates are the bundle's gates, in its order.
func (p *Program) Gates() []Gate {
	all := make([]Gate, len(p.gates))
	for i, g := range p.gates {
		all[i] = g.Gate
	}
	return all
}

// ScopeRules are the bundle's scope rules, in its order.
func (p *Program) ScopeRules() []ScopeRule {
	all := make([]ScopeRule, len(p.scopes))
	for i, s := range p.scopes {
		all[i] = s.ScopeRule
	}
	return all
}

// ReleaseTypes are the bundle's release types, in its order.
func (p *Program) ReleaseTypes() []ReleaseType {
	all := make([]ReleaseType, len(p.types))
	for i, t := range p.types {
		all[i] = t.ReleaseType
	}
	return all
}

// Chain is the approval chain of that name.
func (p *Program) Chain(name string) (ApprovalChain, bool) {
	c, ok := p.chains[name]
	if !ok {
		return ApprovalChain{}, false
	}
	return *c, true
}

// FreezeRules are the bundle's freeze rules, in its order.
func (p *Program) FreezeRules() []FreezeRule { return slices.Clone(p.freezes) }

// FreezeRule is the rule of a name. A freeze that names none follows none, and
// nothing is exempt from it.
func (p *Program) FreezeRule(name string) (FreezeRule, bool) {
	for _, z := range p.freezes {
		if z.Name == name {
			return z, true
		}
	}
	return FreezeRule{}, false
}

// Parameters are the bundle's parameters, in its order.
func (p *Program) Parameters() []Parameter { return slices.Clone(p.params) }

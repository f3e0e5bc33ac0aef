package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
)

// Program is a bundle made ready to decide. It is immutable and safe for
// concurrent use.
type Program struct {
	set        document.Set
	digest     string
	scopes     []scope
	types      []releaseType
	gates      []gate
	relaxed    []relaxation
	chains     map[string]*ApprovalChain
	cases      []testCase
	parameters map[string]any
	lists      sections       // whose list some rule reads
	ranks      map[string]int // of gates, the engine's among them, by name
	previous   bool           // some rule reads of the last good release
	listed     bool           // some rule that runs before the type is known reads a list
}

// scope, releaseType and gate are documents with their compiled rules.
type scope struct {
	ScopeRule
	match rule
}

type releaseType struct {
	ReleaseType
	when rule
}

type gate struct {
	Gate
	applies, condition, observed rule
	needs                        sections // named and read
	text                         texts
	relaxed                      []*relaxation
	reason                       Reason // what its inputs do not change of what it finds
}

// Compile checks a bundle and makes it ready to run. There is a Program where
// no problem is an error.
func Compile(files []File) (*Program, []Problem) {
	p, out := compile(files)
	return p, out.Sorted()
}

// reader adds to what documents say what conditions and test cases mean.
type reader struct {
	out   *bundle.Problems
	cases []testCase
}

func compile(files []File) (*Program, *bundle.Problems) {
	out := &bundle.Problems{}
	r := &reader{out: out}
	set := document.Read(files, out, document.Kind{Name: "TestCase", Read: r.testCase})
	p := &Program{set: *set, digest: Digest(files), cases: r.cases, chains: map[string]*ApprovalChain{}}
	for _, s := range set.Scopes {
		p.scopes = append(p.scopes, scope{ScopeRule: s.ScopeRule, match: rule{source: s.Matching}})
	}
	for _, t := range set.Types {
		p.types = append(p.types, releaseType{ReleaseType: t.ReleaseType, when: rule{source: t.Whenever}})
	}
	for _, g := range set.Gates {
		p.gates = append(p.gates, gate{Gate: g.Gate, applies: rule{source: g.Applying}, condition: rule{source: g.Asking}, observed: rule{source: g.Observing}})
	}
	for _, x := range set.Relaxations {
		p.relaxed = append(p.relaxed, relaxation{Relax: x, match: rule{source: x.Matching}})
	}
	for i := range set.Chains {
		p.chains[set.Chains[i].Name] = &set.Chains[i]
	}
	r.relax(p)
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
	s, err := environment(p.set.Parameters, slices.Sorted(maps.Keys(names)))
	if err != nil {
		r.out.Add(Problem{Code: "policy.inputs", What: "the inputs of the conditions cannot be declared"})
		return
	}
	p.parameters = s.parameters
	for i := range p.scopes {
		r.early(s, &p.scopes[i].match)
		p.listed = p.listed || p.scopes[i].match.lists != 0
	}
	for i := range p.types {
		r.early(s, &p.types[i].when)
		p.listed = p.listed || p.types[i].when.lists != 0
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
		g.reason = Reason{
			Gate: g.Name, Title: g.Title, Severity: g.Severity, Controls: g.Controls, Owner: g.Owner, Lift: g.Lift, Next: g.Next,
			Where: g.Where, Required: g.text.required, Code: "unknown", Verdict: CannotTell,
		}
	}
	for _, x := range p.rules() {
		p.lists |= x.lists
		p.previous = p.previous || x.sections().has(secPrevious) || x.lists.has(secLoad)
	}
	all := slices.Clone(engineGates[:])
	for i := range p.gates {
		all = append(all, p.gates[i].Name)
	}
	slices.Sort(all)
	p.ranks = make(map[string]int, len(all))
	for rank, name := range all {
		p.ranks[name] = rank
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
func (p *Program) Files() []File { return bundle.Clone(p.set.Files) }

// Policy is the name and version of the bundle.
func (p *Program) Policy() Policy { return p.set.Policy }

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
func (p *Program) FreezeRules() []FreezeRule { return slices.Clone(p.set.Freezes) }

// FreezeRule is the rule of a name. A freeze that names none follows none, and
// nothing is exempt from it.
func (p *Program) FreezeRule(name string) (FreezeRule, bool) {
	for _, z := range p.set.Freezes {
		if z.Name == name {
			return z, true
		}
	}
	return FreezeRule{}, false
}

// Parameters are the bundle's parameters, in its order.
func (p *Program) Parameters() []Parameter { return slices.Clone(p.set.Parameters) }

// Frameworks are the bundle's frameworks, in its order.
func (p *Program) Frameworks() []Framework { return slices.Clone(p.set.Frameworks) }

// Controls are the bundle's controls, in its order.
func (p *Program) Controls() []Control { return slices.Clone(p.set.Controls) }

// Control is the control of that label (framework/id).
func (p *Program) Control(label string) (Control, bool) {
	for _, c := range p.set.Controls {
		if c.Label() == label {
			return c, true
		}
	}
	return Control{}, false
}

// Includes are the bundles within this one, in its order.
func (p *Program) Includes() []Include { return slices.Clone(p.set.Includes) }

// Overlays are the bundle's overlays, in the order in which they were laid.
func (p *Program) Overlays() []Overlay { return slices.Clone(p.set.Overlays) }

// RiskModels are the bundle's risk models, in its order.
func (p *Program) RiskModels() []RiskModel { return slices.Clone(p.set.RiskModels) }

// Windows are the bundle's windows, in its order.
func (p *Program) Windows() []Window { return slices.Clone(p.set.Windows) }

// Attestors are those whose signed word is believed, in the bundle's order.
func (p *Program) Attestors() []Attestor { return slices.Clone(p.set.Attestors) }

// Owners are who answers for which files, in the bundle's order.
func (p *Program) Owners() []Owner { return slices.Clone(p.set.Owners) }

// OwnerOf is the last of the bundle's owners whose pattern fits the file.
func (p *Program) OwnerOf(file string) (Owner, bool) {
	for _, o := range slices.Backward(p.set.Owners) {
		if o.Owns(file) {
			return o, true
		}
	}
	return Owner{}, false
}

package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/logic"
	"signalbox.dev/signalbox/internal/policy"
)

// conditions finds those that hold always or never, and parts of them that never
// matter.
func (l *linter) conditions() {
	for _, g := range l.p.Gates() {
		l.gate(g)
	}
	for _, t := range l.p.ReleaseTypes() {
		s := l.site("ReleaseType", t.Name, "when", t.When, t.Where)
		if s == nil {
			continue
		}
		switch is, while := l.always(s); is {
		case alwaysTrue:
			l.holdsAlways(s, while, "leave it out, or correct it")
		case alwaysFalse, neverTrue:
			l.warn(named(l.unsatisfiable(s, while, "correct when, or delete the ReleaseType"), "unreachable-type", "no release is ever of type "+t.Name))
		default:
			l.varied(s)
		}
	}
	for _, x := range l.p.Relaxations() {
		s := l.site("Relaxation", x.Name, "match", x.Match, x.Where)
		if s == nil {
			continue
		}
		switch is, while := l.always(s); is {
		case alwaysTrue:
			l.holdsAlways(s, while, "leave match out to relax everywhere, or correct it")
		case alwaysFalse, neverTrue:
			l.warn(named(l.unsatisfiable(s, while, "correct match, or delete the Relaxation"), "unused", fmt.Sprintf("Relaxation %s relaxes nothing", x.Name)))
		default:
			l.varied(s)
		}
	}
}

// varied looks at a condition that neither always holds nor never, as far as is decided.
func (l *linter) varied(s *site) {
	l.idleParts(s)
	if l.o.Verbose {
		l.undecided(s)
	}
}

// undecided warns of a condition of which no inputs are found that make it hold, or
// none that make it fail, and that is not ruled out either.
func (l *linter) undecided(s *site) {
	shown := func(want bool) bool {
		o := map[bool]logic.Outcomes{true: logic.True, false: logic.False}[want]
		return slices.ContainsFunc(s.settings, func(w logic.Setting) bool {
			answer, _ := w.Example(func(in *policy.Inputs) bool {
				held, told := s.question.Holds(in, w.Thresholds)
				return told && held == want
			}, logic.Claim{Term: s.read.Root, Comes: o})
			return answer == logic.Possible
		})
	}
	var open []string
	if !shown(true) {
		open = append(open, "hold")
	}
	if !shown(false) {
		open = append(open, "fail")
	}
	if len(open) > 0 {
		l.warn(bundle.Problem{Where: l.start(s), Code: "policy.not-decided", What: fmt.Sprintf("whether %s can %s is not decided", s.words(), strings.Join(open, ", or can ")), Why: "no inputs are found that show it, and none are ruled out", Fix: "look at it yourself, and let a TestCase show it"})
	}
}

// holdsAlways warns of a condition that does.
func (l *linter) holdsAlways(s *site, while, fix string) {
	if while != "" {
		fix = "set the parameter otherwise, or correct it"
	}
	l.warn(bundle.Problem{Where: l.start(s), Code: "policy.always-true", What: s.words() + " always holds", Why: "no value of what it reads makes it false" + while, Fix: fix})
}

func (l *linter) gate(g policy.Gate) {
	l.demand(g)
	if s := l.site("Gate", g.Name, "applies", g.Applies, g.Where); s != nil {
		switch is, while := l.always(s); is {
		case alwaysTrue:
			l.holdsAlways(s, while, "leave it out, or correct it")
		case alwaysFalse:
			l.warn(named(l.unsatisfiable(s, while, "correct applies, or delete the gate"), "never-applies", fmt.Sprintf("Gate %s never applies", g.Name)))
		case varies:
			l.varied(s)
		}
	}
	if g.Severity == policy.Observe {
		l.warn(bundle.Problem{Where: l.at("Gate", g.Name, "severity", g.Where), Code: "policy.observe-without-end", What: fmt.Sprintf("Gate %s only observes, without an end", g.Name), Why: "what nobody must look at again stays as it is", Fix: "make it warn or block; to try it out, let a ScopeRule observe until a date"})
	}
}

// demand looks at the condition that a gate asks for.
func (l *linter) demand(g policy.Gate) {
	s := l.site("Gate", g.Name, "condition", g.Condition, g.Where)
	if s == nil {
		return
	}
	switch is, while := l.always(s); is {
	case alwaysTrue:
		if len(g.Needs) == 0 && g.MaxAge == 0 && g.Provenance == policy.ByNobody {
			fix := "correct the condition, or delete the gate"
			if while != "" {
				fix = "set the parameter otherwise, or " + fix
			}
			l.warn(bundle.Problem{Where: l.start(s), Code: "policy.always-true", What: s.words() + " always holds", Why: "no value of what it reads makes it false" + while + ", and the gate asks for nothing else", Fix: fix})
		}
	case alwaysFalse, neverTrue:
		p := named(l.unsatisfiable(s, while, "correct the condition: compare with values that its inputs can have"), "unsatisfiable-gate", "nobody can satisfy Gate "+g.Name)
		if g.Severity != policy.Block {
			p.Severity = bundle.LevelWarning
		}
		l.out.Add(p)
	default:
		l.varied(s)
	}
}

// scopes finds rules that can never decide, because they match nothing or a
// stricter one matches wherever they do.
func (l *linter) scopes() {
	rules := l.p.ScopeRules()
	catchAll := ""
	dead := map[string]bool{}
	for _, r := range rules {
		s := l.site("ScopeRule", r.Name, "match", r.Match, r.Where)
		is, while := l.always(s)
		switch is {
		case alwaysFalse, neverTrue:
			dead[r.Name] = true
			l.warn(named(l.unsatisfiable(s, while, "correct match, or delete the rule"), "unreachable-scope", fmt.Sprintf("ScopeRule %s matches nothing", r.Name)))
		case alwaysTrue:
			if s != nil && len(s.question.Reads) > 0 {
				l.holdsAlways(s, while, "leave match out to match all, or correct it")
			}
			if catchAll == "" || stricter(r.Governance, l.governance(catchAll)) {
				catchAll = r.Name
			}
		case varies:
			l.varied(s)
		}
	}
	for _, s := range rules {
		if catchAll != "" && !dead[s.Name] && stricter(l.governance(catchAll), s.Governance) {
			l.warn(bundle.Problem{Where: s.Where, Code: "policy.unreachable-scope", What: fmt.Sprintf("ScopeRule %s never decides", s.Name), Why: fmt.Sprintf("%s matches everything and is stricter", catchAll), Fix: "narrow " + catchAll + ", or delete this rule"})
		}
	}
}

func (l *linter) governance(rule string) string {
	for _, s := range l.p.ScopeRules() {
		if s.Name == rule {
			return s.Governance
		}
	}
	return ""
}

// stricter reports whether governance a is stricter than b.
func stricter(a, b string) bool {
	rank := map[string]int{policy.Full: 2, policy.Light: 1, policy.None: 0}
	return rank[a] > rank[b]
}

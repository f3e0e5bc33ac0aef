package lint

import (
	"fmt"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// conditions finds those that hold always or never.
func (l *linter) conditions() {
	for _, g := range l.p.Gates() {
		l.gate(g)
	}
	for _, t := range l.p.ReleaseTypes() {
		at := l.at("ReleaseType", t.Name, "when", t.Where)
		switch l.always(t.When) {
		case alwaysTrue:
			l.warn(bundle.Problem{Where: at, Code: "policy.always-true", What: fmt.Sprintf("when of ReleaseType %s always holds", t.Name), Why: "no value of what it reads makes it false", Fix: "leave it out, or correct it"})
		case alwaysFalse:
			l.warn(bundle.Problem{Where: at, Code: "policy.unreachable-type", What: fmt.Sprintf("no release is ever of type %s", t.Name), Why: "no value of what its when reads makes it true", Fix: "correct when, or delete the ReleaseType"})
		}
	}
}

func (l *linter) gate(g policy.Gate) {
	at := l.at("Gate", g.Name, "condition", g.Where)
	switch l.always(g.Condition) {
	case alwaysTrue:
		if len(g.Needs) == 0 && g.MaxAge == 0 && g.Provenance == policy.ByNobody {
			l.warn(bundle.Problem{Where: at, Code: "policy.always-true", What: fmt.Sprintf("the condition of Gate %s always holds", g.Name), Why: "no value of what it reads makes it false, and the gate asks for nothing else", Fix: "correct the condition, or delete the gate"})
		}
	case alwaysFalse:
		p := bundle.Problem{Where: at, Code: "policy.unsatisfiable-gate", What: fmt.Sprintf("nobody can satisfy Gate %s", g.Name), Why: "no value of what its condition reads makes it true", Fix: "correct the condition: compare with values that its inputs can have"}
		if g.Severity != policy.Block {
			p.Severity = bundle.LevelWarning
		}
		l.out.Add(p)
	}
	applies := l.at("Gate", g.Name, "applies", g.Where)
	switch l.always(g.Applies) {
	case alwaysTrue:
		l.warn(bundle.Problem{Where: applies, Code: "policy.always-true", What: fmt.Sprintf("applies of Gate %s always holds", g.Name), Why: "no value of what it reads makes it false", Fix: "leave it out, or correct it"})
	case alwaysFalse:
		l.warn(bundle.Problem{Where: applies, Code: "policy.never-applies", What: fmt.Sprintf("Gate %s never applies", g.Name), Why: "no value of what applies reads makes it true", Fix: "correct applies, or delete the gate"})
	}
	if g.Severity == policy.Observe {
		l.warn(bundle.Problem{Where: l.at("Gate", g.Name, "severity", g.Where), Code: "policy.observe-without-end", What: fmt.Sprintf("Gate %s only observes, without an end", g.Name), Why: "what nobody must look at again stays as it is", Fix: "make it warn or block; to try it out, let a ScopeRule observe until a date"})
	}
}

// scopes finds rules that can never decide, because they match nothing or a
// stricter one matches wherever they do.
func (l *linter) scopes() {
	rules := l.p.ScopeRules()
	catchAll := ""
	dead := map[string]bool{}
	for _, s := range rules {
		at := l.at("ScopeRule", s.Name, "match", s.Where)
		switch l.always(s.Match) {
		case alwaysFalse:
			dead[s.Name] = true
			l.warn(bundle.Problem{Where: at, Code: "policy.unreachable-scope", What: fmt.Sprintf("ScopeRule %s matches nothing", s.Name), Why: "no value of what match reads makes it true", Fix: "correct match, or delete the rule"})
		case alwaysTrue:
			if q := l.ask(s.Match); len(q.Reads) > 0 {
				l.warn(bundle.Problem{Where: at, Code: "policy.always-true", What: fmt.Sprintf("match of ScopeRule %s always holds", s.Name), Why: "no value of what it reads makes it false", Fix: "leave match out to match all, or correct it"})
			}
			fallthrough
		case varies:
			if (s.Match == "" || l.always(s.Match) == alwaysTrue) && (catchAll == "" || stricter(s.Governance, l.governance(catchAll))) {
				catchAll = s.Name
			}
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

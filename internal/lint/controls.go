package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// controls finds controls without a gate and gates without a control, in a
// bundle that describes controls, and mandatory ones that the bundle drops.
func (l *linter) controls() {
	all, enforced := l.named()
	described := l.p.Controls()
	for _, c := range described {
		label := c.Label()
		switch {
		case !all[label] && !l.mandatory(c, c.Where):
			l.warn(bundle.Problem{Where: c.Where, Code: "policy.control-without-gate", What: "no gate names the control " + label, Why: "nothing in the policy supports it", Fix: "name it under controls of a gate, or delete the Control"})
		case all[label] && !enforced[label] && c.Coverage == policy.CoverageFull:
			l.warn(bundle.Problem{Where: l.at("Control", c.Name, "coverage", c.Where), Code: "policy.control-not-enforced", What: fmt.Sprintf("the control %s claims full coverage, but no gate that names it blocks", label), Why: "gates that warn or observe do not enforce anything", Fix: "let one of them block, or claim partial or evidence-only coverage"})
		}
	}
	if len(described) > 0 {
		for _, g := range l.p.Gates() {
			if len(g.Controls) == 0 {
				l.warn(bundle.Problem{Where: g.Where, Code: "policy.gate-without-control", What: fmt.Sprintf("Gate %s names no control", g.Name), Why: "auditors cannot tell what it is for", Fix: "name framework/id under controls"})
			}
		}
	}
	for _, c := range l.o.Required {
		if _, there := l.p.Control(c.Label()); !there && !all[c.Label()] {
			l.mandatory(c, l.p.Policy().Where)
		}
	}
}

// named are the controls that gates name, and those that a blocking gate names.
func (l *linter) named() (all, enforced map[string]bool) {
	all, enforced = map[string]bool{}, map[string]bool{}
	for _, g := range l.p.Gates() {
		for _, c := range g.Controls {
			all[c] = true
			enforced[c] = enforced[c] || g.Severity == policy.Block
		}
	}
	return all, enforced
}

// mandatory tells of a control that services ask for and the bundle drops; it
// reports whether there was something to tell.
func (l *linter) mandatory(c policy.Control, at fault.Position) bool {
	if len(c.Mandatory.Flags)+len(c.Mandatory.DataClasses) == 0 {
		return false
	}
	p := bundle.Problem{Where: at, Code: "policy.mandatory-dropped", What: fmt.Sprintf("the mandatory control %s is dropped", c.Label()), Fix: "name it under controls of a gate"}
	if l.o.Services == nil {
		p.Severity = bundle.LevelWarning
		p.Why = "no gate names it, and services with " + strings.Join(slices.Concat(c.Mandatory.Flags, c.Mandatory.DataClasses), ", ") + " must not be without it"
		l.out.Add(p)
		return true
	}
	var asking []string
	for _, s := range l.o.Services {
		if c.Mandatory.Asks(s.Flags, s.DataClasses) {
			asking = append(asking, s.Name)
		}
	}
	if len(asking) == 0 {
		return false
	}
	slices.Sort(asking)
	p.Why = "no gate names it, and " + few(asking) + " must not be without it"
	l.out.Add(p)
	return true
}

// few is a list cut after five.
func few(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}

package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/mandate"
	"signalbox.dev/signalbox/internal/policy"
)

// controls finds controls without a gate and gates without a control, in a
// bundle that describes controls, and mandatory ones that the bundle drops.
func (l *linter) controls() {
	all, enforced := l.named()
	operating, told := l.p.Operating(l.o.Now), map[string]bool{}
	described := l.p.Controls()
	for _, c := range described {
		label := c.Label()
		switch {
		case !operating[label] && l.mandatory(c, c.Where):
			told[label] = true
		case !all[label]:
			l.warn(bundle.Problem{Where: c.Where, Code: "policy.control-without-gate", What: "no gate names the control " + label, Why: "nothing in the policy supports it", Fix: "name it under controls of a gate, or delete the Control"})
		case !enforced[label] && c.Coverage == policy.CoverageFull:
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
	for _, c := range l.o.required() {
		if _, there := l.p.Control(c.Label()); !told[c.Label()] && (!there || !operating[c.Label()]) {
			l.mandatory(c, l.p.Policy().Where)
		}
	}
	for _, p := range mandate.Ungoverned(l.p, l.o.services(), l.o.Places, l.o.Now) {
		l.out.Add(p)
	}
}

// required are the controls that the bundle must not drop: those of the embedded
// packs where it is known which services there are, and what else is asked for.
func (o Options) required() []policy.Control {
	if o.Services == nil {
		return o.Required
	}
	return slices.Concat(mandate.Required(), o.Required)
}

func (o Options) services() []policy.Service {
	var all []policy.Service
	for _, s := range o.Services {
		all = append(all, policy.Service{Name: s.Name, Flags: s.Flags, DataClasses: s.DataClasses})
	}
	return all
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
	p := bundle.Problem{Where: at, Code: "policy.mandatory-dropped", What: fmt.Sprintf("the mandatory control %s is dropped", c.Label()), Fix: "name it under controls of a gate that blocks under full governance"}
	if _, described := l.p.Control(c.Label()); !described {
		p.Fix = "start from signalbox policy init --pack regulated DIR, or describe the Control and " + p.Fix
	}
	if l.o.Services == nil {
		p.Severity = bundle.LevelWarning
		p.Why = "no gate that operates names it, and services with " + strings.Join(slices.Concat(c.Mandatory.Flags, c.Mandatory.DataClasses), ", ") + " must not be without it"
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
	p.Why = "no gate that operates names it, and " + few(asking) + " must not be without it"
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

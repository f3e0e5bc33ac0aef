package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/mandate"
	"signalbox.dev/signalbox/internal/policy"
)

// controls finds controls without a gate and gates without a control, in a
// bundle that describes controls, and mandatory ones that the bundle drops.
func (l *linter) controls() {
	all, enforced := l.named()
	dropped := l.dropped()
	described := l.p.Controls()
	for _, c := range described {
		label := c.Label()
		drop, is := dropped[label]
		switch {
		case is:
			drop.Where = c.Where
			l.out.Add(drop)
			delete(dropped, label)
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
	for _, label := range slices.Sorted(maps.Keys(dropped)) {
		drop := dropped[label]
		drop.Where = l.p.Policy().Where
		l.out.Add(drop)
	}
	for _, p := range mandate.Ungoverned(l.p, l.o.catalog()) {
		l.out.Add(p)
	}
}

func (o Options) catalog() mandate.Catalog {
	return mandate.Catalog{Services: o.Services, Places: o.Places, Now: o.Now}
}

// dropped is what is said of each mandatory control that the bundle drops, by its
// label: an error where services are known that ask for it, else a warning.
func (l *linter) dropped() map[string]bundle.Problem {
	all := map[string]bundle.Problem{}
	tell := func(c policy.Control, weight bundle.Level, who string) {
		p := bundle.Problem{
			Severity: weight, Code: "policy.mandatory-dropped", What: fmt.Sprintf("the mandatory control %s is dropped", c.Label()),
			Why: "no gate that operates names it, and " + who + " must not be without it", Fix: "name it under controls of a gate that blocks under full governance, applies to them and is not relaxed for them",
		}
		if _, described := l.p.Control(c.Label()); !described {
			p.Fix = "start from signalbox policy init --pack regulated DIR, or describe the Control and " + p.Fix
		}
		all[c.Label()] = p
	}
	if l.o.Services != nil {
		for _, d := range mandate.Drops(l.p, l.o.catalog(), l.o.Required...) {
			tell(d.Control, bundle.LevelError, few(d.Services))
		}
		return all
	}
	operating := mandate.Operating(l.p, l.o.Now)
	for _, c := range slices.Concat(l.p.Controls(), l.o.Required) {
		asks := slices.Concat(c.Mandatory.Flags, c.Mandatory.DataClasses)
		if _, described := l.p.Control(c.Label()); len(asks) > 0 && !(described && operating[c.Label()]) {
			tell(c, bundle.LevelWarning, "services with "+strings.Join(asks, ", "))
		}
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

// few is a list cut after five.
func few(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}

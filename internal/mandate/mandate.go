// Package mandate knows which controls some services must not be without, and
// whether a bundle of policy upholds them.
//
// It leaves to policy what a bundle says. Its invariant: a bundle adds to what is
// required of a service, by its flags and data classes, and takes nothing away.
package mandate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Required are the controls that some services must not be without, as the
// regulated pack has them. They are the same whatever a bundle says of itself.
func Required() []policy.Control { return required().controls }

// requirements are controls that are mandatory for some services, and their frameworks.
type requirements struct {
	frameworks []policy.Framework
	controls   []policy.Control
}

func required() requirements {
	described := slices.DeleteFunc(policy.Regulated(), func(f policy.File) bool { return !strings.HasPrefix(f.Name, "controls-") })
	set := document.Read(described, &bundle.Problems{})
	return requirements{set.Frameworks, slices.DeleteFunc(set.Controls, func(c policy.Control) bool { return !some(c.Mandatory) })}
}

func some(m policy.Mandatory) bool { return len(m.Flags)+len(m.DataClasses) > 0 }

// of adds what a bundle makes mandatory itself.
func (q requirements) of(p *policy.Program) requirements {
	for _, c := range p.Controls() {
		if some(c.Mandatory) {
			q.controls = append(q.controls, c)
		}
	}
	q.frameworks = append(q.frameworks, p.Frameworks()...)
	return q
}

func (q requirements) title(framework string) string {
	i := slices.IndexFunc(q.frameworks, func(f policy.Framework) bool { return f.Name == framework })
	if i < 0 {
		return framework
	}
	return q.frameworks[i].Title
}

// Dropped are the controls that a service with these flags and data classes must
// not be without, and that the bundle does not describe, or names in no gate that
// operates: one that blocks under full governance and is not relaxed for every
// release at that instant. A bundle adds to what is Required, and takes nothing away.
func Dropped(p *policy.Program, flags, classes []string, now time.Time) []policy.Control {
	return required().of(p).dropped(p, p.Operating(now), flags, classes)
}

func (q requirements) dropped(p *policy.Program, operating map[string]bool, flags, classes []string) []policy.Control {
	var all []policy.Control
	for _, c := range q.controls {
		label := c.Label()
		if !c.Mandatory.Asks(flags, classes) || slices.ContainsFunc(all, func(d policy.Control) bool { return d.Label() == label }) {
			continue
		}
		if _, described := p.Control(label); !described || !operating[label] {
			all = append(all, c)
		}
	}
	return all
}

// maxUnheld is how much of what does not hold a refusal names.
const maxUnheld = 20

// Uphold is nil where the bundle drops no control that one of the services must
// not be without, and governs those services in full in every production
// environment. Else it is one fault a service and framework, up to twenty.
func Uphold(p *policy.Program, services []policy.Service, places []policy.Environment, now time.Time) error {
	var faults []error
	q, operating := required().of(p), p.Operating(now)
	for _, s := range services {
		if !q.ask(s) {
			continue
		}
		faults = append(faults, q.refusals(s, q.dropped(p, operating, s.Flags, s.DataClasses))...)
		if place := lax(p, s, places, now); place != "" {
			faults = append(faults, ungoverned(p, s, place).Fault())
		}
		if len(faults) >= maxUnheld {
			return errors.Join(faults[:maxUnheld]...)
		}
	}
	return errors.Join(faults...)
}

// Ungoverned are the services that must not be without some control, and that
// the bundle governs less than fully in a production environment.
func Ungoverned(p *policy.Program, services []policy.Service, places []policy.Environment, now time.Time) []policy.Problem {
	var all []policy.Problem
	q := required().of(p)
	for _, s := range services {
		if !q.ask(s) {
			continue
		}
		if place := lax(p, s, places, now); place != "" {
			all = append(all, ungoverned(p, s, place))
		}
	}
	return all
}

func ungoverned(p *policy.Program, s policy.Service, place string) policy.Problem {
	return policy.Problem{
		Where: p.Policy().Where, Code: "policy.not-governed", What: fmt.Sprintf("the policy does not govern service %s in full in %s", s.Name, place),
		Why: "its flags and data classes make controls mandatory, which hold under full governance alone", Fix: "let a ScopeRule govern production in full",
	}
}

// ask reports whether a service must not be without some control.
func (q requirements) ask(s policy.Service) bool {
	return slices.ContainsFunc(q.controls, func(c policy.Control) bool { return c.Mandatory.Asks(s.Flags, s.DataClasses) })
}

// refusals are the faults of one service, one a framework.
func (q requirements) refusals(s policy.Service, dropped []policy.Control) []error {
	var all []error
	for len(dropped) > 0 {
		framework := dropped[0].Framework
		var labels []string
		var why []string
		for _, c := range dropped {
			if c.Framework == framework {
				labels, why = append(labels, c.Label()), append(why, pulling(s, c)...)
			}
		}
		slices.Sort(why)
		all = append(all, fault.Invalidf("policy.mandatory-dropped", "the policy drops %s of service %s: %s", counted(len(labels)), s.Name, abridged(labels)).
			Because(fmt.Sprintf("for %s, %s is mandatory; the policy does not describe what it asks as Controls, or no gate names them that blocks under full governance", strings.Join(slices.Compact(why), " and "), q.title(framework))).
			Remedy("start from the pack that has them, signalbox policy init --pack regulated DIR, or describe each and name it under controls of a gate"))
		dropped = slices.DeleteFunc(dropped, func(c policy.Control) bool { return c.Framework == framework })
	}
	return all
}

// pulling are the flags and data classes of a service that make a control mandatory.
func pulling(s policy.Service, c policy.Control) []string {
	var all []string
	for _, l := range []struct {
		what         string
		has, pulling []string
	}{{"the flag ", s.Flags, c.Mandatory.Flags}, {"the data class ", s.DataClasses, c.Mandatory.DataClasses}} {
		for _, x := range l.has {
			if slices.Contains(l.pulling, x) {
				all = append(all, l.what+x)
			}
		}
	}
	return all
}

// counted is a number of mandatory controls in words.
func counted(n int) string {
	if n == 1 {
		return "1 mandatory control"
	}
	return fmt.Sprintf("%d mandatory controls", n)
}

// abridged is a list of at most three.
func abridged(list []string) string {
	if len(list) <= 3 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
}

// lax is the production environment in which the service is not governed in full, or "".
func lax(p *policy.Program, s policy.Service, places []policy.Environment, now time.Time) string {
	s.Known = true
	for _, e := range places {
		if e.Kind != "production" {
			continue
		}
		e.Known = true
		if p.Classify(policy.Inputs{Contract: policy.Contract, Now: now, Service: s, Environment: e}).Governance != policy.Full {
			return e.Name
		}
	}
	return ""
}

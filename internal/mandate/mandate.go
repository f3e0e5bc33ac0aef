// Package mandate knows which controls a service must not be without, by the
// flags and data classes that its owner gave it, and whether a policy drops one.
//
// It leaves what gates ask to policy, and what is told of a bundle to lint.
// Invariant: what the embedded pack makes mandatory is so whatever a bundle says of
// itself; a bundle adds to it and takes nothing away. Nothing but flags and data
// classes makes a control mandatory: relevance is never inferred.
package mandate

import (
	"cmp"
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

// Catalog is what is known of the world at an instant that matters here.
type Catalog struct {
	Services []policy.Service
	Places   []policy.Environment
	Now      time.Time // what is relaxed until an earlier instant is not any more
}

// Drop is a control that a bundle drops, and the services that must not be without it.
type Drop struct {
	Control  policy.Control
	Services []string // names, sorted
}

// Drops are the controls that services must not be without, those of more beside
// those that are mandatory anyway, and that the bundle does not describe, or that
// do not operate in production: no gate names it that blocks under full governance,
// applies to the service and is not relaxed for it. Where either cannot be told of
// all its releases, the gate operates.
func Drops(p *policy.Program, c Catalog, more ...policy.Control) []Drop {
	q := required().of(p)
	q.controls = append(q.controls, more...)
	found := map[string]*Drop{}
	for _, s := range c.Services {
		for _, one := range q.dropped(p, c, s) {
			if found[one.Label()] == nil {
				found[one.Label()] = &Drop{Control: one}
			}
			d := found[one.Label()]
			d.Services = append(d.Services, s.Name)
		}
	}
	var all []Drop
	for _, d := range found {
		slices.Sort(d.Services)
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Drop) int { return cmp.Compare(a.Control.Label(), b.Control.Label()) })
	return all
}

// dropped are the controls that one service is without, each once.
func (q requirements) dropped(p *policy.Program, c Catalog, s policy.Service) []policy.Control {
	if !q.ask(s) {
		return nil
	}
	operating := c.operating(p, s)
	var all []policy.Control
	for _, one := range q.controls {
		label := one.Label()
		if !one.Mandatory.Asks(s.Flags, s.DataClasses) || slices.ContainsFunc(all, func(d policy.Control) bool { return d.Label() == label }) {
			continue
		}
		if _, described := p.Control(label); !described || !operating[label] {
			all = append(all, one)
		}
	}
	return all
}

// operating are the labels of the controls that operate for a service wherever
// production is.
func (c Catalog) operating(p *policy.Program, s policy.Service) map[string]bool {
	s.Known, s.Owned = true, true // who owns it does not make a control mandatory
	in := policy.Inputs{Contract: policy.Contract, Now: c.Now, Service: s}
	var everywhere map[string]bool
	for _, e := range c.Places {
		if e.Kind != "production" {
			continue
		}
		e.Known = true
		in.Environment = e
		here := named(p.Firm(in))
		for label := range everywhere {
			if !here[label] {
				delete(everywhere, label)
			}
		}
		if everywhere == nil {
			everywhere = here
		}
	}
	if everywhere == nil { // nobody knows where production is
		return named(p.Firm(in))
	}
	return everywhere
}

// Operating are the labels of the controls that operate for some service at an instant.
func Operating(p *policy.Program, now time.Time) map[string]bool {
	return named(p.Firm(policy.Inputs{Contract: policy.Contract, Now: now}))
}

func named(gates []policy.Gate) map[string]bool {
	all := map[string]bool{}
	for _, g := range gates {
		for _, c := range g.Controls {
			all[c] = true
		}
	}
	return all
}

// maxUnheld is how much of what does not hold a refusal names.
const maxUnheld = 20

// Uphold is nil where the bundle drops no control that one of the services must
// not be without, and governs those services in full in every production
// environment. Else it is one fault a service and framework, up to twenty.
func Uphold(p *policy.Program, c Catalog) error {
	var faults []error
	q := required().of(p)
	for _, s := range c.Services {
		if !q.ask(s) {
			continue
		}
		faults = append(faults, q.refusals(s, q.dropped(p, c, s))...)
		if place := c.lax(p, s); place != "" {
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
func Ungoverned(p *policy.Program, c Catalog) []policy.Problem {
	var all []policy.Problem
	q := required().of(p)
	for _, s := range c.Services {
		if !q.ask(s) {
			continue
		}
		if place := c.lax(p, s); place != "" {
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
			Because(fmt.Sprintf("for %s, %s is mandatory; the policy does not describe what it asks as Controls, or no gate names them that blocks under full governance and is neither relaxed for it nor made not to apply", strings.Join(slices.Compact(why), " and "), q.title(framework))).
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

// abridged is a list of at most three.
func abridged(list []string) string {
	if len(list) <= 3 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
}

// lax is the production environment in which the service is not governed in full, or "".
func (c Catalog) lax(p *policy.Program, s policy.Service) string {
	s.Known = true
	for _, e := range c.Places {
		if e.Kind != "production" {
			continue
		}
		e.Known = true
		if p.Classify(&policy.Inputs{Contract: policy.Contract, Now: c.Now, Service: s, Environment: e}).Governance != policy.Full {
			return e.Name
		}
	}
	return ""
}

func counted(n int) string {
	if n == 1 {
		return "1 mandatory control"
	}
	return fmt.Sprintf("%d mandatory controls", n)
}

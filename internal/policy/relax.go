package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
	"signalbox.dev/signalbox/internal/fault"
)

type relaxation struct {
	document.Relax
	match rule
}

// EveryRelease is the scope of what matches all.
const EveryRelease = "every release"

// Relaxed is a control, or several, that does not operate.
type Relaxed struct {
	Gate     string         `json:"gate,omitempty"` // "": every gate that blocks
	Title    string         `json:"title"`
	Controls []string       `json:"controls,omitempty"`
	Scope    string         `json:"scope"` // EveryRelease, or the condition
	To       string         `json:"to"`    // off, observe, warn
	By       string         `json:"by"`
	Until    time.Time      `json:"until"`
	Reason   string         `json:"reason"`
	Where    fault.Position `json:"where"`
}

// relax gives every gate its relaxations.
func (r *reader) relax(p *Program) {
	for i := range p.relaxed {
		x := &p.relaxed[i]
		g := slices.IndexFunc(p.gates, func(g gate) bool { return g.Name == x.Gate })
		switch {
		case x.Gate == "":
		case g < 0:
			var names []string
			for _, g := range p.gates {
				names = append(names, g.Name)
			}
			r.out.Add(Problem{Where: x.GateAt, Code: "policy.no-gate", What: fmt.Sprintf("there is no Gate %q", x.Gate), Why: "Relaxation " + x.Name + " names it", Fix: bundle.DidYouMean(x.Gate, names)})
		case x.To != "" && leniency[x.To] <= leniency[string(p.gates[g].Severity)]:
			r.warn(Problem{Where: x.Where, Code: "policy.unused", What: fmt.Sprintf("Gate %s is of severity %s already", x.Gate, p.gates[g].Severity), Why: "Relaxation " + x.Name + " changes nothing", Fix: "delete it"})
		default:
			p.gates[g].relaxed = append(p.gates[g].relaxed, x)
		}
	}
}

// leniency orders what becomes of a gate, strictest first.
var leniency = map[string]int{string(Block): 0, string(Warn): 1, string(Observe): 2, document.Off: 3}

// relaxed is the most lenient relaxation of a gate in effect, nil where none is,
// and when time alone could change that.
func (v *values) relaxed(g *gate) (*relaxation, time.Time) {
	var most *relaxation
	var until time.Time
	for _, x := range g.relaxed {
		if !v.in.Now.Before(x.Until) {
			continue
		}
		held, why := v.sure(&x.match)
		if why != "" {
			continue
		}
		until = sooner(until, v.turn(&x.match, held))
		if !held {
			continue
		}
		until = sooner(until, x.Until)
		if most == nil || leniency[x.To] > leniency[most.To] {
			most = x
		}
	}
	return most, until
}

// ask weighs a gate as far as it is not relaxed.
func (v *values) ask(g *gate, r *Reason) (until time.Time) {
	x, end := v.relaxed(g)
	if x != nil && x.To == document.Off {
		*r = x.off(g)
		return end
	}
	until = v.weigh(g, r)
	if x != nil {
		x.take(r)
	}
	return sooner(until, end)
}

// isOff reports whether a gate is not asked.
func (v *values) isOff(g *gate) bool {
	x, _ := v.relaxed(g)
	return x != nil && x.To == document.Off
}

// words say that a gate is relaxed.
func (x *relaxation) words() string {
	to := "switched off"
	if x.To != document.Off {
		to = "relaxed to " + x.To
	}
	return fmt.Sprintf("The gate is %s until %s by %s: %s.", to, x.Until.UTC().Format(time.RFC3339), x.By, strings.TrimSuffix(x.Reason, "."))
}

// off is the reason of a gate that is not asked.
func (x *relaxation) off(g *gate) Reason {
	return Reason{
		Gate: g.Name, Title: g.Title, Code: "relaxed", Severity: Observe, Verdict: CannotTell, Why: x.words(), Observed: "not asked", Required: g.text.required,
		Controls: g.Controls, Owner: g.Owner, Until: x.Until, Where: x.Where,
	}
}

// take lowers what a gate found.
func (x *relaxation) take(r *Reason) {
	r.Severity = Severity(x.To)
	if r.Verdict != Go {
		r.Code, r.Until = "relaxed", x.Until
	}
	r.Why += " " + x.words()
}

// Firm are the gates that block under full governance and that no release can be
// told not to be asked, by what the inputs say of it: each applies and is not
// relaxed, or whether it does cannot be told.
func (p *Program) Firm(in Inputs) []Gate {
	var spent uint64
	v := &values{in: &in, parameters: p.parameters, spent: &spent}
	var all []Gate
	for i := range p.gates {
		g := &p.gates[i]
		applies, why := v.sure(&g.applies)
		if relaxed, _ := v.relaxed(g); g.Severity == Block && slices.Contains(g.Governance, Full) && (applies || why != "") && relaxed == nil {
			all = append(all, g.Gate)
		}
	}
	return all
}

// NotOperating are the controls that do not operate at an instant, by whose word
// and until when: gates relaxed, scopes observed, and the bundle's own mode.
func (p *Program) NotOperating(now time.Time) []Relaxed {
	var all []Relaxed
	var controls []string
	for _, g := range p.gates {
		if g.Severity == Block {
			controls = append(controls, g.Controls...)
		}
	}
	slices.Sort(controls)
	controls = slices.Compact(controls)
	if p.set.Policy.Lenient(now) {
		all = append(all, Relaxed{Title: "Every gate", Controls: controls, Scope: EveryRelease, To: p.set.Policy.Mode, By: p.set.Policy.By, Until: p.set.Policy.Until, Reason: "mode " + p.set.Policy.Mode, Where: p.set.Policy.Where})
	}
	for _, s := range p.scopes {
		if s.observed(now) {
			all = append(all, Relaxed{Title: "Every gate", Controls: controls, Scope: scopeWords(s.Match), To: string(Observe), By: s.Observe.By, Until: s.Observe.Until, Reason: s.Reason, Where: s.Where})
		}
	}
	for _, g := range p.gates {
		for _, x := range g.relaxed {
			if now.Before(x.Until) {
				all = append(all, Relaxed{Gate: g.Name, Title: g.Title, Controls: g.Controls, Scope: scopeWords(x.Match), To: x.To, By: x.By, Until: x.Until, Reason: x.Reason, Where: x.Where})
			}
		}
	}
	return all
}

func scopeWords(match string) string {
	if match == "" {
		return EveryRelease
	}
	return strings.Join(strings.Fields(match), " ")
}

// Relaxations are the bundle's relaxations, in its order.
func (p *Program) Relaxations() []Relaxation {
	all := make([]Relaxation, len(p.relaxed))
	for i, x := range p.relaxed {
		all[i] = x.Relaxation
	}
	return all
}

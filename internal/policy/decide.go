package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
)

// Decide is the bundle's answer to the inputs: every reason, and the worst of
// those that block. It is pure: the same inputs give the same outcome.
func (p *Program) Decide(in Inputs) Outcome {
	return p.decide(p.Classify(&in))
}

// Decide is the answer of the bundle that classified, to the inputs that it was
// given, in which what hangs on the type stands by now: approvals, calendar, lists.
func (c Classification) Decide() Outcome {
	var over string
	if over, c.modest = c.in.excess(); c.program.listed || over != "" {
		terse := c.Terse
		c = c.program.Classify(c.in)
		c.Terse = terse
	}
	return c.program.decide(c)
}

// roomObserved is room for what a gate observed, in bytes: more than most take.
const roomObserved = 48

// roomReasons is room for the reasons of most bundles while they are weighed; it is
// on the stack, and what comes of it is moved once, to where it stands.
const roomReasons = 40

// decide weighs what is classified. While gates run, the inputs are what they see.
func (p *Program) decide(c Classification) Outcome {
	in, spent := c.in, c.spent
	v := &values{in: in, parameters: p.parameters, spent: &spent, modest: c.modest, terse: c.Terse, texts: &strings.Builder{}}
	if !c.Terse {
		v.texts.Grow(roomObserved * len(p.gates))
	}
	o := Outcome{
		Enforced: c.Observe == nil, Governance: c.Governance, ScopeRule: c.ScopeRule, Observe: c.Observe,
		Size: c.Size, ChangeType: c.ChangeType, Until: c.until,
	}
	if c.Type != nil {
		o.Type, v.thresholds = c.Type.Name, c.Type.Thresholds
	}
	var room [roomReasons]Reason
	reasons := append(room[:0], c.Reasons...)
	if c.Governance != None && reasons[0].Gate != gateInputs {
		declared := in.Release
		in.Release.Size, in.Release.ChangeType, in.Release.Type = c.Size, c.ChangeType, o.Type
		var until time.Time
		reasons, until = p.weighAll(v, &c, reasons)
		o.Until = sooner(o.Until, until)
		in.Release = declared
	}
	o.Reasons = p.arranged(reasons, c.Terse)
	o.Verdict = worst(o.Reasons)
	p.soften(in, &o)
	return o
}

// weighAll adds the reason of every applicable gate and of what the engine itself asks for.
func (p *Program) weighAll(v *values, c *Classification, reasons []Reason) (_ []Reason, until time.Time) {
	certain := false
	for i := range p.gates {
		g := &p.gates[i]
		if !slices.Contains(g.Governance, c.Governance) {
			continue
		}
		applies, why := v.sure(&g.applies)
		if why == "" {
			certain = certain || applies && !v.isOff(g)
			if g.Severity == Block {
				until = sooner(until, v.turn(&g.applies, applies))
			}
			if !applies {
				continue
			}
		}
		reasons = append(reasons, g.reason)
		end := v.ask(g, &reasons[len(reasons)-1])
		if g.Severity == Block {
			until = sooner(until, end)
		}
	}
	if !certain {
		reasons = append(reasons, Reason{Gate: gateGates, Title: "At least one gate applies", Code: "no-gate", Severity: Block, Verdict: CannotTell, Why: "No gate is certain to apply to this release.", Observed: "no gate", Required: "at least one gate", Next: "Add a Gate that applies to this scope, or a ScopeRule with governance none."})
	}
	frozen := p.calendar(v.in)
	reasons = append(reasons, contributors(v.in), c.approval(v.in), frozen)
	if early, asked := c.leadTime(v.in); asked {
		reasons = append(reasons, early)
		until = sooner(until, early.Until)
	}
	return reasons, sooner(until, frozen.Until)
}

// weight orders reasons: blocking ones that do not pass by verdict, then
// warnings, observations and what passed.
func weight(r *Reason) int {
	switch {
	case r.Verdict == Go:
		return 6
	case r.Severity == Warn:
		return 4
	case r.Severity == Observe:
		return 5
	}
	return 3 - r.Verdict.Rank()
}

// arranged are reasons, or those of them that do not pass, by weight and by name,
// which ranks stand for. They are large, so their places are sorted and each is moved once.
func (p *Program) arranged(reasons []Reason, terse bool) []Reason {
	order := make([]int, 0, roomReasons) // weight, rank and place in one number
	for i := range reasons {
		if r := &reasons[i]; !terse || r.Verdict != Go {
			order = append(order, (weight(r)*len(p.ranks)+p.ranks[r.Gate])*len(reasons)+i)
		}
	}
	slices.Sort(order)
	all := make([]Reason, len(order))
	for i := range order {
		all[i] = reasons[order[i]%len(reasons)]
	}
	return all
}

// weigh asks one gate, whose reason r is as far as inputs do not change it; until
// is when time alone could change its answer.
func (v *values) weigh(g *gate, r *Reason) (until time.Time) {
	if why := cmp.Or(v.in.unsure(g.needs), v.unloaded(&g.condition), v.silence(&g.condition)); why != "" {
		r.Why, r.Observed = sentence(why)+".", why
		return time.Time{}
	}
	if done := v.believed(g, r); done {
		return time.Time{}
	}
	until, stale := v.fresh(g, r)
	if stale {
		return time.Time{}
	}
	held, err := v.holds(&g.condition)
	r.Observed = v.observe(g)
	switch {
	case err != nil:
		r.Code, r.Why = "error", sentence(failure(err))+"."
		return until
	case !held:
		r.Code, r.Verdict = "failed", g.OnFail
		r.Why = v.failed(g)
	case g.condition.severity && v.in.Findings.Unrated > 0:
		r.Why = fmt.Sprintf("%s without a severity, so the counts by severity cannot be relied on.", ordinal(v.in.Findings.Unrated, "finding is", "findings are"))
	case g.condition.since && v.in.Release.SubmittedAt.IsZero():
		r.Why = "The release is not submitted, so no time since then can be relied on."
	case !v.withstands(&g.condition):
		r.Why = "The condition holds only for want of something that is not known."
	default:
		r.Code, r.Verdict, r.Why, r.Next = "passed", Go, "The condition holds.", ""
	}
	return sooner(until, v.turn(&g.condition, held))
}

// believed refuses what is sent by someone weaker than the gate asks for.
func (v *values) believed(g *gate, r *Reason) bool {
	if g.Provenance == ByNobody {
		return false
	}
	for s := range g.needs.each {
		if p, has := v.in.provenance(s); has && !p.AtLeast(g.Provenance) {
			r.Code, r.Verdict = "provenance", NoGo
			r.Observed, r.Required = fmt.Sprintf("%s comes from %s", s, believer(p)), fmt.Sprintf("%s from %s, or stronger", s, believer(g.Provenance))
			r.Why = sentence(r.Observed) + ", which this gate does not believe."
			return true
		}
	}
	return false
}

var believers = map[Provenance]string{ByServer: "the server itself", ByAttestor: "an attestor", ByPipeline: "a pipeline", ByPerson: "a person", Assumed: "an assumption"}

func believer(p Provenance) string { return cmp.Or(believers[p], "nobody") }

// fresh refuses what is older than the gate accepts, and says when the first expires.
func (v *values) fresh(g *gate, r *Reason) (until time.Time, stale bool) {
	if g.MaxAge == 0 {
		return time.Time{}, false
	}
	for s := range g.needs.each {
		age := v.in.age(s)
		if age == nil {
			continue
		}
		if *age < 0 || *age > g.MaxAge.Hours() {
			r.Code = "stale"
			r.Observed, r.Required = fmt.Sprintf("%s.age_hours = %s", s, number(*age)), "at most "+bundle.Duration(g.MaxAge)+" old"
			r.Why = fmt.Sprintf("What is known of %s is too old.", s)
			if *age < 0 {
				r.Why = fmt.Sprintf("What is known of %s lies in the future.", s)
			}
			return time.Time{}, true
		}
		left := g.MaxAge - time.Duration(*age*float64(time.Hour))
		until = sooner(until, v.in.Now.Add(left.Truncate(time.Second)))
	}
	return until, false
}

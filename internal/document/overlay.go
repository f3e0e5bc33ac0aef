package document

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/fault"
)

// Overlay changes a document of the bundle, most often of an included one. It
// may only tighten: whatever passes with it passes without it.
type Overlay struct {
	Name, Reason string
	Kind, Target string // of the document
	Fields       []string
	Where        fault.Position
}

// overlay is a document still to be laid over another.
type overlay struct {
	Overlay
	set *bundle.Fields // nil: there is none
	at  fault.Position // of the target's name
}

// overlaid are the kinds that an Overlay can tighten.
var overlaid = []string{"ApprovalChain", "Attestor", "Gate", "Parameter", "ReleaseType", "ScopeRule"}

func (r *Reader) overlay(f *bundle.Fields) {
	o := overlay{Overlay: Overlay{Name: r.name(f, "Overlay", nameForm), Reason: f.Text("reason"), Where: f.At()}, set: f.Mapping("set")}
	if !f.Has("set") {
		f.Missing("set")
	}
	if o.set != nil {
		o.Fields = o.set.Keys()
	}
	if t := f.Mapping("target"); t != nil {
		o.Kind, o.Target, o.at = t.Choice("kind", "", overlaid...), t.Need("name"), t.ValueAt("name")
		if !t.Has("kind") {
			t.Missing("kind")
		}
		t.Done("a target")
	} else if !f.Has("target") {
		f.Missing("target")
	}
	r.overlays = append(r.overlays, o)
}

// tightening lays one overlay over one document.
type tightening struct {
	*Reader
	*bundle.Fields
	overlay *overlay
}

// overlay lays every overlay over its document, in the order of the bundle.
func (r *Reader) lay(p *Set) {
	for i := range r.overlays {
		o := &r.overlays[i]
		p.Overlays = append(p.Overlays, o.Overlay)
		if o.set == nil || o.Kind == "" || o.Target == "" {
			continue
		}
		t := tightening{r, o.set, o}
		known := t.lay(p)
		if known != nil {
			r.Out.Add(bundle.Problem{Where: o.at, Code: "policy.no-target", What: fmt.Sprintf("there is no %s %q", o.Kind, o.Target), Why: "Overlay " + o.Name + " names it", Fix: bundle.DidYouMean(o.Target, known)})
			continue
		}
		o.set.Done("an Overlay of a " + o.Kind)
	}
}

// lay finds the document and tightens it; where there is none it is the names known.
func (t tightening) lay(p *Set) (known []string) {
	known = []string{}
	found := func(name string) bool {
		known = append(known, name)
		return name == t.overlay.Target
	}
	switch t.overlay.Kind {
	case "Gate":
		if i := slices.IndexFunc(p.Gates, func(g GateRule) bool { return found(g.Name) }); i >= 0 {
			t.gate(&p.Gates[i])
			return nil
		}
	case "ReleaseType":
		if i := slices.IndexFunc(p.Types, func(x Type) bool { return found(x.Name) }); i >= 0 {
			t.releaseType(&p.Types[i])
			return nil
		}
	case "Parameter":
		if i := slices.IndexFunc(p.Parameters, func(x Parameter) bool { return found(x.Name) }); i >= 0 {
			t.parameter(&p.Parameters[i])
			return nil
		}
	case "ScopeRule":
		if i := slices.IndexFunc(p.Scopes, func(x Scope) bool { return found(x.Name) }); i >= 0 {
			t.scope(&p.Scopes[i])
			return nil
		}
	case "Attestor":
		if i := slices.IndexFunc(p.Attestors, func(x Attestor) bool { return found(x.Name) }); i >= 0 {
			t.attestor(&p.Attestors[i])
			return nil
		}
	case "ApprovalChain":
		if i := slices.IndexFunc(t.Chains, func(x ApprovalChain) bool { return found(x.Name) }); i >= 0 {
			t.chain(&t.Chains[i])
			return nil
		}
	}
	return known
}

// looser reports a field that would not tighten.
func (t tightening) looser(key, what, why string) {
	t.Out.Add(bundle.Problem{Where: t.ValueAt(key), Code: "policy.looser", What: fmt.Sprintf("the overlay does not tighten %s of %s %s: %s", key, t.overlay.Kind, t.overlay.Target, what), Why: "an overlay may only tighten; " + why, Fix: "drop the field, or change the document itself"})
}

// idle warns of a field that changes nothing.
func (t tightening) idle(key string) {
	t.warn(bundle.Problem{Where: t.ValueAt(key), Code: "policy.overlay-idle", What: fmt.Sprintf("%s of %s %s is that already", key, t.overlay.Kind, t.overlay.Target), Fix: "drop the field"})
}

// ranked takes a choice that is later in the order, loosest first.
func (t tightening) ranked(key, now string, order ...string) string {
	if !t.Has(key) {
		return now
	}
	next := t.Choice(key, "", order...)
	switch was, is := slices.Index(order, now), slices.Index(order, next); {
	case next == "":
	case is == was:
		t.idle(key)
	case is < was:
		t.looser(key, next+" is weaker than "+now, "from loose to strict they are "+strings.Join(order, ", "))
	default:
		return next
	}
	return now
}

// shorter takes a duration below the one there is; none there is the longest.
func (t tightening) shorter(key string, now time.Duration) time.Duration {
	next := t.Duration(key, 0, maxDuration)
	switch {
	case next == 0:
	case next == now:
		t.idle(key)
	case now != 0 && next > now:
		t.looser(key, bundle.Duration(next)+" is longer than "+bundle.Duration(now), "a shorter time is stricter here")
	default:
		return next
	}
	return now
}

// added takes texts beside those that there are.
func (t tightening) added(key string, now, more []string) []string {
	all := slices.Clone(now)
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	if t.Has(key) && len(all) == len(now) {
		t.idle(key)
	}
	return all
}

func (t tightening) gate(g *GateRule) {
	g.Severity = Severity(t.ranked("severity", string(g.Severity), string(Observe), string(Warn), string(Block)))
	g.OnFail = Verdict(t.ranked("on_fail", string(g.OnFail), string(Wait), string(NoGo)))
	g.MaxAge = t.shorter("max_age", g.MaxAge)
	if t.Has("provenance") {
		g.Provenance = Provenance(t.ranked("provenance", string(g.Provenance), string(ByNobody), string(ByPerson), string(ByPipeline), string(ByAttestor), string(ByServer)))
	}
	g.Needs = t.added("needs", g.Needs, t.Choices("needs", Needable()...))
	g.Governance = t.added("governance", g.Governance, t.Choices("governance", Full, Light))
	controls := t.Reader.labels(t.Fields)
	for _, c := range controls {
		if _, known := g.ControlsAt[c]; !known {
			g.ControlsAt[c] = t.ItemAt("controls", c)
		}
	}
	g.Controls = t.added("controls", g.Controls, controls)
}

func (t tightening) releaseType(x *Type) {
	if next := t.Duration("lead_time", 0, maxDuration); next != 0 {
		switch {
		case next == x.LeadTime:
			t.idle("lead_time")
		case next < x.LeadTime:
			t.looser("lead_time", bundle.Duration(next)+" is shorter than "+bundle.Duration(x.LeadTime), "a longer lead time is stricter")
		default:
			x.LeadTime = next
		}
	}
	x.PermitTTL = t.shorter("permit_ttl", x.PermitTTL)
	x.RollbackTimeObjective = t.shorter("rollback_time_objective", x.RollbackTimeObjective)
	if next := t.Text("chain"); next != "" {
		t.chained(x, next)
	}
	if t.Has("thresholds") {
		t.Mapping("thresholds")
		t.looser("thresholds", "nothing says which way a threshold is stricter", "make it a Parameter with strict: min or strict: max")
	}
}

// chained takes a chain that asks for all that the one there asks for.
func (t tightening) chained(x *Type, name string) {
	find := func(name string) *ApprovalChain {
		if i := slices.IndexFunc(t.Chains, func(c ApprovalChain) bool { return c.Name == name }); i >= 0 {
			return &t.Chains[i]
		}
		return nil
	}
	now, next := find(x.Chain), find(name)
	switch {
	case name == x.Chain:
		t.idle("chain")
	case next == nil && name != NoChain:
		t.Out.Add(bundle.Problem{Where: t.ValueAt("chain"), Code: "policy.no-chain", What: fmt.Sprintf("there is no ApprovalChain %q", name), Why: "Overlay " + t.overlay.Name + " names it"})
	case next == nil:
		t.looser("chain", "none asks nobody", "chain "+x.Chain+" asks somebody")
	case x.Chain == NoChain:
		x.Chain = name
	case now == nil || len(now.Tiers) == 0 || len(next.Tiers) == 0:
	default:
		if why := laxer(now, next); why != "" {
			t.looser("chain", why, "a stricter chain asks as many persons of the same groups or fewer groups, and its votes last no longer")
			return
		}
		x.Chain = name
	}
}

// laxer says in what a chain asks for less than another, or "".
func laxer(now, next *ApprovalChain) string {
	a, b := now.Tiers[0], next.Tiers[0]
	for _, g := range b.Groups {
		if !slices.Contains(a.Groups, g) {
			return fmt.Sprintf("group %s could approve, which chain %s does not ask", g, now.Name)
		}
	}
	switch {
	case b.Quorum < a.Quorum:
		return fmt.Sprintf("chain %s asks for %s, chain %s for %d", next.Name, figure(float64(b.Quorum))+" approvals", now.Name, a.Quorum)
	case next.ValidFor > now.ValidFor:
		return "votes of chain " + next.Name + " last longer"
	case next.Rejections > now.Rejections:
		return "chain " + next.Name + " takes more persons to reject"
	}
	return ""
}

func (t tightening) parameter(x *Parameter) {
	next, number64 := t.Number("value")
	now, numeric := x.Value.(float64)
	switch {
	case !t.Has("value"):
		t.Missing("value")
	case !number64:
	case !numeric || x.Strict == "":
		t.looser("value", "nothing says which way it is stricter", "the Parameter must say strict: min (less is stricter) or strict: max")
	case next == now:
		t.idle("value")
	case (x.Strict == "min") != (next < now):
		t.looser("value", fmt.Sprintf("%s is not stricter than %s", figure(next), figure(now)), "the Parameter says strict: "+x.Strict)
	case x.Min != nil && next < *x.Min || x.Max != nil && next > *x.Max:
		t.Out.Add(bundle.Problem{Where: t.ValueAt("value"), Code: "policy.out-of-range", What: fmt.Sprintf("the value of %q is outside its bounds", x.Name)})
	default:
		x.Value = next
	}
}

func (t tightening) scope(s *Scope) {
	s.Governance = t.ranked("governance", s.Governance, None, Light, Full)
	until := t.Instant("observe_until")
	switch {
	case until.IsZero():
	case s.Observe == nil:
		t.looser("observe_until", "the rule is enforced already", "to observe is looser than to enforce")
	case until.Equal(s.Observe.Until):
		t.idle("observe_until")
	case until.After(s.Observe.Until):
		t.looser("observe_until", "observing would last longer", "an earlier end is stricter")
	default:
		s.Observe = &Observed{By: s.Observe.By, Until: until}
	}
}

func (t tightening) attestor(a *Attestor) {
	next := t.Count("threshold", 0, 1, MaxAttestorKeys)
	switch now := a.Threshold; {
	case !t.Has("threshold"):
		t.Missing("threshold")
	case next == 0:
	case next == now:
		t.idle("threshold")
	case next < now:
		t.looser("threshold", fmt.Sprintf("%d is less than %d", next, now), "more keys are stricter")
	case next > len(a.Keys):
		t.Out.Add(bundle.Problem{Where: t.ValueAt("threshold"), Code: "policy.threshold", What: fmt.Sprintf("Attestor %s would ask for %d keys and has %d", a.Name, next, len(a.Keys)), Why: "nothing could ever be its word"})
	default:
		a.Threshold = next
	}
}

func (t tightening) chain(c *ApprovalChain) {
	if t.Has("quorum") && len(c.Tiers) > 0 {
		next := t.Count("quorum", 0, 1, 100)
		switch now := c.Tiers[0].Quorum; {
		case next == 0:
		case next == now:
			t.idle("quorum")
		case next < now:
			t.looser("quorum", fmt.Sprintf("%d is less than %d", next, now), "more persons are stricter")
		default:
			c.Tiers[0].Quorum = next
		}
	}
	c.ValidFor = t.shorter("valid_for", c.ValidFor)
	if t.Has("rejections") {
		next := t.Count("rejections", 0, 1, 100)
		switch {
		case next == 0:
		case next == c.Rejections:
			t.idle("rejections")
		case next > c.Rejections:
			t.looser("rejections", fmt.Sprintf("%d is more than %d", next, c.Rejections), "fewer persons who reject are stricter")
		default:
			c.Rejections = next
		}
	}
}

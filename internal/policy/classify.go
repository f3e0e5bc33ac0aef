package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/fault"
)

// Classification is what a release counts as, before approvals and the
// calendar are weighed.
type Classification struct {
	Governance string
	ScopeRule  string    // the rule that decided governance; "" where none did
	Observe    *Observed // set where the scope is observed at Inputs.Now
	Size       string
	ChangeType string
	Type       *ReleaseType   // nil where no single type could be chosen, and under governance none
	Chain      *ApprovalChain // nil where nobody need approve or Type is nil
	ExemptFrom []string       // the FreezeRules that Type is exempt from
	Reasons    []Reason
	Verdict    Verdict // the worst of Reasons
	Terse      bool    // Decide leaves out what passes, and need not say what was observed, nor which part of a condition failed

	program *Program
	in      *Inputs
	modest  bool
	until   time.Time // how long it can hold as far as time goes
	spent   uint64    // of the decision's budget
}

// Engine reasons have names of their own.
const (
	gateInputs       = "signalbox/inputs"
	gateScope        = "signalbox/scope"
	gateService      = "signalbox/service"
	gateEnvironment  = "signalbox/environment"
	gateRelease      = "signalbox/release"
	gateSize         = "signalbox/size"
	gateChangeType   = "signalbox/change-type"
	gateType         = "signalbox/type"
	gateContributors = "signalbox/contributors"
	gateApproval     = "signalbox/approval"
	gateLeadTime     = "signalbox/lead-time"
	gateCalendar     = "signalbox/calendar"
	gateGates        = "signalbox/gates"
)

var engineGates = [...]string{gateInputs, gateScope, gateService, gateEnvironment, gateRelease, gateSize, gateChangeType, gateType, gateContributors, gateApproval, gateLeadTime, gateCalendar, gateGates}

// Classify says what the release counts as. It reads neither approval nor
// calendar; they and the lists may be filled in before the classification decides.
func (p *Program) Classify(in *Inputs) Classification {
	over, modest := in.excess()
	c := Classification{program: p, in: in, modest: modest, Reasons: make([]Reason, 0, 4)}
	v := &values{in: in, parameters: p.parameters, spent: new(uint64), modest: modest}
	if over != "" {
		c.Governance = Full
		c.add(Reason{Gate: gateInputs, Title: "Inputs within their limits", Code: "out-of-limits", Verdict: CannotTell, Why: fmt.Sprintf("What is given as %s is longer than is accepted, or not a number.", over), Required: fmt.Sprintf("texts of at most %d bytes, lists of at most %d items, finite numbers", MaxInputText, MaxInputList)})
		c.Verdict = worst(c.Reasons)
		return c
	}
	c.until = p.scope(v, &c)
	if c.Governance != None {
		size(in, &c)
		changeType(in, &c)
		c.until = sooner(c.until, p.choose(v, &c))
	}
	c.Verdict, c.spent = worst(c.Reasons), *v.spent
	return c
}

// add appends a reason of the engine, which always blocks.
func (c *Classification) add(r Reason) {
	r.Severity = Block
	c.Reasons = append(c.Reasons, r)
}

// scope weighs every rule that matches.
func (p *Program) scope(v *values, c *Classification) time.Time {
	w := weighing{}
	for i := range p.scopes {
		w.weigh(v, &p.scopes[i])
	}
	strange := c.strangers(v.in)
	winner := w.winner(v.in.Now)
	switch {
	case winner == nil && len(w.unsure) == 0:
		c.Governance = Full
		c.add(Reason{Gate: gateScope, Title: "Governed by a scope rule", Code: "no-rule", Verdict: CannotTell, Why: "No scope rule matches this release.", Required: "one scope rule that matches", Next: "Add a ScopeRule that matches, or correct the environment or service."})
		return w.until
	case winner != nil:
		c.Governance, c.ScopeRule = winner.Governance, winner.Name
		if winner.observed(v.in.Now) {
			c.Observe = winner.Observe
		}
	}
	if strange {
		c.Governance, c.Observe = Full, nil
	}
	if len(w.unsure) > 0 && !strange && (winner == nil || winner.Governance != Full || c.Observe != nil) {
		c.Governance, c.Observe = Full, nil
		c.add(Reason{Gate: gateScope, Title: "Governed by a scope rule", Code: "unknown", Verdict: CannotTell, Why: "Whether scope rule " + w.unsure[0].name + " matches cannot be told: " + w.unsure[0].why + ".", Where: w.unsure[0].at})
		return w.until
	}
	c.governed(winner)
	return w.until
}

var governances = map[string]string{Full: "in full", Light: "lightly", None: "not at all"}

func (c *Classification) governed(winner *scope) {
	if winner == nil {
		return
	}
	why := "Scope rule " + winner.Name + " governs this release: " + governances[c.Governance] + "."
	if winner.Reason != "" {
		why += " " + sentence(strings.TrimSuffix(winner.Reason, ".")) + "."
	}
	c.add(Reason{Gate: gateScope, Title: "Governed by a scope rule", Code: "passed", Verdict: Go, Why: why, Observed: winner.Name, Where: winner.Where})
}

// strangers adds a reason for an unknown service or environment.
func (c *Classification) strangers(in *Inputs) bool {
	for _, s := range []struct {
		known             bool
		gate, title, name string
	}{
		{in.Service.Known, gateService, "The service is known", in.Service.Name},
		{in.Environment.Known, gateEnvironment, "The environment is known", in.Environment.Name},
	} {
		if s.known {
			continue
		}
		what := strings.TrimPrefix(s.gate, "signalbox/")
		c.add(Reason{Gate: s.gate, Title: s.title, Code: "unknown", Verdict: CannotTell, Why: fmt.Sprintf("The %s is not in the catalog, so the strictest rule governs it.", what), Observed: "not known", Required: "an entry in the catalog", Next: fmt.Sprintf("Add the %s to the catalog, or correct its name.", what)})
	}
	return !in.Service.Known || !in.Environment.Known
}

// weighing collects the scope rules that match or may match.
type weighing struct {
	matched []*scope
	unsure  []doubtful
	until   time.Time
}

type doubtful struct {
	name, why string
	at        fault.Position
}

func (w *weighing) weigh(v *values, s *scope) {
	if why := v.doubt(&s.match); why != "" {
		w.unsure = append(w.unsure, doubtful{s.Name, why, s.Where})
		return
	}
	held, err := v.holds(&s.match)
	if err != nil {
		w.unsure = append(w.unsure, doubtful{s.Name, failure(err), s.Where})
		return
	}
	w.until = sooner(w.until, v.turn(&s.match, held))
	if !held {
		return
	}
	w.matched = append(w.matched, s)
	if s.observed(v.in.Now) {
		w.until = sooner(w.until, s.Observe.Until)
	}
}

func (s *scope) observed(now time.Time) bool { return s.Observe != nil && now.Before(s.Observe.Until) }

// winner is the strictest rule: by governance, then one that enforces, then the
// one that stops observing first, then by name.
func (w *weighing) winner(now time.Time) *scope {
	if len(w.matched) == 0 {
		return nil
	}
	return slices.MinFunc(w.matched, func(a, b *scope) int {
		return cmp.Or(strictness(a.Governance)-strictness(b.Governance), a.leniency(now).Compare(b.leniency(now)), strings.Compare(a.Name, b.Name))
	})
}

func strictness(governance string) int {
	return slices.Index([]string{Full, Light, None}, governance)
}

// leniency is until when the rule only observes; zero: it enforces.
func (s *scope) leniency(now time.Time) time.Time {
	if !s.observed(now) {
		return time.Time{}
	}
	return s.Observe.Until
}

// size is the strictest of what was declared and what the change shows.
func size(in *Inputs, c *Classification) {
	if !in.Release.Known {
		c.add(Reason{Gate: gateRelease, Title: "The release is known", Code: "unknown", Verdict: CannotTell, Why: "What the release declares is not known.", Observed: "not known"})
	}
	r := Reason{Gate: gateSize, Title: "Size of the release", Code: "passed", Verdict: Go}
	declared, step := in.Release.Size, in.Change.SemverStep
	valid := declared == "" || sizeRank(declared) > 0
	whole := in.Change.Known && in.Change.Complete
	breaking := in.Change.Known && (in.Change.Breaking || step == Major)
	switch {
	case declared == Major:
		c.Size, r.Why = Major, "The release is declared major."
	case breaking:
		c.Size, r.Why = Major, "The change is breaking, so the release counts as major."
	case !valid:
		c.Size, r.Code, r.Verdict, r.Why = Major, "unknown", CannotTell, "The declared size is none of major, minor, patch; the release counts as major."
	case whole && step == "unknown":
		c.Size, r.Why = Major, "The two versions cannot be compared by their numbers, so the release counts as major, the strictest size."
	case !whole || sizeRank(step) == 0 && step != "none":
		c.Size, r.Code, r.Verdict, r.Why = Major, "unknown", CannotTell, "What the change does to the version is not known; the release counts as major."
		r.Next = "Let the server or a pipeline read the whole change, or declare the release major."
	default:
		c.Size = stricterSize(declared, step)
		said := "The release is declared " + declared
		if declared == "" {
			said = "No size is declared"
		}
		r.Why = said + ", and the step of the version is " + step + ", so it counts as " + c.Size + "."
	}
	r.Observed, r.Required = c.Size, "major, minor or patch: the strictest of the declaration and the change"
	c.add(r)
}

func sizeRank(s string) int {
	return slices.Index([]string{Patch, Minor, Major}, s) + 1
}

func stricterSize(declared, step string) string {
	return []string{Patch, Patch, Minor, Major}[max(sizeRank(declared), sizeRank(step))]
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// changeType is as declared; standard needs a change that is known to be harmless.
func changeType(in *Inputs, c *Classification) {
	r := Reason{Gate: gateChangeType, Title: "Type of the change", Code: "passed", Verdict: Go}
	c.ChangeType = Normal
	switch declared := in.Release.ChangeType; declared {
	case "":
		r.Why = "No change type is declared, so the change counts as normal."
	case Normal, Emergency:
		c.ChangeType, r.Why = declared, "The change is declared "+declared+"."
	case Standard:
		if why := notStandard(&in.Change); why != "" {
			r.Why = "The change is declared standard but counts as normal, because " + why + "."
			r.Code = "not-standard"
		} else {
			c.ChangeType, r.Why = Standard, "The change is declared standard."
		}
	default:
		r.Code, r.Verdict, r.Why = "unknown", CannotTell, "The declared change type is none of standard, normal, emergency; the change counts as normal."
	}
	r.Observed, r.Required = c.ChangeType, "standard, normal or emergency"
	c.add(r)
}

func notStandard(c *Change) string {
	switch {
	case !c.Known || !c.Complete || sizeRank(c.SemverStep) == 0 && c.SemverStep != "none":
		return "what it contains is not known in full"
	case c.Breaking || c.SemverStep == Major:
		return "it is breaking"
	case c.Migrations > 0:
		return "it touches database migrations"
	}
	return ""
}

// choose finds the one release type of the pair.
func (p *Program) choose(v *values, c *Classification) time.Time {
	var until time.Time
	var fit []*releaseType
	r := Reason{Gate: gateType, Title: "One release type", Required: "exactly one ReleaseType", Code: "unknown", Verdict: CannotTell}
	for i := range p.types {
		t := &p.types[i]
		if !t.Covers(c.Size, c.ChangeType) {
			continue
		}
		held, why := v.sure(&t.when)
		if why != "" {
			r.Why, r.Where = fmt.Sprintf("Whether release type %s applies cannot be told: %s.", t.Name, why), t.Where
			c.add(r)
			return until
		}
		until = sooner(until, v.turn(&t.when, held))
		if held {
			fit = append(fit, t)
		}
	}
	p.chosen(c, r, fit)
	return until
}

func (p *Program) chosen(c *Classification, r Reason, fit []*releaseType) {
	switch len(fit) {
	case 0:
		r.Code, r.Why = "no-type", fmt.Sprintf("No release type covers a %s %s release.", c.Size, c.ChangeType)
	case 1:
		t := fit[0]
		c.Type, c.Chain = &t.ReleaseType, p.chains[t.Chain]
		for _, z := range p.set.Freezes {
			if slices.Contains(z.Exempt, t.Name) {
				c.ExemptFrom = append(c.ExemptFrom, z.Name)
			}
		}
		r.Code, r.Verdict, r.Where = "passed", Go, t.Where
		r.Why, r.Observed = "A "+c.Size+" "+c.ChangeType+" release is of type "+t.Name+".", t.Name
	default:
		r.Code, r.Why = "two-types", fmt.Sprintf("Release types %s and %s both cover a %s %s release.", fit[0].Name, fit[1].Name, c.Size, c.ChangeType)
		r.Where = fit[1].Where
	}
	c.add(r)
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func worst(reasons []Reason) Verdict {
	v := Go
	for i := range reasons { // a reason is large: none is copied
		if reasons[i].Severity == Block {
			v = v.Worse(reasons[i].Verdict)
		}
	}
	return v
}

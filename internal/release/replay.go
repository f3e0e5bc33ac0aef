package release

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Recorded is a decision of the history, what it rested on, and what its
// release type asked for under the bundle of its day.
type Recorded struct {
	Decision Decision
	Position uint64 // of the fact
	Basis    []byte // the canonical bytes under Decision.Basis; nil where they are gone
	Rules    Rules
	Then     Then // what the basis leaves out and the candidate reads
}

// Then is what stands one by one beside a basis, as it was when the decision was
// taken. What the candidate does not read is left out.
type Then struct {
	Lists   policy.Lists             // findings and commits; a list that was not known then is nil
	Release State                    // with its votes
	Voters  map[string]access.Person // who voted, by id, without those who had departed
	Lost    map[string]string        // by section: why its list is not to be had as it was

	Artifact evidence.Artifact // where attestors are concerned
	Signed   Signed
}

// Rules is what a release type asks for: who approves, and which freezes it is exempt from.
type Rules struct {
	Known  bool                  // false: the bundle cannot be read any more, or none was in force
	Chain  *policy.ApprovalChain // nil: nobody need approve
	Exempt []string              // names of FreezeRules
	Reads  map[string]bool       // sections of whose list some rule reads

	Attestors []policy.Attestor
}

// RulesOf is what a bundle asks of a release type; nothing of "", which is none.
func RulesOf(p *policy.Program, name string) Rules {
	if p == nil {
		return Rules{}
	}
	r := Rules{Known: true, Reads: p.NeedsLists(), Attestors: p.Attestors()}
	for _, t := range p.ReleaseTypes() {
		if t.Name != name {
			continue
		}
		if chain, named := p.Chain(t.Chain); named {
			r.Chain = &chain
		}
	}
	for _, z := range p.FreezeRules() {
		if slices.Contains(z.Exempt, name) {
			r.Exempt = append(r.Exempt, z.Name)
		}
	}
	return r
}

// Effect is what a candidate would have changed about a decision.
type Effect string

// The effects. What a pipeline does turns on whether the answer lets it go on,
// so an answer that is observed and not enforced stops nothing.
const (
	Same    Effect = "same"
	Stopped Effect = "stopped"        // it went on, and would not have
	Through Effect = "let-through"    // it was stopped, and would have gone on
	Other   Effect = "other-answer"   // another answer, to the same effect
	Untold  Effect = "cannot-be-told" // the record does not hold what the candidate asks for
)

// Flip is a decision beside the answer that a candidate would have given on
// what was known then.
type Flip struct {
	Decision    string
	Release     string
	Service     string
	Team        string // that owned the service then
	Version     string
	Environment string
	At          event.Micros
	Effect      Effect
	Was, Now    policy.Verdict
	Observed    bool     // the candidate would have observed, not enforced
	Gates       []Turned // whose word changed what blocks; empty where Effect is Same
	Why         string   // why it cannot be told, or what was taken for granted
}

// Turned is a gate that blocks under one bundle and not under the other. A gate
// that a bundle does not have, or that does not apply, says go.
type Turned struct {
	Gate     string
	Was, Now policy.Verdict
}

// Replay decides a recorded decision again under a candidate. Approvals and
// freezes stand in the basis as the bundle of the day weighed them: they are
// weighed anew as far as the record goes, and where it does not, the answer is
// given only if it is the same whatever they were.
func Replay(r Recorded, candidate *policy.Program) Flip {
	d := &r.Decision
	f := Flip{
		Decision: d.ID, Release: d.Release, Service: d.Service, Version: d.Version, Environment: d.Environment, At: event.MicrosOf(d.At), Was: d.Verdict,
	}
	in, err := r.inputs()
	if err != nil {
		f.Effect, f.Now, f.Why = Untold, policy.CannotTell, err.Error()
		return f
	}
	f.Team = in.Service.Team
	if d.Stop != "" {
		f.Effect, f.Now, f.Why = Same, d.Verdict, "all releases were stopped, whatever the policy"
		return f
	}
	if d.closed() {
		f.Effect, f.Now, f.Why = Same, d.Verdict, "the release had been taken back, whatever the policy"
		return f
	}
	w := weighed{in: in}
	w.attested(&r, candidate)
	in = w.in
	class := candidate.Classify(&w.in)
	w.approvals(r.Rules, class)
	w.freezes(r.Rules, class)
	w.previous(candidate)
	w.lists(&r, in, class, candidate.NeedsLists())
	f.Why = strings.Join(w.taken, "; ")
	class.Terse = len(w.unknown) == 0 // else words are compared
	out := class.Decide()
	f.Observed = !out.Enforced && out.Observe != nil
	f.Now = out.Verdict
	if d.drafted() { // which no policy changes
		f.Now = f.Now.Worse(policy.Wait)
	}
	reasons := out.Reasons
	if len(w.unknown) > 0 && !f.passes() {
		reasons = sure(out.Reasons, candidate.Decide(w.best()).Reasons)
		if len(reasons) == 0 {
			f.Effect, f.Now, f.Why = Untold, policy.CannotTell, strings.Join(w.unknown, "; ")
			return f
		}
		f.Now, f.Why = worst(reasons), strings.Join(w.unknown, "; ")+"; it is stopped all the same"
		if !d.Passes() { // what is unknown could make the answer worse, which is no change that is known
			f.Now = f.Now.Worse(d.Verdict)
		}
	}
	f.compare(d, reasons)
	return f
}

func (f Flip) passes() bool { return f.Now == policy.Go || f.Observed }

func (f *Flip) compare(d *Decision, reasons []policy.Reason) {
	switch before, after := d.Passes(), f.passes(); {
	case before && !after:
		f.Effect = Stopped
	case after && !before:
		f.Effect = Through
	case f.Was != f.Now:
		f.Effect = Other
	default:
		f.Effect = Same
		return
	}
	was, now := blockers(d.Reasons), blockers(reasons)
	delete(was, draftReason)
	for gate, verdict := range now {
		if was[gate] == "" {
			f.Gates = append(f.Gates, Turned{Gate: gate, Was: policy.Go, Now: verdict})
		}
	}
	for gate, verdict := range was {
		if now[gate] == "" {
			f.Gates = append(f.Gates, Turned{Gate: gate, Was: verdict, Now: policy.Go})
		}
	}
	slices.SortFunc(f.Gates, func(a, b Turned) int { return strings.Compare(a.Gate, b.Gate) })
}

// blockers is what stood in the way, by gate.
func blockers(reasons []policy.Reason) map[string]policy.Verdict {
	all := map[string]policy.Verdict{}
	for i := range reasons { // a reason is large: none is copied
		r := &reasons[i]
		if r.Severity != policy.Block || r.Verdict == policy.Go {
			continue
		}
		verdict := r.Verdict
		if earlier, twice := all[r.Gate]; twice {
			verdict = verdict.Worse(earlier)
		}
		all[r.Gate] = verdict
	}
	return all
}

// sure is what blocks with a section unknown and, in the same words, with that
// section as good as it can be: it does not rest on the section.
func sure(unknown, best []policy.Reason) []policy.Reason {
	return slices.DeleteFunc(slices.Clone(unknown), func(r policy.Reason) bool {
		return r.Severity != policy.Block || r.Verdict == policy.Go || !slices.ContainsFunc(best, func(b policy.Reason) bool {
			return b.Gate == r.Gate && b.Verdict == r.Verdict && b.Code == r.Code && b.Why == r.Why
		})
	})
}

func worst(reasons []policy.Reason) policy.Verdict {
	v := policy.Go
	for _, r := range reasons {
		v = v.Worse(r.Verdict)
	}
	return v
}

// inputs are what the decision saw: the basis, and the clock that it leaves out.
func (r *Recorded) inputs() (policy.Inputs, error) {
	if len(r.Basis) == 0 {
		return policy.Inputs{}, fault.New(fault.NotFound, "replay.basis", "what the decision rested on is not in the journal any more")
	}
	var b basis
	if err := basisForm.Decode(r.Basis, &b); err != nil || b.Schema != basisSchema {
		return policy.Inputs{}, fault.New(fault.Invalid, "replay.basis", "what the decision rested on is written in a form that this version does not read")
	}
	var in policy.Inputs
	if b.Inputs != nil {
		in = *b.Inputs
	}
	d := &r.Decision
	in.Now = d.At
	in.Findings.AgeHours, in.Tests.AgeHours, in.Coverage.AgeHours, in.Load.AgeHours = d.AgeHours[0], d.AgeHours[1], d.AgeHours[2], d.LoadAge
	return in, nil
}

// weighed is recorded inputs with approvals and freezes as a candidate has them.
type weighed struct {
	in      policy.Inputs
	unknown []string // what the record does not say, in words
	taken   []string // what was taken for granted
	chain   bool     // approvals are unknown
	freeze  bool     // freezes are unknown
	last    bool     // the last good release is unknown
	lost    []string // sections whose list is unknown

	attestation bool // what attestors say is unknown
}

// best is the inputs with what is unknown as good as it can be.
func (w weighed) best() policy.Inputs {
	in := w.in
	if w.chain {
		in.Approval = policy.Approval{Known: true, Satisfied: true, Votes: []policy.Vote{}}
	}
	if w.freeze {
		in.Calendar = policy.Calendar{Known: true, Freezes: []string{}, Rules: []string{}, Exempt: []string{}}
	}
	if w.last {
		in.Previous = policy.Previous{Known: true}
	}
	if w.attestation {
		in.Attestation = policy.Attestation{Known: true, Provenance: policy.ByAttestor, Total: 1, Verified: 1, Statements: []policy.Statement{}}
		best := weighed{in: in}
		for _, p := range best.provenances() {
			*p = policy.ByAttestor
		}
		in = best.in
	}
	for _, section := range w.lost { // no rule that reads the list then cannot tell
		switch section {
		case "findings":
			in.Findings.Items = []policy.Finding{}
		case "change":
			in.Change.CommitList = []policy.Commit{}
		case "attestation":
			in.Attestation.Statements = []policy.Statement{}
		case "approval":
			in.Approval.Votes = []policy.Vote{}
		case "load":
			in.Load.Parts = []policy.LoadPart{}
		}
	}
	return in
}

// previous is unknown where the candidate reads the last good release and the
// rules of the day did not, so that nobody looked for it.
func (w *weighed) previous(candidate *policy.Program) {
	if candidate.NeedsPrevious() && !w.in.Previous.Known {
		w.last = true
		w.unknown = append(w.unknown, "which release was the last good one is not in the record")
	}
}

// approvals are those recorded where the chain is the same, and counted anew
// where only the number asked for differs.
func (w *weighed) approvals(old Rules, class policy.Classification) {
	a := &w.in.Approval
	switch c := w.in.Change; {
	case class.Chain == nil:
		*a = (&Facts{}).approvalInputs(class, approval.Standing{})
	case !c.Known || !c.Complete || c.UnknownContributors > 0:
		*a = policy.Approval{}
	case old.Chain != nil && countAlike(*old.Chain, *class.Chain):
		a.Required = max(class.Chain.Tiers[0].Quorum, 1)
		a.Satisfied = !a.Rejected && a.Approvals >= a.Required
	default:
		*a, w.chain = policy.Approval{}, true
		w.unknown = append(w.unknown, "who would have approved under chain "+class.Chain.Name+" is not in the record: votes were weighed for another chain")
	}
}

// countAlike reports whether votes that one chain counted count for the other.
func countAlike(a, b policy.ApprovalChain) bool {
	if len(a.Tiers) != 1 || len(b.Tiers) != 1 || a.ValidFor != b.ValidFor || max(a.Rejections, 1) != max(b.Rejections, 1) {
		return false
	}
	return slices.Equal(slices.Sorted(slices.Values(a.Tiers[0].Groups)), slices.Sorted(slices.Values(b.Tiers[0].Groups)))
}

// freezes are those recorded, without those that the candidate exempts the
// type from and with those that it no longer does.
func (w *weighed) freezes(old Rules, class policy.Classification) {
	k := &w.in.Calendar
	lost := slices.ContainsFunc(old.Exempt, func(rule string) bool { return !slices.Contains(class.ExemptFrom, rule) })
	switch {
	case !k.Known, len(k.Exempt) > 0 && !old.Known, lost && len(k.Exempt) > 0 && len(old.Exempt) > 1:
		*k, w.freeze = policy.Calendar{}, true
		w.unknown = append(w.unknown, "which freezes would have stood in the way is not in the record")
	case lost && len(k.Exempt) > 0:
		w.taken = append(w.taken, "when the freeze ended is not in the record: it is taken to have had no end")
		for range k.Exempt {
			k.Rules = append(k.Rules, old.Exempt[0])
		}
		k.Freezes, k.Exempt, k.Frozen, k.OpenEnd = append(k.Freezes, k.Exempt...), []string{}, true, true
	}
	w.exempt(class.ExemptFrom)
}

// exempt takes away the freezes that follow a rule which the type is exempt
// from. Which freeze follows which rule is on record where all follow one.
func (w *weighed) exempt(from []string) {
	k := &w.in.Calendar
	covered := func(rule string) bool { return slices.Contains(from, rule) }
	if !slices.ContainsFunc(k.Rules, covered) {
		return
	}
	if len(k.Rules) != len(k.Freezes) {
		k.Rules = slices.DeleteFunc(slices.Clone(k.Rules), covered)
		w.taken = append(w.taken, "which freezes follow no rule is not in the record: they are taken to last as long as all together")
		return
	}
	stand := policy.Calendar{Known: true, Freezes: []string{}, Rules: []string{}, Exempt: slices.Clone(k.Exempt)}
	for i, rule := range k.Rules {
		if covered(rule) {
			stand.Exempt = append(stand.Exempt, k.Freezes[i])
			continue
		}
		stand.Freezes, stand.Rules = append(stand.Freezes, k.Freezes[i]), append(stand.Rules, rule)
	}
	if stand.Frozen = len(stand.Freezes) > 0; stand.Frozen {
		stand.ThawsAt, stand.OpenEnd = k.ThawsAt, k.OpenEnd
	}
	*k = stand
}

package release

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
)

// Facts is all that a decision may rest on, loaded by its caller with versions.
type Facts struct {
	Release      State
	Environment  string               // as asked for
	Service      *catalog.Service     // nil: the catalog does not know it
	Place        *catalog.Environment // nil: the catalog does not know it
	Services     []string             // names, for "did you mean"
	Environments []string
	People       map[string]access.Person // by id, departed ones too
	Identities   map[string]string        // pseudonym to person's id, for every contributor that a person claims
	Artifact     evidence.Artifact
	Last         *Last        // nil: nobody looked for the last good release
	Lists        policy.Lists // findings and commits one by one, where the policy needs them; nil: not loaded. Votes are filled by Gate
	Signed       Signed       // by what attestations are weighed, where the policy names attestors
	Freezes      []calendar.Freeze
	Stop         halt.Switch
	Policy       *policy.Program // nil: none is active
	PolicyUntil  time.Time       // when another bundle takes effect; zero: none is known
	Assumed      []string        // offline: what was taken on trust
	TZData       string
}

// Gate is the one decision: whether the release may go to the environment now,
// and why. It is pure: the same facts at the same instant give the same answer.
// Every way in asks it; there is no other evaluator.
func Gate(now time.Time, f Facts) (Decision, error) {
	f.own()
	in := f.inputs(now)
	d := f.open(now)
	var err error
	room := make([]byte, 0, basisSize) // for one canonical text after the other; the basis stays
	if d.Evidence, err = f.Artifact.ContentDigest(room); err != nil {
		return Decision{}, err
	}
	if _, d.Subject, err = f.subject(d.Evidence, room); err != nil {
		return Decision{}, err
	}
	var until time.Time // as far as anything but the permit goes
	if f.Policy == nil {
		d.Verdict, d.Enforced, d.Governance = policy.CannotTell, true, policy.Full
		d.Reasons = []policy.Reason{noPolicy}
		d.close(f.Release.Phase)
		d.halt(f.Stop)
	} else {
		class := f.Policy.Classify(&in)
		votes := f.vote(now, class, d.Subject)
		freezes := f.freeze(now, class)
		in.Approval, in.Calendar = f.approvalInputs(class, votes), calendarInputs(freezes)
		var lists policy.Lists
		if lists, d.Lists, err = f.list(now, &in, votes); err != nil {
			return Decision{}, err
		}
		in = in.With(lists)
		out := class.Decide()
		d.take(out)
		d.Approvals = votes.Counted
		f.explain(&d, class, votes, freezes)
		d.close(f.Release.Phase)
		d.halt(f.Stop)
		until = earliest(out.Until, votes.Until, freezes.Next, f.PolicyUntil)
		if d.Permitted() {
			ttl := policy.DefaultPermitTTL
			if class.Type != nil {
				ttl = class.Type.PermitTTL
			}
			d.PermitUntil = earliest(until, now.Add(ttl))
		}
	}
	d.Until = earliest(until, d.PermitUntil)
	d.believe(in)
	d.Issuers = f.issuers(d.Believed.Attestors)
	d.Inputs, d.AgeHours, d.LoadAge = in, [3]float64{in.Findings.AgeHours, in.Tests.AgeHours, in.Coverage.AgeHours}, in.Load.AgeHours
	timeless(&in)
	b := basis{Schema: basisSchema, Subject: d.Subject, Policy: d.Policy, Inputs: &in, Lists: d.Lists, Verdict: d.Verdict, Counted: d.Approvals, Engine: Engine, Stop: d.Stop}
	d.BasisText, d.Basis, err = canonical(basisForm, &b, room)
	return d, err
}

// The engine's own gates whose reasons the facts can say more about.
const (
	serviceReason      = "signalbox/service"
	environmentReason  = "signalbox/environment"
	contributorsReason = "signalbox/contributors"
	approvalReason     = "signalbox/approval"
	calendarReason     = "signalbox/calendar"
)

var noPolicy = policy.Reason{
	Gate: "signalbox/policy", Title: "A policy is active", Code: "no-policy", Severity: policy.Block, Verdict: policy.CannotTell,
	Why: "no policy is active, so nothing says what this release needs", Observed: "none", Required: "an active policy bundle",
	Lift: "a person with the role policy-author", Next: "signalbox policy activate DIR --reason …",
}

func (f *Facts) open(now time.Time) Decision {
	r := f.Release
	d := Decision{
		Release: r.ID, Service: r.Service, Version: r.Version, Digest: r.Digest, Environment: f.Environment,
		At: now, Assumed: f.Assumed, Engine: Engine, Contract: policy.Contract, TZData: f.TZData,
		Believed: Believed{Release: r.Provenance},
	}
	if f.Policy != nil {
		d.Policy = f.Policy.Digest()
	}
	if r.Change != nil {
		d.Change, d.Believed.Change = r.Change.Digest, r.Change.Provenance
	}
	return d
}

func (d *Decision) take(out policy.Outcome) {
	d.Verdict, d.Enforced, d.Observe, d.Mode = out.Verdict, out.Enforced, out.Observe, out.Mode
	d.Governance, d.ScopeRule = out.Governance, out.ScopeRule
	d.Type, d.Size, d.ChangeType, d.Reasons = out.Type, out.Size, out.ChangeType, out.Reasons
}

// Subject is what approvers approve: its canonical bytes and their digest.
func (f *Facts) Subject() (text, digest string, err error) {
	evidence, err := f.Artifact.ContentDigest(nil)
	if err != nil {
		return "", "", err
	}
	canonical, digest, err := f.subject(evidence, nil)
	return string(canonical), digest, err
}

func (f *Facts) subject(evidence string, room []byte) (text []byte, digest string, err error) {
	s := subject{
		Schema: 1, Service: f.Release.Service, Version: f.Release.Version, Digest: f.Release.Digest, Environment: f.Environment,
		Revision: f.Release.Revision, Size: f.Release.Size, ChangeType: f.Release.ChangeType, Evidence: evidence,
	}
	if f.Release.Change != nil {
		s.Change = f.Release.Change.Digest
	}
	if f.Policy != nil {
		s.Policy = f.Policy.Digest()
	}
	return canonical(subjectForm, &s, room)
}

// Chain is the question that the votes for this release answer at an instant.
func (f *Facts) Chain(now time.Time) (approval.Question, error) {
	if f.Policy == nil {
		return approval.Question{Now: now}, nil
	}
	_, subject, err := f.Subject()
	in := f.inputs(now)
	return f.question(now, f.Policy.Classify(&in), subject), err
}

func (f *Facts) question(now time.Time, class policy.Classification, subject string) approval.Question {
	q := approval.Question{
		Now: now, Environment: f.Environment, Subject: subject, Votes: f.Release.Votes,
		People: f.People, Contributors: f.Contributors(),
	}
	if class.Chain == nil {
		return q
	}
	q.Chain = approval.Chain{Name: class.Chain.Name, ValidFor: class.Chain.ValidFor, Rejections: class.Chain.Rejections}
	for _, t := range class.Chain.Tiers {
		q.Chain.Tiers = append(q.Chain.Tiers, approval.Tier{Name: t.Name, Groups: t.Groups, Quorum: t.Quorum})
	}
	return q
}

// Contributors are the persons who had a hand in the release: whoever wrote,
// committed or co-authored, and whoever opened it or attached the change.
func (f *Facts) Contributors() map[string]bool {
	ids := map[string]bool{}
	person := func(subject string) {
		if id, ok := strings.CutPrefix(subject, access.PersonNoun+"/"); ok {
			ids[id] = true
		}
	}
	person(f.Release.OpenedBy)
	if c := f.Release.Change; c != nil {
		person(c.By)
		for _, pseudonym := range c.Record.Contributors {
			if id, known := f.Identities[pseudonym]; known {
				ids[id] = true
			}
		}
	}
	return ids
}

func (f *Facts) vote(now time.Time, class policy.Classification, subject string) approval.Standing {
	if class.Chain == nil {
		return approval.Standing{}
	}
	return approval.Weigh(f.question(now, class, subject))
}

func (f *Facts) freeze(now time.Time, class policy.Classification) calendar.Standing {
	t := calendar.Target{Service: f.Release.Service, Environment: f.Environment}
	if f.Service != nil {
		t.ServiceKnown, t.Tier = true, f.Service.Tier
	}
	if f.Place != nil {
		t.EnvironmentKnown, t.Kind, t.Region = true, f.Place.Kind, f.Place.Region
	}
	return calendar.Weigh(now, f.Freezes, t, func(rule string) bool {
		return slices.Contains(class.ExemptFrom, rule)
	})
}

func (f *Facts) approvalInputs(class policy.Classification, s approval.Standing) policy.Approval {
	if class.Chain == nil {
		return policy.Approval{Known: class.Type != nil, Satisfied: class.Type != nil}
	}
	return policy.Approval{
		Known: f.contributorsKnown(), Satisfied: s.Satisfied, Rejected: s.Rejected, Assumed: slices.Contains(f.Assumed, AssumedApprovals),
		Approvals: s.Approvals, Required: s.Required, Eligible: s.Eligible, Excluded: len(s.Excluded), Lapsed: s.Lapsed,
	}
}

// AssumedApprovals marks approvals that came from a file.
const AssumedApprovals = "approvals"

func (f *Facts) contributorsKnown() bool {
	return f.Release.Change != nil && f.Release.Change.Record.Complete && f.unknownContributors() == 0
}

func (f *Facts) unknownContributors() int {
	n := 0
	for _, p := range f.Release.Change.Record.Contributors {
		if _, known := f.Identities[p]; !known {
			n++
		}
	}
	return n
}

func calendarInputs(s calendar.Standing) policy.Calendar {
	c := policy.Calendar{Known: true, Frozen: len(s.InForce) > 0, ThawsAt: s.ThawsAt, OpenEnd: s.OpenEnd, Freezes: []string{}, Rules: []string{}, Exempt: []string{}}
	for _, f := range s.InForce {
		c.Freezes = append(c.Freezes, f.Name)
		if f.Rule != "" {
			c.Rules = append(c.Rules, f.Rule)
		}
	}
	for _, f := range s.Exempt {
		c.Exempt = append(c.Exempt, f.Name)
	}
	return c
}

// explain adds to the engine's own reasons what only the facts know: names
// that were nearly right, whose votes do not count, who can lift what.
func (f *Facts) explain(d *Decision, class policy.Classification, votes approval.Standing, freezes calendar.Standing) {
	said := ""
	for i := range d.Reasons {
		r := &d.Reasons[i]
		if r.Code == "passed" {
			continue
		}
		if r.Observed == "attestation is not known" {
			if said == "" {
				said = f.attested().unknown(f.Artifact)
			}
			r.Why = said
		}
		switch r.Gate {
		case serviceReason:
			r.Why = didYouMean(fmt.Sprintf("the catalog does not know the service %q", f.Release.Service), f.Release.Service, f.Services)
		case environmentReason:
			r.Why = didYouMean(fmt.Sprintf("the catalog does not know the environment %q", f.Environment), f.Environment, f.Environments)
		case approvalReason:
			f.explainApproval(r, class, votes)
		case calendarReason:
			var scopes []string
			for _, z := range freezes.InForce {
				scopes = append(scopes, z.Name+" covers "+z.Scope.Words())
			}
			r.Observed = strings.Join(scopes, "; ")
			if len(freezes.InForce) > 0 {
				r.Next = "wait, or signalbox freeze lift " + freezes.InForce[0].Name + " --reason …"
			}
		case contributorsReason:
			r.Next = "have every commit identity claimed by a person of the catalog, under emails:"
		}
	}
}

func (f *Facts) explainApproval(r *policy.Reason, class policy.Classification, votes approval.Standing) {
	if words := votes.Words(); words != "" {
		r.Why = strings.TrimSuffix(r.Why, ".") + "; " + words + "."
	}
	if class.Chain == nil || len(class.Chain.Tiers) == 0 {
		return
	}
	r.Lift = "a member of " + strings.Join(class.Chain.Tiers[0].Groups, " or ") + " who did not contribute to the change"
	if f.Release.ID != "" {
		r.Next = "signalbox approve " + f.Release.ID + " --environment " + f.Environment
	}
}

func didYouMean(why, name string, known []string) string {
	if near := catalog.Nearest(name, known); near != "" {
		return why + "; did you mean " + near + "?"
	}
	return why
}

func earliest(list ...time.Time) time.Time {
	var first time.Time
	for _, t := range list {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

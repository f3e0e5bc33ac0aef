package release

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/halt"
	"signalbox.dev/signalbox/internal/policy"
)

// halt makes the answer no-go while the stop switch is pulled: enforced, in
// every environment, whatever the policy says and however far it is enforced.
func (d *Decision) halt(s halt.Switch) {
	if !s.Stops() {
		return
	}
	d.Verdict, d.Enforced, d.Observe, d.Stop = policy.NoGo, true, nil, s.ID
	d.Reasons = slices.Insert(d.Reasons, 0, policy.Reason{
		Gate: "signalbox/stop", Title: "Releases are not stopped", Code: "stopped", Severity: policy.Block, Verdict: policy.NoGo,
		Why: "All releases have been stopped since " + s.Since.String() + ".", Observed: "the stop switch is pulled", Required: "it is reset by two persons",
		Lift: "two persons with the right to recall", Next: "signalbox stop show",
	})
}

// draftReason is the gate of a release that nobody has submitted.
const draftReason = "signalbox/draft"

// Followable is nil while a go that was given before can still be followed, as
// the stop switch and its permit, if it has one, stand now. Errors: fault Conflict.
func (d *Decision) Followable(now time.Time, s halt.Switch, p Permit) error {
	over := fault.New(fault.Conflict, "gate.over", "the answer that was given under this key holds no more").
		Remedy("ask again, under another key")
	switch {
	case s.Stops():
		return over.Because("all releases have been stopped since " + s.Since.String())
	case p.Recalled != 0:
		return over.Because("its permit was recalled at " + p.Recalled.String())
	case !d.Until.IsZero() && !now.Before(d.Until):
		return over.Because("it was good until " + d.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

// closedReason is the gate of a release that was taken back.
const closedReason = "signalbox/release"

// close makes the answer no-go for a release that was withdrawn or rejected as a
// whole, whatever the policy says: who took it back has decided.
func (d *Decision) close(p Phase) {
	if p == Draft {
		d.draft()
	}
	if p != Withdrawn && p != Rejected {
		return
	}
	d.Verdict, d.Enforced, d.Observe = policy.NoGo, true, nil
	d.Reasons = slices.Insert(d.Reasons, 0, policy.Reason{
		Gate: closedReason, Title: "The release stands", Code: string(p), Severity: policy.Block, Verdict: policy.NoGo,
		Why: "The release is " + string(p) + ".", Observed: string(p), Required: "a release that was not taken back",
		Lift: "nobody for this release", Next: "open a new release of another artifact",
	})
}

// draft keeps a release waiting that nobody has submitted: what is still being
// written is no question yet.
func (d *Decision) draft() {
	d.Verdict = d.Verdict.Worse(policy.Wait)
	behind := slices.IndexFunc(d.Reasons, func(r policy.Reason) bool {
		return r.Severity != policy.Block || r.Verdict == policy.Go || r.Verdict == policy.Wait
	})
	if behind < 0 {
		behind = len(d.Reasons)
	}
	d.Reasons = slices.Insert(d.Reasons, behind, policy.Reason{
		Gate: draftReason, Title: "The release is submitted", Code: string(Draft), Severity: policy.Block, Verdict: policy.Wait,
		Why: "The release is a draft.", Observed: string(Draft), Required: "a release that was submitted",
		Lift: "whoever may move the release", Next: "signalbox release submit",
	})
}

// drafted reports whether the release was a draft.
func (d *Decision) drafted() bool {
	return d.tells(draftReason)
}

// closed reports whether the answer was no-go because the release was taken back.
func (d *Decision) closed() bool {
	return d.tells(closedReason)
}

// tells reports whether a gate is among the reasons.
func (d *Decision) tells(gate string) bool {
	for i := range d.Reasons { // a reason is large: none is copied
		if d.Reasons[i].Gate == gate {
			return true
		}
	}
	return false
}

// issuers is on whose word the decision rests: whoever sent a claim that stands
// or attached the change, and the attestors whose word was verified.
func (f *Facts) issuers(attestors []string) []string {
	all := make([]string, 0, len(f.Artifact.Claims)+1+len(attestors))
	for i := range f.Artifact.Claims {
		all = append(all, f.Artifact.Claims[i].By)
	}
	if f.Release.Change != nil {
		all = append(all, f.Release.Change.By)
	}
	for _, a := range attestors {
		all = append(all, "attestor/"+a)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
}

// Bases is what the permit rests on, and may be recalled by.
func (p Permit) Bases() []halt.Basis { return halt.Bases(p.Policy, p.Approvers, p.Issuers) }

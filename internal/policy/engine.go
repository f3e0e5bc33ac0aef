package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/internal/bundle"
)

// contributors refuses to guess who a commit identity is: someone unknown might
// be the one who approves.
func contributors(in *Inputs) Reason {
	r := Reason{Gate: gateContributors, Title: "Every contributor is a known person", Severity: Block, Code: "unknown", Verdict: CannotTell, Required: "no commit identity that no person claims"}
	switch {
	case !in.Change.Known:
		r.Why, r.Observed = "Who contributed to the change is not known.", "change is not known"
		r.Next = "Let the server or a pipeline read the change."
	case !in.Change.Complete:
		r.Why, r.Observed = "The change is not known in full, so neither is who contributed.", "change is not known in full"
		r.Next = "Read the change from a full clone, with the version before as its start."
	case in.Change.UnknownContributors > 0:
		r.Observed = fmt.Sprintf("change.unknown_contributors = %d", in.Change.UnknownContributors)
		r.Why = sentence(ordinal(in.Change.UnknownContributors, "commit identity is", "commit identities are")) + " claimed by no person."
		r.Lift, r.Next = "the persons concerned", "Link the commit identity to a person."
	default:
		r.Code, r.Verdict, r.Why, r.Observed = "passed", Go, "Every commit identity belongs to a known person.", ordinal(in.Change.Contributors, "contributor", "contributors")
	}
	return r
}

// approval is where the chain of the release type stands.
func (c *Classification) approval(in *Inputs) Reason {
	r := Reason{Gate: gateApproval, Title: "Approved by its chain", Severity: Block, Code: "unknown", Verdict: CannotTell}
	switch {
	case c.Type == nil:
		r.Why, r.Observed = "Which approvals are required cannot be told without a release type.", "no release type"
		return r
	case c.Chain == nil:
		r.Code, r.Verdict, r.Why, r.Observed = "not-required", Go, fmt.Sprintf("Release type %s requires no approval.", c.Type.Name), "no chain"
		return r
	}
	quorum, groups := c.Chain.Asked()
	a := &in.Approval
	required := max(a.Required, quorum)
	r.Required, r.Where = ordinal(required, "approval", "approvals")+" of "+groups, c.Chain.Where
	if !a.Known {
		r.Why, r.Observed = "Which approvals count is not known.", "approval is not known"
		return r
	}
	r.Observed = strconv.Itoa(a.Approvals) + " of " + ordinal(required, "approval", "approvals")
	r.Owner, r.Lift = groups, groups
	c.standing(a, required, &r)
	if a.Assumed {
		r.Observed += " (assumed)"
		r.Why += " Approvals are assumed from a file."
	}
	return r
}

// standing turns votes into a verdict.
func (c *Classification) standing(a *Approval, required int, r *Reason) {
	missing := required - a.Approvals
	switch {
	case a.Rejected:
		r.Code, r.Verdict, r.Why, r.Next = "rejected", NoGo, "The release is rejected.", "Correct the release and submit it anew."
	case a.Satisfied:
		r.Code, r.Verdict, r.Why = "passed", Go, "Chain "+c.Chain.Name+" is satisfied."
	case a.Eligible < missing:
		r.Code, r.Why = "nobody-left", fmt.Sprintf("%s missing and %s who may still approve.", ordinal(missing, "approval is", "approvals are"), ordinal(a.Eligible, "person is left", "persons are left"))
		r.Next = "Add a person who did not contribute to the groups of the chain."
	default:
		r.Code, r.Verdict, r.Why = "waiting", Wait, r.Observed+"."
		r.Next = "Ask " + r.Owner + " to approve."
	}
	if a.Lapsed > 0 && r.Verdict != Go {
		r.Why += " " + sentence(ordinal(a.Lapsed, "vote has", "votes have")) + " lapsed."
	}
}

// leadTime is whether the release was submitted long enough ago for its type;
// asked is false where the type asks for no lead time.
func (c *Classification) leadTime(in *Inputs) (r Reason, asked bool) {
	if c.Type == nil || c.Type.LeadTime == 0 {
		return Reason{}, false
	}
	r = Reason{Gate: gateLeadTime, Title: "Submitted in good time", Severity: Block, Where: c.Type.Where}
	r.Required = fmt.Sprintf("%s from submission, as release type %s asks", bundle.Duration(c.Type.LeadTime), c.Type.Name)
	submitted := in.Release.SubmittedAt
	ends := submitted.Add(c.Type.LeadTime)
	r.Observed = "submitted at " + submitted.UTC().Format(time.RFC3339)
	switch {
	case !in.Release.Known:
		r.Code, r.Verdict, r.Why, r.Observed = "unknown", CannotTell, "When the release was submitted is not known.", "release is not known"
	case submitted.IsZero():
		r.Code, r.Verdict, r.Why, r.Observed = "unknown", CannotTell, "The release is not submitted.", "not submitted"
		r.Next = "Submit the release."
	case in.Now.Before(ends):
		r.Code, r.Verdict, r.Until = "too-early", Wait, ends
		r.Why = "The lead time ends at " + ends.UTC().Format(time.RFC3339) + "."
		r.Lift, r.Next = "whoever may revise the release's type", "Wait for the lead time to end."
		if c.ChangeType != Emergency {
			r.Next = "Wait for the lead time to end, or declare an emergency if it is one."
		}
	default:
		r.Code, r.Verdict, r.Why = "passed", Go, "The lead time has passed."
	}
	return r, true
}

// calendar is whether a freeze stands in the way.
func (p *Program) calendar(in *Inputs) Reason {
	r := Reason{Gate: gateCalendar, Title: "No freeze in force", Severity: Block, Code: "unknown", Verdict: CannotTell, Required: "no freeze that the release type is not exempt from"}
	k := &in.Calendar
	switch {
	case !k.Known:
		r.Why, r.Observed = "Whether a freeze is in force is not known.", "calendar is not known"
	case k.Frozen:
		p.frozen(in, &r)
	default:
		r.Code, r.Verdict, r.Why, r.Observed = "passed", Go, "No freeze stands in the way.", "no freeze"
		if len(k.Exempt) > 0 {
			r.Why = "The release type is exempt from the freeze in force."
			r.Observed = "exempt from " + shorten(strings.Join(k.Exempt, ", "))
		}
	}
	return r
}

// frozen is the verdict of the freezes in force: the worst of their rules.
func (p *Program) frozen(in *Inputs, r *Reason) {
	k := &in.Calendar
	ends := !k.OpenEnd && k.ThawsAt.After(in.Now)
	byTime := map[bool]Verdict{true: Wait, false: NoGo}[ends]
	verdict, lift := Go, []string{}
	for _, name := range k.Rules {
		rule, _ := p.FreezeRule(name)
		if rule.Verdict == "" {
			rule.Verdict = byTime
		}
		verdict = verdict.Worse(rule.Verdict)
		lift = append(lift, lifters(rule.MayLift))
	}
	if len(k.Rules) < max(len(k.Freezes), 1) { // some follow no rule
		verdict = verdict.Worse(byTime)
		lift = append(lift, lifters(nil))
	}
	r.Code, r.Verdict = "frozen", verdict
	r.Why, r.Observed = "A freeze is in force.", "frozen"
	if len(k.Freezes) > 0 {
		r.Observed = "frozen by " + shorten(strings.Join(k.Freezes, ", "))
	}
	slices.Sort(lift)
	r.Lift, r.Next = strings.Join(slices.Compact(lift), ", and "), "Ask for the freeze to be lifted."
	if ends {
		r.Until = k.ThawsAt
		r.Why = "A freeze is in force until " + k.ThawsAt.UTC().Format(time.RFC3339) + "."
		r.Next = "Wait for the freeze to end, or ask for it to be lifted."
	}
}

// lifters are those who may lift one freeze; each freeze in force must be lifted.
func lifters(groups []string) string {
	if len(groups) == 0 {
		return "holders of the freeze right"
	}
	return strings.Join(slices.Sorted(slices.Values(groups)), " or ")
}

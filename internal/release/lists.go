package release

import (
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// FindingsOf are the findings of some claims one by one, for rules that read
// them; nil where not all are listed or there are more than such rules may cost.
// Claims are as Read gives them, with their items.
func FindingsOf(claims []evidence.Claim) []policy.Finding {
	all := []policy.Finding{}
	for _, c := range claims {
		if c.Findings == nil {
			continue
		}
		if c.Findings.Omitted > 0 || len(all)+len(c.Findings.Items) > policy.MaxInputList {
			return nil
		}
		for _, i := range c.Findings.Items {
			severity := string(i.Severity)
			if i.Severity == evidence.Unrated {
				severity = ""
			}
			all = append(all, policy.Finding{Severity: severity, Rule: i.Rule, Package: i.Package, Location: i.Location, Tool: c.Tool.Name, Suppressed: i.Suppressed})
		}
	}
	return all
}

// CommitsOf are the commits of a change one by one, for rules that read them;
// nil where they are not known.
func CommitsOf(list []change.CommitFact) []policy.Commit {
	if list == nil || len(list) > policy.MaxInputList {
		return nil
	}
	all := make([]policy.Commit, len(list))
	for i, k := range list {
		all[i] = policy.Commit(k)
	}
	return all
}

// itemSize is in bytes, for room to write an item of a list: more than most take.
const itemSize = 128

// list is the lists that the policy's rules read, and their digest.
func (f *Facts) list(now time.Time, in *policy.Inputs, votes approval.Standing) (policy.Lists, string, error) {
	p, all := f.Policy, policy.Lists{Statements: in.Attestation.Statements}
	if p.NeedsList("change") && in.Change.Known {
		all.Commits = f.Lists.Commits
	}
	if p.NeedsList("findings") && in.Findings.Known {
		all.Findings = f.Lists.Findings
	}
	if p.NeedsList("load") && in.Load.Known {
		all.Parts = f.parts(now)
	}
	if p.NeedsList("approval") && in.Approval.Known {
		all.Votes = f.listVotes(votes)
	}
	if all.Empty() {
		return policy.Lists{}, "", nil
	}
	_, lists := in.With(all).Bounded().Apart()
	if lists.Empty() {
		return policy.Lists{}, "", nil
	}
	room := make([]byte, 0, itemSize*(len(lists.Findings)+len(lists.Votes)+len(lists.Commits)+len(lists.Statements)+len(lists.Parts)))
	_, digest, err := canonical(listsForm, &lists, room)
	if err != nil {
		return lists, "", fmt.Errorf("lists that rules read: %w", err)
	}
	return lists, digest, nil
}

// listVotes are the votes for this environment, without the persons: those that
// count, then those that do not, as they were given.
func (f *Facts) listVotes(s approval.Standing) []policy.Vote {
	answers := map[string]string{}
	for _, v := range f.Release.Votes {
		if v.Environment == f.Environment {
			answers[v.Person] = v.Answer
		}
	}
	groups := func(person string) []string {
		return slices.Sorted(slices.Values(append([]string{}, f.People[person].Groups...)))
	}
	all := []policy.Vote{}
	for _, p := range slices.Concat(s.Counted, s.Against) {
		all = append(all, policy.Vote{Groups: groups(p), Answer: answers[p], Counted: true})
	}
	for _, x := range s.Excluded {
		all = append(all, policy.Vote{Groups: groups(x.Person), Answer: answers[x.Person], Reason: x.Code})
	}
	return all
}

package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// chains finds those that nobody can satisfy, where members of groups are known.
func (l *linter) chains() {
	if l.o.Members == nil {
		return
	}
	for _, c := range l.p.Chains() {
		quorum := 0
		var all []string
		for _, t := range c.Tiers {
			quorum += t.Quorum
			persons := l.persons(t.Groups)
			all = append(all, persons...)
			l.emptyGroups(c, t)
			l.quorum(c, t.Name, t.Quorum, persons)
		}
		slices.Sort(all)
		if all = slices.Compact(all); len(c.Tiers) > 1 {
			l.quorum(c, "all tiers together", quorum, all)
		}
	}
	for _, z := range l.p.FreezeRules() {
		for field, groups := range map[string][]string{"may_declare": z.MayDeclare, "may_lift": z.MayLift} {
			if len(groups) > 0 && len(l.persons(groups)) == 0 {
				l.warn(bundle.Problem{Where: l.at("FreezeRule", z.Name, field, z.Where), Code: "policy.empty-group", What: fmt.Sprintf("%s of FreezeRule %s names nobody", field, z.Name), Why: fmt.Sprintf("the catalog has no person in %s", strings.Join(groups, ", ")), Fix: "add persons to the group, or name another"})
			}
		}
	}
}

// persons are the distinct members of some groups.
func (l *linter) persons(groups []string) []string {
	var all []string
	for _, g := range groups {
		all = append(all, l.o.Members[g]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (l *linter) emptyGroups(c policy.ApprovalChain, t policy.Tier) {
	for _, g := range t.Groups {
		if len(l.o.Members[g]) == 0 {
			l.warn(bundle.Problem{Where: l.at("ApprovalChain", c.Name, "tiers", c.Where), Code: "policy.empty-group", What: fmt.Sprintf("nobody is in group %s, which ApprovalChain %s names", g, c.Name), Why: "the catalog has no person in it", Fix: "add persons to the group, or name another"})
		}
	}
}

func (l *linter) quorum(c policy.ApprovalChain, tier string, quorum int, persons []string) {
	at := l.at("ApprovalChain", c.Name, "tiers", c.Where)
	switch n := len(persons); {
	case n < quorum:
		l.out.Add(bundle.Problem{Where: at, Code: "policy.unsatisfiable-chain", What: fmt.Sprintf("nobody can satisfy ApprovalChain %s", c.Name), Why: fmt.Sprintf("%s asks for %d distinct persons, and its groups have %d", tier, quorum, n), Fix: "add persons to the groups, or lower the quorum"})
	case n == quorum:
		l.warn(bundle.Problem{Where: at, Code: "policy.narrow-chain", What: fmt.Sprintf("ApprovalChain %s has nobody to spare", c.Name), Why: fmt.Sprintf("%s asks for %d distinct persons, and its groups have no more; one who contributed to the change does not count", tier, quorum), Fix: "add persons to the groups"})
	}
}

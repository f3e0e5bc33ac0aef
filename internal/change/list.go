package change

import (
	"cmp"
	"slices"

	"signalbox.dev/signalbox/internal/fault"
)

// MaxCommitList is how many commits are listed one by one at most.
const MaxCommitList = 1000

// OtherType stands for a type that is not one of the usual ones: a word of
// somebody's own may be a name, and no name belongs into a fact.
const OtherType = "other"

var usual = []string{"build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"}

// CommitFact is what is told of one commit: no person, and no word of its own.
type CommitFact struct {
	Signed   bool   `json:"signed"` // carries a signature; not: one that holds
	Type     string `json:"type"`   // of Conventional Commits; OtherType; "" is none
	Breaking bool   `json:"breaking"`
	Merge    bool   `json:"merge"`
	Revert   bool   `json:"revert"`
}

// listed is the commits one by one, by their ids; nil where there are too many.
func listed(commits []Commit) []CommitFact {
	if len(commits) > MaxCommitList {
		return nil
	}
	sorted := slices.Clone(commits)
	slices.SortStableFunc(sorted, func(a, b Commit) int { return cmp.Compare(a.ID, b.ID) })
	all := []CommitFact{}
	for _, k := range sorted {
		kind := k.kind()
		if kind != "" && !slices.Contains(usual, kind) {
			kind = OtherType
		}
		all = append(all, CommitFact{Signed: k.Signed, Type: kind, Breaking: k.breaking(), Merge: k.Parents > 1, Revert: k.revert()})
	}
	return all
}

// Check refuses a change that contradicts itself: a list of commits that says
// other than the counts beside it, or more than it may, and signatures that do
// not add up. What is not there is no mistake.
func (c Change) Check() error {
	if s := c.Signatures; s != nil && (min(s.Verified, s.Bad, s.Unverifiable, s.Unsigned) < 0 || s.Verified+s.Bad+s.Unverifiable+s.Unsigned != c.Commits || c.Commits-s.Unsigned != c.Signed) {
		return fault.Invalidf("change.signatures", "the signatures do not add up to the commits of the change").
			Remedy("send what signalbox change inspect prints, or leave signatures out")
	}
	if c.CommitList == nil {
		return nil
	}
	signed, reverts, breaking := 0, 0, false
	for _, k := range c.CommitList {
		if k.Type != "" && k.Type != OtherType && !slices.Contains(usual, k.Type) {
			return fault.Invalidf("change.commit-list", "a commit of the list has a type that is not one of the usual ones").Remedy("send " + OtherType + " in its place")
		}
		if k.Signed {
			signed++
		}
		if k.Revert {
			reverts++
		}
		breaking = breaking || k.Breaking
	}
	if len(c.CommitList) > MaxCommitList || len(c.CommitList) != c.Commits || signed != c.Signed || reverts != c.Reverts || breaking != c.Breaking {
		return fault.Invalidf("change.commit-list", "the commits one by one do not add up to the counts of the change").
			Remedy("send what signalbox change inspect prints, or leave commit_list out")
	}
	return nil
}

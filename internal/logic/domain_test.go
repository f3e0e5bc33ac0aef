package logic

import (
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// Every name of a domain is one of an input.
func TestDomainsAreOfInputs(t *testing.T) {
	inputs, _ := policy.Meanings()
	for _, names := range []map[string]bool{keys(enumerated), keys(longest)} {
		for name := range names {
			if !slices.ContainsFunc(inputs, func(m policy.Meaning) bool { return m.Name == strings.TrimSuffix(name, "[]") }) {
				t.Errorf("%s is not an input", name)
			}
		}
	}
}

func keys[V any](m map[string]V) map[string]bool {
	all := map[string]bool{}
	for k := range m {
		all[k] = true
	}
	return all
}

// Every list has a longest, so that none is taken to be shorter than it can be.
func TestListsAreMeasured(t *testing.T) {
	inputs, _ := policy.Meanings()
	for _, m := range inputs {
		if strings.HasPrefix(m.Type, "list") && longest[m.Name] == 0 {
			t.Errorf("%s has no longest", m.Name)
		}
	}
}

// What the nouns can say is within the domains: a text left out here would be a
// false alarm.
func TestDomainsHoldWhatNounsSay(t *testing.T) {
	for name, said := range map[string][]string{
		"findings.items.severity": {string(evidence.Critical), string(evidence.High), string(evidence.Medium), string(evidence.Low), string(evidence.Info), ""},
		"environment.kind":        {catalog.Production, catalog.Staging, catalog.Test, catalog.Development},
		"approval.votes.answer":   {approval.Approve, approval.Reject},
		"change.semver_step":      {change.Major, change.Minor, change.Patch, change.NoStep, change.Unknown},
		"change.commit_list.type": {change.OtherType, "build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test", ""},
		"change.provenance":       {string(policy.ByServer), string(policy.ByPipeline), string(policy.ByPerson), string(policy.Assumed)},
		"release.size":            {policy.Major, policy.Minor, policy.Patch, ""},
		"release.change_type":     {policy.Standard, policy.Normal, policy.Emergency, ""},
	} {
		for _, s := range said {
			if !slices.Contains(Declared(name).Texts, s) {
				t.Errorf("%s can be %q", name, s)
			}
		}
	}
}

// Every fraction of the inputs has a range of its own.
func TestFractionsHaveEnds(t *testing.T) {
	inputs, _ := policy.Meanings()
	for _, m := range inputs {
		if d := Declared(m.Name); m.Type == "double" && d.High.Cmp(number(topCount)) == 0 {
			t.Errorf("%s is a fraction: up to what?", m.Name)
		}
	}
}

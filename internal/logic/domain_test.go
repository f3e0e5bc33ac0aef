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

// Every name of a domain is one of an input, of the kind that the domain is for.
func TestDomainsAreOfInputs(t *testing.T) {
	inputs, _ := policy.Meanings()
	kinds := map[string]string{}
	for _, m := range inputs {
		kinds[m.Name] = m.Type
	}
	want := map[string]string{}
	for name := range enumerated {
		want[name] = "string"
	}
	for name := range ranges {
		want[name] = "int double"
	}
	for name := range longest {
		want[name] = "string list of string list of items"
	}
	for section, fields := range counts {
		for field := range strings.FieldsSeq(fields) {
			want[section+"."+field] = "int"
		}
	}
	for name, kind := range want {
		if is := kinds[strings.TrimSuffix(name, "[]")]; is == "" || !strings.Contains(kind, is) {
			t.Errorf("%s is %q, and not of %s", name, is, kind)
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
		"change.provenance":       {string(policy.ByServer), string(policy.ByAttestor), string(policy.ByPipeline), string(policy.ByPerson), string(policy.Assumed)},
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

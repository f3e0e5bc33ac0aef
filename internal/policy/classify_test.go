package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSize(t *testing.T) {
	p := compiled(t, sample())
	for _, tt := range []struct {
		declared, step string
		change         func(*Change)
		want           string
		verdict        Verdict
	}{
		{Patch, Patch, nil, Patch, Go},
		{Patch, Minor, nil, Minor, Go},
		{Patch, Major, nil, Major, Go},
		{Minor, Patch, nil, Minor, Go},
		{Major, Patch, nil, Major, Go},
		{"", Minor, nil, Minor, Go},
		{"", "none", nil, Patch, Go},
		{Patch, "none", nil, Patch, Go},
		{Patch, Patch, func(c *Change) { c.Breaking = true }, Major, Go},
		{Patch, "unknown", nil, Major, Go},
		{Patch, "", nil, Major, CannotTell},
		{Patch, "MINOR", nil, Major, CannotTell},
		{"", "unknown", nil, Major, Go},
		{Major, "unknown", nil, Major, Go},
		{Patch, "unknown", func(c *Change) { c.Complete = false }, Major, CannotTell},
		{Patch, "unknown", func(c *Change) { c.Known = false }, Major, CannotTell},
		{"huge", "unknown", nil, Major, CannotTell},
		{"huge", Major, nil, Major, Go},
		{Patch, "Unknown", nil, Major, CannotTell},
		{"huge", Patch, nil, Major, CannotTell},
		{"MAJOR", Patch, nil, Major, CannotTell},
		{Patch, Patch, func(c *Change) { c.Known = false }, Major, CannotTell},
		{Patch, Patch, func(c *Change) { c.Known, c.Complete = false, true }, Major, CannotTell},
		{Patch, Patch, func(c *Change) { c.Complete = false }, Major, CannotTell},
		{Patch, Patch, func(c *Change) { c.Complete, c.Breaking = false, true }, Major, Go},
		{Patch, Patch, func(c *Change) { c.Known, c.Breaking = false, true }, Major, CannotTell},
		{Major, Patch, func(c *Change) { c.Known = false }, Major, Go},
	} {
		in := with(func(in *Inputs) {
			in.Release.Size, in.Change.SemverStep = tt.declared, tt.step
			if tt.change != nil {
				tt.change(&in.Change)
			}
		})
		c := p.Classify(&in)
		if c.Size != tt.want || c.Verdict != tt.verdict {
			t.Errorf("declared %q, step %q, %+v: %s, %s; want %s, %s", tt.declared, tt.step, in.Change, c.Size, c.Verdict, tt.want, tt.verdict)
		}
	}
}

func TestChangeType(t *testing.T) {
	p := compiled(t, sample())
	for _, tt := range []struct {
		declared string
		change   func(*Inputs)
		want     string
		verdict  Verdict
		code     string
	}{
		{"", func(*Inputs) {}, Normal, Go, "passed"},
		{Normal, func(*Inputs) {}, Normal, Go, "passed"},
		{Emergency, func(in *Inputs) { in.Change.Breaking = true }, Emergency, Go, "passed"},
		{Standard, func(*Inputs) {}, Standard, Go, "passed"},
		{Standard, func(in *Inputs) { in.Change.SemverStep = "none" }, Standard, Go, "passed"},
		{Standard, func(in *Inputs) { in.Change.Migrations = 1 }, Normal, Go, "not-standard"},
		{Standard, func(in *Inputs) { in.Change.Breaking = true }, Normal, Go, "not-standard"},
		{Standard, func(in *Inputs) { in.Change.SemverStep = Major }, Normal, Go, "not-standard"},
		{Standard, func(in *Inputs) { in.Change.SemverStep, in.Release.Size = "unknown", Major }, Normal, Go, "not-standard"},
		{Standard, func(in *Inputs) { in.Change.Complete, in.Release.Size = false, Major }, Normal, Go, "not-standard"},
		{Standard, func(in *Inputs) { in.Change.Known, in.Release.Size = false, Major }, Normal, Go, "not-standard"},
		{"Standard", func(*Inputs) {}, Normal, CannotTell, "unknown"},
		{"hotfix", func(*Inputs) {}, Normal, CannotTell, "unknown"},
	} {
		in := with(func(in *Inputs) { in.Release.ChangeType = tt.declared; tt.change(in) })
		c := p.Classify(&in)
		r := reason(t, Outcome{Reasons: c.Reasons}, gateChangeType)
		if c.ChangeType != tt.want || c.Verdict != tt.verdict || r.Code != tt.code {
			t.Errorf("declared %q, %+v: %s, %s, %s; want %s, %s, %s", tt.declared, in.Change, c.ChangeType, c.Verdict, r.Code, tt.want, tt.verdict, tt.code)
		}
	}
}

func TestReleaseTypeIsOne(t *testing.T) {
	kind := func(name, rest string) string {
		return doc("ReleaseType", "name: "+name+"\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: one\n"+rest)
	}
	critical := without("ReleaseType", kind("critical", "when: service.tier == 0\nthresholds: {rate: 0.9}\n"), kind("usual", "when: service.tier != 0\nthresholds: {rate: 0.5}\n"))
	overlapping := without("ReleaseType", kind("a", "when: service.tier < 2\n"), kind("b", "when: service.tier > 0\n"))
	declared := without("ReleaseType", kind("a", `when: release.size == "patch"`+"\n"), kind("b", `when: release.size != "patch"`+"\n"))
	byFindings := without("ReleaseType", kind("a", "when: findings.total == 0\n"), kind("b", "when: findings.total > 0\n"))
	broken := without("ReleaseType", kind("a", "when: 1 / service.tier > 0\n"), kind("b", "when: service.tier == 7\n"))
	for _, tt := range []struct {
		name    string
		files   []File
		change  func(*Inputs)
		want    string
		code    string
		verdict Verdict
	}{
		{"the one", sample(), func(*Inputs) {}, "any", "passed", Go},
		{"by tier", critical, func(in *Inputs) { in.Service.Tier = 0 }, "critical", "passed", Go},
		{"by other tier", critical, func(in *Inputs) { in.Service.Tier = 2 }, "usual", "passed", Go},
		{"none", overlapping, func(in *Inputs) { in.Service.Tier = -1 }, "a", "passed", Go},
		{"two", overlapping, func(in *Inputs) { in.Service.Tier = 1 }, "", "two-types", CannotTell},
		{"no type", broken, func(in *Inputs) { in.Service.Tier = 2 }, "", "no-type", CannotTell},
		{"cannot be computed", broken, func(in *Inputs) { in.Service.Tier = 0 }, "", "unknown", CannotTell},
		{"as declared, not as classified", declared, func(in *Inputs) { in.Change.Breaking = true }, "a", "passed", Go},
		{"by findings", byFindings, func(*Inputs) {}, "a", "passed", Go},
		{"by findings that are not known", byFindings, func(in *Inputs) { in.Findings.Known = false }, "", "unknown", CannotTell},
	} {
		c := compiled(t, tt.files).Classify(new(with(tt.change)))
		got := ""
		if c.Type != nil {
			got = c.Type.Name
		}
		r := reason(t, Outcome{Reasons: c.Reasons}, gateType)
		if got != tt.want || r.Code != tt.code || c.Verdict != tt.verdict {
			t.Errorf("%s: type %q, %s, %s; want %q, %s, %s", tt.name, got, r.Code, c.Verdict, tt.want, tt.code, tt.verdict)
		}
	}
}

func TestClassificationCarriesChainAndExemption(t *testing.T) {
	c := compiled(t, sample(doc("FreezeRule", "name: year-end\nexempt: [any]\n"), doc("FreezeRule", "name: stern\n"))).Classify(new(fine()))
	if c.Chain == nil || c.Chain.Name != "one" || c.Chain.Tiers[0].Quorum != 2 {
		t.Errorf("chain %+v", c.Chain)
	}
	if diff := cmp.Diff([]string{"year-end"}, c.ExemptFrom); diff != "" {
		t.Error(diff)
	}
	if c.Type.PermitTTL != DefaultPermitTTL || c.Chain.ValidFor != DefaultValidFor || c.Chain.Rejections != 1 {
		t.Errorf("defaults: %s, %s, %d", c.Type.PermitTTL, c.Chain.ValidFor, c.Chain.Rejections)
	}
}

func TestStrictestScopeRuleWins(t *testing.T) {
	rule := func(name, rest string) string { return doc("ScopeRule", "name: "+name+"\n"+rest+"\n") }
	observe := func(until string) string { return "\nobserve: {by: ada-example, until: " + until + "}" }
	april, may, past := observe("2027-04-01"), observe("2027-05-01"), observe("2027-02-01")
	type want struct {
		Governance, ScopeRule string
		Observed              bool
		Verdict               Verdict
	}
	for _, tt := range []struct {
		name   string
		rules  []string
		change func(*Inputs)
		want   want
	}{
		{"full over light over none", []string{rule("a", "governance: none"), rule("b", "governance: full"), rule("c", "governance: light")}, func(*Inputs) {}, want{Full, "b", false, Go}},
		{"light over none", []string{rule("a", "governance: none"), rule("c", "governance: light")}, func(*Inputs) {}, want{Light, "c", false, Go}},
		{"none alone", []string{rule("a", "governance: none")}, func(in *Inputs) { in.Change = Change{} }, want{None, "a", false, Go}},
		{"the first of two equals by name", []string{rule("b", "governance: full"), rule("a", "governance: full")}, func(*Inputs) {}, want{Full, "a", false, Go}},
		{"observed", []string{rule("a", "governance: full"+april)}, func(*Inputs) {}, want{Full, "a", true, Go}},
		{"observed no longer", []string{rule("a", "governance: full"+past)}, func(*Inputs) {}, want{Full, "a", false, Go}},
		{"enforced beats observed", []string{rule("a", "governance: full"+april), rule("b", "governance: full")}, func(*Inputs) {}, want{Full, "b", false, Go}},
		{"the observation that ends first", []string{rule("a", "governance: full"+may), rule("b", "governance: full"+april)}, func(*Inputs) {}, want{Full, "b", true, Go}},
		{"an observed light rule does not soften a full one", []string{rule("a", "governance: light"+april), rule("b", "governance: full")}, func(*Inputs) {}, want{Full, "b", false, Go}},
		{"a strange service is never observed", []string{rule("a", "governance: light"+april)}, func(in *Inputs) { in.Service.Known = false }, want{Full, "a", false, CannotTell}},
		{"a strange environment is never ungoverned", []string{rule("a", "governance: none")}, func(in *Inputs) { in.Environment.Known = false }, want{Full, "a", false, CannotTell}},
		{"a rule that cannot be told is strict", []string{rule("a", "governance: none"), rule("b", "match: findings.total > 0\ngovernance: light")}, func(in *Inputs) { in.Findings.Known = false }, want{Full, "a", false, CannotTell}},
		{"a rule that cannot be told ends observation", []string{rule("a", "governance: full"+april), rule("b", "match: findings.total > 0\ngovernance: light")}, func(in *Inputs) { in.Findings.Known = false }, want{Full, "a", false, CannotTell}},
		{"a rule that cannot be told adds nothing to the strictest", []string{rule("a", "governance: full"), rule("b", "match: findings.total > 0\ngovernance: none")}, func(in *Inputs) { in.Findings.Known = false }, want{Full, "a", false, Go}},
		{"a rule that cannot be computed is strict", []string{rule("a", "governance: none"), rule("b", "match: 1 / findings.total > 0\ngovernance: none")}, func(*Inputs) {}, want{Full, "a", false, CannotTell}},
		{"only one rule, which cannot be told", []string{rule("b", "match: findings.total > 0\ngovernance: none")}, func(in *Inputs) { in.Findings.Known = false }, want{Full, "", false, CannotTell}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := compiled(t, without("ScopeRule", tt.rules...)).Classify(new(with(tt.change)))
			if diff := cmp.Diff(tt.want, want{c.Governance, c.ScopeRule, c.Observe != nil, c.Verdict}); diff != "" {
				t.Errorf("%s\n%+v", diff, c.Reasons)
			}
		})
	}
}

func TestObservedIsNotEnforced(t *testing.T) {
	p := compiled(t, without("ScopeRule", doc("ScopeRule", "name: trial\ngovernance: full\nobserve: {by: ada-example, until: 2027-04-01}\n")))
	o := p.Decide(with(func(in *Inputs) { in.Approval.Rejected = true }))
	if o.Verdict != NoGo || o.Enforced || o.Observe == nil || o.Observe.By != "ada-example" {
		t.Errorf("%s, enforced %v, %+v", o.Verdict, o.Enforced, o.Observe)
	}
	if want := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC); !o.Until.Equal(want) {
		t.Errorf("until %s, want %s", o.Until, want)
	}
	o = p.Decide(with(func(in *Inputs) { in.Approval.Rejected, in.Now = true, o.Until }))
	if !o.Enforced || o.Observe != nil {
		t.Error("still observed at its end")
	}
}

func TestGovernanceNoneAsksNothing(t *testing.T) {
	p := compiled(t, without("ScopeRule", doc("ScopeRule", "name: sandbox\ngovernance: none\nreason: developers try things out here\n")))
	o := p.Decide(with(func(in *Inputs) { in.Approval, in.Calendar, in.Change = Approval{}, Calendar{}, Change{} }))
	if o.Verdict != Go || len(o.Reasons) != 1 || o.Type != "" {
		t.Fatalf("%s %+v", o.Verdict, o.Reasons)
	}
	if want := "Scope rule sandbox governs this release: not at all. Developers try things out here."; o.Reasons[0].Why != want {
		t.Errorf("%q, want %q", o.Reasons[0].Why, want)
	}
}

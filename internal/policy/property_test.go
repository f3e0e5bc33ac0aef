package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// conditions are pieces that rules are drawn from: honest, careless and hostile.
var conditions = []string{
	"true", "false", "release.deployed_early", "!release.deployed_early", "service.tier > 0", "service.owned", `"icfr" in service.flags`, `environment.kind == "production"`,
	"change.breaking", "change.commits > 1", "change.migrations == 0", "findings.critical == 0", "findings.high <= 2", "findings.total < 4", "tests.failed == 0", "coverage.line_rate >= 0.5",
	"attestation.verified >= 1", "attestation.known || tests.known", "!attestation.known",
	"findings.known", "!findings.known", "!tests.known", "!change.known || change.commits > 1", "tests.known != coverage.known", "findings.known ? findings.critical == 0 : true",
	"!(findings.critical > 0)", "[tests].all(t, t.failed == 0)", "1 / findings.critical > 0", "findings.age_hours < 24.0", "now < timestamp('2027-03-01T12:00:00Z')",
	"release.submitted_at + duration('4h') <= now", "now - release.submitted_at > duration('1h')", "release.submitted_at < now", "!(release.submitted_at > now)", "[release].all(r, r.submitted_at <= now)",
}

// late are pieces for gates alone.
var late = []string{
	"approval.approvals >= 1", "!approval.rejected", "!calendar.frozen", "!calendar.known", "approval.known || calendar.known", `release.size != "major"`, `release.type == "t0"`,
	"size(calendar.rules) == 0", `!("z0" in calendar.rules)`, "calendar.thaws_at < now",
}

func piece(t *rapid.T, label string, from []string) string {
	a := rapid.SampledFrom(from).Draw(t, label)
	switch rapid.IntRange(0, 3).Draw(t, label+" how") {
	case 1:
		return "(" + a + ") && (" + rapid.SampledFrom(from).Draw(t, label+" and") + ")"
	case 2:
		return "(" + a + ") || (" + rapid.SampledFrom(from).Draw(t, label+" or") + ")"
	}
	return a
}

// anyBundle draws a bundle that compiles.
func anyBundle(t *rapid.T) []File {
	var b strings.Builder
	b.WriteString("apiVersion: signalbox/v1\nkind: Policy\nname: any\nversion: '1'\n")
	b.WriteString(doc("ApprovalChain", "name: one\ntiers: [{name: review, groups: [release-approvers], quorum: 1}]\n"))
	for i := range rapid.IntRange(1, 3).Draw(t, "scopes") {
		b.WriteString(doc("ScopeRule", fmt.Sprintf("name: s%d\nmatch: >-\n  %s\ngovernance: %s\n", i, piece(t, "match", conditions), rapid.SampledFrom([]string{Full, Full, Light, None}).Draw(t, "governance"))))
		if rapid.IntRange(0, 3).Draw(t, "observed") == 0 && !strings.HasSuffix(b.String(), "none\n") {
			b.WriteString("observe: {by: ada-example, until: 2027-04-01}\n")
		}
	}
	change := [][]string{{Standard}, {Normal}, {Emergency}}
	for i, types := range change {
		b.WriteString(doc("ReleaseType", fmt.Sprintf("name: t%d\nsize: [major, minor, patch]\nchange_types: [%s]\nchain: %s\n", i, strings.Join(types, ", "), rapid.SampledFrom([]string{"one", "none"}).Draw(t, "chain"))))
		b.WriteString(rapid.SampledFrom([]string{"", "", "lead_time: 1h\n", "lead_time: 1d\n"}).Draw(t, "lead time"))
		if rapid.IntRange(0, 2).Draw(t, "whens") == 0 {
			b.WriteString("when: >-\n  " + piece(t, "when", conditions) + "\n")
		}
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "gates") {
		b.WriteString(doc("Gate", fmt.Sprintf("name: g%d\ntitle: G\ncondition: >-\n  %s\nseverity: %s\n", i, piece(t, "condition", append(late, conditions...)), rapid.SampledFrom([]string{"block", "block", "warn"}).Draw(t, "severity"))))
		if rapid.Bool().Draw(t, "applying") {
			b.WriteString("applies: >-\n  " + piece(t, "applies", append(late, conditions...)) + "\n")
		}
		if rapid.IntRange(0, 2).Draw(t, "aged") == 0 {
			b.WriteString("max_age: 1d\nneeds: [findings]\nprovenance: pipeline\n")
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "freeze rules") {
		b.WriteString(doc("FreezeRule", fmt.Sprintf("name: z%d\n", i)+rapid.SampledFrom([]string{"", "verdict: wait\n", "verdict: no-go\nmay_lift: [board]\n"}).Draw(t, "freeze verdict")))
	}
	return []File{{Name: "any.yaml", Data: []byte(b.String())}}
}

// anyInputs are drawn near the edges, more often good than bad.
func anyInputs(t *rapid.T) Inputs {
	often := func(label string) bool { return rapid.IntRange(0, 11).Draw(t, label) > 0 }
	few := func(label string) int { return max(0, rapid.IntRange(-4, 3).Draw(t, label)) }
	in := fine()
	in.Release.Size = rapid.SampledFrom([]string{"", Patch, Minor, Major}).Draw(t, "size")
	in.Release.ChangeType = rapid.SampledFrom([]string{"", Standard, Normal, Emergency}).Draw(t, "change type")
	in.Release.DeployedEarly = !often("undeployed")
	in.Service.Tier, in.Service.Owned = few("tier"), often("owned")
	in.Environment.Kind = rapid.SampledFrom([]string{"production", "staging"}).Draw(t, "kind")
	in.Change.Complete, in.Change.Breaking = often("complete"), !often("unbroken")
	in.Change.Commits, in.Change.Migrations, in.Change.UnknownContributors = few("commits"), few("migrations"), few("unknown contributors")
	in.Change.SemverStep = rapid.SampledFrom([]string{Patch, Minor, Major, "none", "unknown"}).Draw(t, "step")
	in.Findings.Critical, in.Findings.High, in.Findings.Total, in.Findings.Unrated = few("critical"), few("high"), few("total"), few("unrated")
	in.Findings.AgeHours = rapid.SampledFrom([]float64{1, 23.5, 25}).Draw(t, "age")
	in.Findings.Provenance = rapid.SampledFrom([]Provenance{ByServer, ByPipeline, ByPerson}).Draw(t, "provenance")
	in.Tests.Total, in.Tests.Failed = few("total tests")*5+5, few("failed")
	in.Coverage.LineRate = rapid.SampledFrom([]float64{0.2, 0.5, 0.9}).Draw(t, "rate")
	in.Approval.Satisfied, in.Approval.Rejected = often("satisfied"), !often("unrejected")
	in.Release.SubmittedAt = rapid.SampledFrom([]time.Time{
		{}, monday.Add(-48 * time.Hour), monday.Add(-24 * time.Hour), monday.Add(time.Second - 24*time.Hour), monday.Add(-time.Hour), monday.Add(time.Second - time.Hour), monday, monday.Add(time.Hour),
	}).Draw(t, "submitted")
	if in.Calendar.Frozen = !often("thawed"); in.Calendar.Frozen {
		in.Calendar.Freezes = rapid.SliceOfN(rapid.SampledFrom([]string{"close", "sale"}), 0, 3).Draw(t, "freezes")
		in.Calendar.Rules = rapid.SliceOfN(rapid.SampledFrom([]string{"z0", "z1", "gone"}), 0, 3).Draw(t, "rules")
		in.Calendar.OpenEnd = rapid.Bool().Draw(t, "open end")
		in.Calendar.ThawsAt = rapid.SampledFrom([]time.Time{{}, monday.Add(-time.Hour), monday, monday.Add(time.Hour)}).Draw(t, "thaw")
	}
	for s := range sectionCount {
		*in.known(s) = often("known " + s.String())
	}
	return in
}

// lesser are the inputs, each without one thing that they know.
func lesser(in Inputs) map[string]Inputs {
	all := map[string]Inputs{}
	for s := range sectionCount {
		if *in.known(s) {
			less := in
			*less.known(s) = false
			all[s.String()] = less
		}
	}
	if !in.Release.SubmittedAt.IsZero() {
		less := in
		less.Release.SubmittedAt = time.Time{}
		all["submission"] = less
	}
	if len(in.Calendar.Rules) > 0 {
		less := in
		less.Calendar.Rules = nil
		all["rules"] = less
	}
	return all
}

// TestWhatIsNotKnownNeverHelps: to make a section, the submission or the rules
// of freezes unknown never turns another answer into go, whatever the bundle says.
func TestWhatIsNotKnownNeverHelps(t *testing.T) {
	gone, changed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		files := anyBundle(t)
		p, problems := Compile(files)
		if p == nil {
			t.Fatalf("does not compile: %v\n%s", problems[0], files[0].Data)
		}
		in := anyInputs(t)
		before := p.Decide(in)
		for s, less := range lesser(in) {
			after := p.Decide(less)
			if before.Verdict == Go {
				gone++
			}
			if after.Verdict != before.Verdict {
				changed++
			}
			if after.Verdict == Go && before.Verdict != Go {
				t.Fatalf("without %s %s becomes go: %+v\n%s", s, before.Verdict, before.Reasons, files[0].Data)
			}
			if after.Enforced != before.Enforced && before.Enforced {
				t.Fatalf("without %s the answer is no longer enforced\n%s", s, files[0].Data)
			}
		}
	})
	if gone == 0 || changed == 0 {
		t.Errorf("nothing was tried: %d times go, %d times changed", gone, changed)
	}
}

// TestDroppedEvidenceIsNeverGo: where a blocking gate that is certain to apply
// reads a section, to drop that section is never go.
func TestDroppedEvidenceIsNeverGo(t *testing.T) {
	p := compiled(t, append(Starter(), File{Name: "attested.yaml", Data: []byte(strings.TrimPrefix(doc("Gate", "name: attested\ntitle: A\ncondition: attestation.verified > 0\n"), "---\n"))}))
	if o := p.Decide(fine()); o.Verdict != Go {
		t.Fatalf("the whole evidence is not go: %+v", o.Reasons)
	}
	for s := range sectionCount {
		if s == secLoad || s == secPrevious { // the starter pack reads neither; the regulated one tests both
			continue
		}
		for _, drop := range []func(*Inputs){
			func(in *Inputs) { *in.known(s) = false },
			func(in *Inputs) {
				switch s {
				case secRelease:
					in.Release = Release{}
				case secService:
					in.Service = Service{}
				case secEnvironment:
					in.Environment = Environment{}
				case secChange:
					in.Change = Change{}
				case secFindings:
					in.Findings = Findings{}
				case secTests:
					in.Tests = Tests{}
				case secCoverage:
					in.Coverage = Coverage{}
				case secAttestation:
					in.Attestation = Attestation{}
				case secApproval:
					in.Approval = Approval{}
				case secCalendar:
					in.Calendar = Calendar{}
				}
			},
		} {
			if o := p.Decide(with(drop)); o.Verdict == Go {
				t.Errorf("go without %s", s)
			}
		}
	}
}

// TestVerdictIsTheWorstThatBlocks holds the join itself.
func TestVerdictIsTheWorstThatBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := Compile(anyBundle(t))
		o := p.Decide(anyInputs(t))
		order := []Verdict{NoGo, CannotTell, Wait, Go}
		want := Go
		for _, v := range order {
			if slices.ContainsFunc(o.Reasons, func(r Reason) bool { return r.Severity == Block && r.Verdict == v }) {
				want = v
				break
			}
		}
		if o.Verdict != want {
			t.Fatalf("verdict %s, want %s: %+v", o.Verdict, want, o.Reasons)
		}
		if len(o.Reasons) == 0 {
			t.Fatal("an answer without a reason")
		}
		for _, r := range o.Reasons {
			if r.Why == "" || r.Code == "" || r.Title == "" || r.Gate == "" {
				t.Fatalf("a reason that says too little: %+v", r)
			}
			if (r.Verdict == Go) != slices.Contains([]string{"passed", "not-required", "not-standard"}, r.Code) {
				t.Fatalf("%s has verdict %s and code %s", r.Gate, r.Verdict, r.Code)
			}
		}
	})
}

// TestAnswerStandsUntil: before Until time alone does not turn go into another
// answer, where conditions do not turn twice within a minute.
func TestAnswerStandsUntil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := Compile(anyBundle(t))
		in := anyInputs(t)
		o := p.Decide(in)
		if o.Until.IsZero() {
			o.Until = in.Now.Add(MaxPermitTTL)
		}
		if !o.Until.After(in.Now) {
			t.Skip("the answer ends now")
		}
		by := time.Duration(rapid.Int64Range(0, int64(min(o.Until.Sub(in.Now), MaxPermitTTL))-1).Draw(t, "by")).Truncate(time.Second)
		if left := o.Until.Sub(in.Now) - by; left < time.Second {
			by -= time.Second
		}
		by = max(by, 0)
		later := in
		later.Now = in.Now.Add(by)
		for s := range sectionCount {
			if age := later.age(s); age != nil {
				*age += by.Hours()
			}
		}
		if after := p.Decide(later); after.Verdict != o.Verdict && o.Verdict == Go {
			t.Fatalf("go until %s is %s after %s: %+v", o.Until, after.Verdict, by, after.Reasons[0])
		}
	})
}

// TestTimeIsKept: a freeze in force is never go, nor is a release within the
// lead time of its type; where that alone stands in the way, its end lifts it.
func TestTimeIsKept(t *testing.T) {
	slow := without("ReleaseType", doc("ReleaseType", "name: any\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: one\nlead_time: 1d\n"))
	early, frozen, lifted := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		files, in := anyBundle(t), anyInputs(t)
		if rapid.Bool().Draw(t, "otherwise fine") {
			files, in = slow, with(func(fine *Inputs) { fine.Release.SubmittedAt, fine.Calendar = in.Release.SubmittedAt, in.Calendar })
		}
		p, _ := Compile(files)
		o, c := p.Decide(in), p.Classify(&in)
		if o.Governance == None {
			return
		}
		if in.Calendar.Frozen {
			if frozen++; o.Verdict == Go {
				t.Fatalf("go in a freeze\n%s", files[0].Data)
			}
		}
		if c.Type == nil || c.Type.LeadTime == 0 || !in.Release.SubmittedAt.Add(c.Type.LeadTime).After(in.Now) && !in.Release.SubmittedAt.IsZero() {
			return
		}
		if early++; o.Verdict == Go {
			t.Fatalf("go within the lead time\n%s", files[0].Data)
		}
		blocking := func(r Reason) bool { return r.Severity == Block && r.Verdict != Go && r.Gate != gateLeadTime }
		if in.Release.SubmittedAt.IsZero() || slices.ContainsFunc(o.Reasons, blocking) {
			return
		}
		if o.Until.IsZero() || o.Until.After(in.Release.SubmittedAt.Add(c.Type.LeadTime)) {
			t.Fatalf("the answer stands until %s, beyond the lead time", o.Until)
		}
		in.Release.SubmittedAt = in.Now.Add(-c.Type.LeadTime)
		if after := p.Decide(in); !slices.ContainsFunc(after.Reasons, blocking) {
			if lifted++; after.Verdict != Go {
				t.Fatalf("after the lead time the answer is %s", after.Verdict)
			}
		}
	})
	if early == 0 || frozen == 0 || lifted == 0 {
		t.Errorf("nothing was tried: %d times early, %d frozen, %d lifted", early, frozen, lifted)
	}
}

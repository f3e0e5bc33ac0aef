package policy

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// probe is a gate by the name of probe in an otherwise passing bundle.
func probe(rest string) []File { return sample(doc("Gate", "name: probe\ntitle: Probe\n"+rest)) }

func TestEveryGatePath(t *testing.T) {
	for _, tt := range []struct {
		name, gate string
		change     func(*Inputs)
		verdict    Verdict // of the whole
		code       string  // of the gate; "" where it does not apply
		why        string  // a part of
	}{
		{"holds", "condition: findings.critical == 0", func(*Inputs) {}, Go, "passed", "The condition holds."},
		{"fails", "condition: findings.critical == 0", func(in *Inputs) { in.Findings.Critical = 2 }, NoGo, "failed", "`findings.critical == 0` does not hold: findings.critical is 2."},
		{"fails in words", "condition: findings.critical == 0\ndescription: Something critical was found.", func(in *Inputs) { in.Findings.Critical = 2 }, NoGo, "failed", "Something critical was found."},
		{"fails to wait", "condition: findings.critical == 0\non_fail: wait", func(in *Inputs) { in.Findings.Critical = 2 }, Wait, "failed", ""},
		{"only warns", "condition: findings.critical == 0\nseverity: warn", func(in *Inputs) { in.Findings.Critical = 2 }, Go, "failed", ""},
		{"only observes", "condition: findings.critical == 0\nseverity: observe", func(in *Inputs) { in.Findings.Critical = 2 }, Go, "failed", ""},
		{"warns of the unknown", "condition: findings.critical == 0\nseverity: warn", func(in *Inputs) { in.Findings.Known = false }, Go, "unknown", "Findings is not known."},
		{"unknown findings", "condition: findings.critical == 0", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", "Findings is not known."},
		{"unknown but true", "condition: findings.critical == 0 || true", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"unknown behind known", "condition: 'findings.known ? findings.critical == 0 : true'", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"a need alone", `condition: "true"` + "\nneeds: [coverage]", func(in *Inputs) { in.Coverage.Known = false }, CannotTell, "unknown", "Coverage is not known."},
		{"a section as a whole", "condition: size([findings]) == 1", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"a section through a list", "condition: '[findings].all(f, f.critical == 0)'", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"a section through a map", "condition: '{\"x\": findings}[\"x\"].critical == 0'", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"a section with a leading dot", "condition: .findings.critical == 0", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"presence of a field", "condition: has(findings.critical)", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"known alone, missing", "condition: findings.known", func(in *Inputs) { in.Findings.Known = false }, NoGo, "failed", ""},
		{"known alone, there", "condition: findings.known", func(*Inputs) {}, Go, "passed", ""},
		{"for want of findings", "condition: '!findings.known'", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", "for want of something"},
		{"one of two is enough", "condition: findings.known || tests.known", func(in *Inputs) { in.Findings.Known = false }, Go, "passed", ""},
		{"either but not both", "condition: findings.known != tests.known", func(in *Inputs) { in.Findings.Known = false }, CannotTell, "unknown", ""},
		{"five things missing", "condition: '!(change.known && findings.known && tests.known && coverage.known && calendar.known && false)'", func(in *Inputs) {
			in.Change.Known, in.Findings.Known, in.Tests.Known, in.Coverage.Known, in.Calendar.Known = false, false, false, false, false
		}, CannotTell, "unknown", ""},
		{"incomplete change", "condition: change.commits > 0", func(in *Inputs) { in.Change.Complete, in.Release.Size = false, Major }, CannotTell, "unknown", "Change is not known in full."},
		{"unrated and holds", "condition: findings.high == 0", func(in *Inputs) { in.Findings.Unrated = 1 }, CannotTell, "unknown", "1 finding is without a severity"},
		{"unrated and fails", "condition: findings.high == 0", func(in *Inputs) { in.Findings.Unrated, in.Findings.High = 1, 1 }, NoGo, "failed", ""},
		{"unrated but not read", "condition: findings.total < 5", func(in *Inputs) { in.Findings.Unrated = 1 }, Go, "passed", ""},
		{"unrated through the whole", "condition: '[findings].all(f, f.high == 0)'", func(in *Inputs) { in.Findings.Unrated = 1 }, CannotTell, "unknown", ""},
		{"zero tests", "condition: tests.failed == 0", func(in *Inputs) { in.Tests.Total = 0 }, CannotTell, "unknown", "Zero tests were run."},
		{"stale", "condition: findings.critical == 0\nmax_age: 1h", func(*Inputs) {}, CannotTell, "stale", "too old"},
		{"from the future", "condition: findings.critical == 0\nmax_age: 1h", func(in *Inputs) { in.Findings.AgeHours = -1 }, CannotTell, "stale", "future"},
		{"stale need", `condition: "true"` + "\nneeds: [tests]\nmax_age: 1h", func(*Inputs) {}, CannotTell, "stale", ""},
		{"as old as may be", "condition: findings.critical == 0\nmax_age: 2h", func(*Inputs) {}, Go, "passed", ""},
		{"a person is not believed", "condition: findings.critical == 0\nprovenance: pipeline", func(in *Inputs) { in.Findings.Provenance = ByPerson }, NoGo, "provenance", "Findings comes from a person"},
		{"nobody is not believed", "condition: findings.critical == 0\nprovenance: person", func(in *Inputs) { in.Findings.Provenance = ByNobody }, NoGo, "provenance", "nobody"},
		{"an assumption is not believed", "condition: findings.critical == 0\nprovenance: person", func(in *Inputs) { in.Findings.Provenance = Assumed }, NoGo, "provenance", "an assumption"},
		{"a stranger word is not believed", "condition: findings.critical == 0\nprovenance: person", func(in *Inputs) { in.Findings.Provenance = "SERVER" }, NoGo, "provenance", ""},
		{"the server is believed", "condition: findings.critical == 0\nprovenance: server", func(in *Inputs) { in.Findings.Provenance = ByServer }, Go, "passed", ""},
		{"does not apply", "condition: 'false'\napplies: service.tier == 0", func(*Inputs) {}, Go, "", ""},
		{"applies", "condition: 'false'\napplies: service.tier == 1", func(*Inputs) {}, NoGo, "failed", ""},
		{"applies where that is unknown", "condition: 'false'\napplies: findings.critical > 0", func(in *Inputs) { in.Findings.Known = false }, NoGo, "failed", ""},
		{"applies where known is unknown", "condition: 'false'\napplies: findings.known", func(in *Inputs) { in.Findings.Known = false }, NoGo, "failed", ""},
		{"applies where the count is not reliable", "condition: 'false'\napplies: findings.critical > 0", func(in *Inputs) { in.Findings.Unrated = 1 }, NoGo, "failed", ""},
		{"applies where it cannot be computed", "condition: 'false'\napplies: 1 / findings.critical > 0", func(*Inputs) {}, NoGo, "failed", ""},
		{"light only", "condition: 'false'\ngovernance: [light]", func(*Inputs) {}, Go, "", ""},
		{"divides by zero", "condition: 1 / findings.critical == 0", func(*Inputs) {}, CannotTell, "error", "The expression divides by zero."},
		{"overflows", "condition: 9223372036854775807 + findings.critical + 1 > 0", func(*Inputs) {}, CannotTell, "error", "too large"},
		{"beyond the list", `condition: findings.tools[3] == "x"`, func(*Inputs) {}, CannotTell, "error", "not there"},
		{"threshold", "condition: coverage.line_rate >= threshold.rate", func(*Inputs) {}, Go, "passed", ""},
		{"threshold missed", "condition: coverage.line_rate >= threshold.rate", func(in *Inputs) { in.Coverage.LineRate = 0.4 }, NoGo, "failed", ""},
		{"parameter", "condition: findings.high <= param.limit", func(in *Inputs) { in.Findings.High = 3 }, NoGo, "failed", "param.limit is 2"},
		{"not a number", "condition: '!(coverage.line_rate < 0.5)'", func(in *Inputs) { in.Coverage.LineRate = math.NaN() }, CannotTell, "", ""},
		{"time since submission", "condition: release.submitted_at + duration('4h') <= now", func(*Inputs) {}, Go, "passed", ""},
		{"no time since submission", "condition: release.submitted_at + duration('4h') <= now", func(in *Inputs) { in.Release.SubmittedAt = time.Time{} }, CannotTell, "unknown", "not submitted"},
		{"no time since submission, read whole", "condition: '[release].all(r, r.submitted_at < now)'", func(in *Inputs) { in.Release.SubmittedAt = time.Time{} }, CannotTell, "unknown", "not submitted"},
		{"too little time, not submitted", "condition: release.submitted_at > now", func(in *Inputs) { in.Release.SubmittedAt = time.Time{} }, NoGo, "failed", ""},
		{"applies by a submission that never was", "condition: 'false'\napplies: release.submitted_at > now", func(in *Inputs) { in.Release.SubmittedAt = time.Time{} }, NoGo, "failed", ""},
		{"classified size", `condition: release.size == "major" && release.type == "any"`, func(in *Inputs) { in.Change.Breaking = true }, Go, "passed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compiled(t, probe(tt.gate))
			if o := p.Decide(with(func(in *Inputs) { in.Findings.Provenance = ByServer })); tt.code != "" && tt.verdict == Go {
				reason(t, o, "probe")
			}
			o := p.Decide(with(tt.change))
			if o.Verdict != tt.verdict {
				t.Errorf("verdict %s, want %s: %+v", o.Verdict, tt.verdict, o.Reasons)
			}
			i := slices.IndexFunc(o.Reasons, func(r Reason) bool { return r.Gate == "probe" })
			switch {
			case i < 0 && tt.code != "":
				t.Errorf("the gate gives no reason, want %s", tt.code)
			case i >= 0 && (o.Reasons[i].Code != tt.code || !strings.Contains(o.Reasons[i].Why, tt.why)):
				t.Errorf("the gate says %s (%s), want %s (%s)", o.Reasons[i].Code, o.Reasons[i].Why, tt.code, tt.why)
			}
		})
	}
}

func TestFineInputsAreGo(t *testing.T) {
	for _, files := range [][]File{sample(), Starter()} {
		if o := compiled(t, files).Decide(fine()); o.Verdict != Go || !o.Enforced || !o.Until.Equal(o.Until) {
			t.Errorf("fine inputs: %s %+v", o.Verdict, o.Reasons)
		}
	}
}

func TestEngineReasons(t *testing.T) {
	freeze := doc("FreezeRule", "name: lenient\nexempt: [any]\nmay_lift: [managers]\nverdict: wait\n") + doc("FreezeRule", "name: stern\nmay_lift: [board]\nverdict: no-go\n")
	slow := without("ReleaseType", doc("ReleaseType", "name: any\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: none\nlead_time: 4h\n"))
	for _, tt := range []struct {
		name    string
		files   []File
		change  func(*Inputs)
		gate    string
		code    string
		verdict Verdict
		text    string // a part of why, observed, lift or required
	}{
		{"approved", sample(), func(*Inputs) {}, gateApproval, "passed", Go, "2 of 2 approvals"},
		{"one missing", sample(), func(in *Inputs) { in.Approval.Satisfied, in.Approval.Approvals = false, 1 }, gateApproval, "waiting", Wait, "1 of 2 approvals."},
		{"the chain counts where inputs do not", sample(), func(in *Inputs) { in.Approval = Approval{Known: true, Eligible: 5} }, gateApproval, "waiting", Wait, "0 of 2 approvals."},
		{"votes lapsed", sample(), func(in *Inputs) { in.Approval = Approval{Known: true, Eligible: 5, Lapsed: 2} }, gateApproval, "waiting", Wait, "2 votes have lapsed."},
		{"nobody left", sample(), func(in *Inputs) { in.Approval = Approval{Known: true, Approvals: 1, Required: 2} }, gateApproval, "nobody-left", CannotTell, "1 approval is missing and 0 persons are left who may still approve."},
		{"rejected", sample(), func(in *Inputs) { in.Approval.Rejected = true }, gateApproval, "rejected", NoGo, "rejected"},
		{"approvals unknown", sample(), func(in *Inputs) { in.Approval.Known = false }, gateApproval, "unknown", CannotTell, "not known"},
		{"approvals assumed", sample(), func(in *Inputs) { in.Approval.Assumed = true }, gateApproval, "passed", Go, "(assumed)"},
		{"nobody asked", without("ReleaseType", doc("ReleaseType", "name: any\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: none\n")), func(in *Inputs) { in.Approval = Approval{} }, gateApproval, "not-required", Go, "requires no approval"},
		{"unknown contributor", sample(), func(in *Inputs) { in.Change.UnknownContributors = 2 }, gateContributors, "unknown", CannotTell, "2 commit identities are claimed by no person."},
		{"contributors of an unknown change", sample(), func(in *Inputs) { in.Change, in.Release.Size = Change{}, Major }, gateContributors, "unknown", CannotTell, "Who contributed to the change is not known."},
		{"contributors of half a change", sample(), func(in *Inputs) { in.Change.Complete, in.Release.Size = false, Major }, gateContributors, "unknown", CannotTell, "not known in full"},
		{"calendar unknown", sample(), func(in *Inputs) { in.Calendar.Known = false }, gateCalendar, "unknown", CannotTell, "not known"},
		{"frozen with an end", sample(), func(in *Inputs) { in.Calendar.Frozen, in.Calendar.ThawsAt = true, monday.Add(time.Hour) }, gateCalendar, "frozen", Wait, "holders of the freeze right"},
		{"frozen without an end", sample(), func(in *Inputs) { in.Calendar.Frozen, in.Calendar.OpenEnd = true, true }, gateCalendar, "frozen", NoGo, ""},
		{"frozen with an end that is past", sample(), func(in *Inputs) { in.Calendar.Frozen, in.Calendar.ThawsAt = true, monday.Add(-time.Hour) }, gateCalendar, "frozen", NoGo, ""},
		{"frozen by two, one without an end", sample(), func(in *Inputs) {
			in.Calendar.Frozen, in.Calendar.OpenEnd, in.Calendar.ThawsAt = true, true, monday.Add(time.Hour)
		}, gateCalendar, "frozen", NoGo, ""},
		{"the rule that a freeze names", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"close"}, Rules: []string{"lenient"}}
		}, gateCalendar, "frozen", Wait, "managers"},
		{"the worst of two freezes", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"one", "two"}, Rules: []string{"stern", "lenient"}}
		}, gateCalendar, "frozen", NoGo, "|board, and managers|"},
		{"two freezes by one rule", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"one", "two"}, Rules: []string{"lenient", "lenient"}}
		}, gateCalendar, "frozen", Wait, "|managers|"},
		{"a rule that is not in the bundle", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"one"}, Rules: []string{"gone"}}
		}, gateCalendar, "frozen", NoGo, "|holders of the freeze right|"},
		{"a rule that is not in the bundle, with an end", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, ThawsAt: in.Now.Add(time.Hour), Freezes: []string{"one"}, Rules: []string{"gone"}}
		}, gateCalendar, "frozen", Wait, "until 2027-03-01T10:00:00Z"},
		{"a stern rule with an end", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, ThawsAt: in.Now.Add(time.Hour), Freezes: []string{"one"}, Rules: []string{"stern"}}
		}, gateCalendar, "frozen", NoGo, "|board|"},
		{"a rule without verdict or lifters", sample(doc("FreezeRule", "name: plain\n")), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"one"}, Rules: []string{"plain"}}
		}, gateCalendar, "frozen", NoGo, "|holders of the freeze right|"},
		{"one of two follows no rule", sample(freeze), func(in *Inputs) {
			in.Calendar = Calendar{Known: true, Frozen: true, OpenEnd: true, Freezes: []string{"one", "two"}, Rules: []string{"lenient"}}
		}, gateCalendar, "frozen", NoGo, "|holders of the freeze right, and managers|"},
		{"submitted too late", slow, func(in *Inputs) { in.Release.SubmittedAt = in.Now.Add(-time.Hour) }, gateLeadTime, "too-early", Wait, "The lead time ends at 2027-03-01T12:00:00Z."},
		{"submitted a moment too late", slow, func(in *Inputs) { in.Release.SubmittedAt = in.Now.Add(time.Microsecond - 4*time.Hour) }, gateLeadTime, "too-early", Wait, ""},
		{"submitted just in time", slow, func(in *Inputs) { in.Release.SubmittedAt = in.Now.Add(-4 * time.Hour) }, gateLeadTime, "passed", Go, "4h from submission"},
		{"submitted in the future", slow, func(in *Inputs) { in.Release.SubmittedAt = in.Now.Add(time.Hour) }, gateLeadTime, "too-early", Wait, "2027-03-01T14:00:00Z"},
		{"not submitted", slow, func(in *Inputs) { in.Release.SubmittedAt = time.Time{} }, gateLeadTime, "unknown", CannotTell, "not submitted"},
		{"submitted, but the release is not known", slow, func(in *Inputs) { in.Release.Known = false }, gateLeadTime, "unknown", CannotTell, "not known"},
		{"exempt", sample(freeze), func(in *Inputs) { in.Calendar.Exempt = []string{"lenient"} }, gateCalendar, "passed", Go, "exempt from lenient"},
		{"strange service", sample(), func(in *Inputs) { in.Service.Known = false }, gateService, "unknown", CannotTell, "not in the catalog"},
		{"strange environment", sample(), func(in *Inputs) { in.Environment.Known = false }, gateEnvironment, "unknown", CannotTell, "not in the catalog"},
		{"unknown release", sample(), func(in *Inputs) { in.Release.Known = false }, gateRelease, "unknown", CannotTell, "not known"},
		{"no gate", without("Gate"), func(*Inputs) {}, gateGates, "no-gate", CannotTell, "certain to apply"},
		{"no gate applies", without("Gate", doc("Gate", "name: g\ntitle: G\napplies: findings.critical > 0\ncondition: 'true'\n")), func(*Inputs) {}, gateGates, "no-gate", CannotTell, ""},
		{"no gate is certain", without("Gate", doc("Gate", "name: g\ntitle: G\napplies: findings.critical > 0\ncondition: 'true'\n")), func(in *Inputs) { in.Findings.Known = false }, gateGates, "no-gate", CannotTell, ""},
		{"no rule", without("ScopeRule", doc("ScopeRule", "name: other\nmatch: environment.kind == \"other\"\ngovernance: full\n")), func(*Inputs) {}, gateScope, "no-rule", CannotTell, "No scope rule matches"},
		{"a long text", sample(), func(in *Inputs) { in.Service.Name = strings.Repeat("x", MaxInputText+1) }, gateInputs, "out-of-limits", CannotTell, "longer than is accepted"},
		{"a long list", sample(), func(in *Inputs) { in.Service.Flags = make([]string, MaxInputList+1) }, gateInputs, "out-of-limits", CannotTell, "service.flags"},
		{"an infinite rate", sample(), func(in *Inputs) { in.Coverage.LineRate = math.Inf(1) }, gateInputs, "out-of-limits", CannotTell, "coverage.line_rate"},
		{"lists as long as may be", sample(), func(in *Inputs) { in.Service.Flags = make([]string, MaxInputList) }, gateScope, "passed", Go, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := compiled(t, tt.files).Decide(with(tt.change))
			r := reason(t, o, tt.gate)
			if r.Code != tt.code || r.Verdict != tt.verdict {
				t.Errorf("%s says %s, %s; want %s, %s", r.Gate, r.Code, r.Verdict, tt.code, tt.verdict)
			}
			if all := r.Why + "|" + r.Observed + "|" + r.Lift + "|" + r.Required; !strings.Contains(all, tt.text) {
				t.Errorf("%q does not say %q", all, tt.text)
			}
			if tt.code == "too-early" && (!r.Until.After(monday) || !o.Until.Equal(r.Until)) {
				t.Errorf("it may lift at %s, and the answer stands until %s", r.Until, o.Until)
			}
			if o.Verdict.Worse(tt.verdict) != o.Verdict {
				t.Errorf("the whole says %s, better than %s", o.Verdict, tt.verdict)
			}
		})
	}
}

func TestReasonsStandInOrder(t *testing.T) {
	gate := func(name, rest string) string { return doc("Gate", "name: "+name+"\ntitle: T\n"+rest+"\n") }
	p := compiled(t, sample(
		gate("z-no-go", "condition: 'false'"), gate("a-no-go", "condition: 'false'"), gate("b-wait", "condition: 'false'\non_fail: wait"),
		gate("c-unknown", "condition: coverage.known && coverage.line_rate > 0.0"), gate("d-observed", "condition: 'false'\nseverity: observe"), gate("e-warned", "condition: 'false'\nseverity: warn"),
	))
	o := p.Decide(with(func(in *Inputs) { in.Coverage.Known = false }))
	var got []string
	for _, r := range o.Reasons {
		if r.Verdict != Go {
			got = append(got, r.Gate)
		}
	}
	want := []string{"a-no-go", "z-no-go", "c-unknown", "b-wait", "e-warned", "d-observed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	passed := o.Reasons[len(want):]
	if len(passed) == 0 || !slices.IsSortedFunc(passed, func(a, b Reason) int { return strings.Compare(a.Gate, b.Gate) }) {
		t.Errorf("what passed is not in order: %+v", passed)
	}
}

func TestReasonTellsEverything(t *testing.T) {
	p := compiled(t, probe("condition: findings.critical == 0 && findings.high <= param.limit\nowner: security\nlift: security\nnext: Mend it.\ncontrols: [soc2/CC7.1]\n"))
	r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.Critical = 2 })), "probe")
	want := Reason{
		Gate: "probe", Title: "Probe", Code: "failed", Severity: Block, Verdict: NoGo,
		Why:      "`findings.critical == 0` does not hold: findings.critical is 2.",
		Observed: "findings.critical = 2, findings.high = 0", Required: "findings.critical == 0 && findings.high <= param.limit (param.limit = 2)",
		Controls: []string{"soc2/CC7.1"}, Owner: "security", Lift: "security", Next: "Mend it.", Where: r.Where,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if r.Where.File != "more.yaml" || r.Where.Line != 4 {
		t.Errorf("the gate stands at %s, want more.yaml:4", r.Where)
	}
}

func TestUntil(t *testing.T) {
	frozen := func(in *Inputs) { in.Calendar.Frozen, in.Calendar.ThawsAt = true, monday.Add(90*time.Minute) }
	for _, tt := range []struct {
		name   string
		files  []File
		change func(*Inputs)
		want   time.Duration // from now; 0: none
	}{
		{"nothing changes", sample(), func(*Inputs) {}, 0},
		{"freshness", probe("condition: findings.critical == 0\nmax_age: 3h"), func(*Inputs) {}, time.Hour},
		{"freshness of a warning does not matter", probe("condition: findings.critical == 0\nmax_age: 3h\nseverity: warn"), func(*Inputs) {}, 0},
		{"the soonest of two needs", probe("condition: findings.critical == 0\nneeds: [tests]\nmax_age: 3h"), func(in *Inputs) { in.Tests.AgeHours = 2.5 }, 30 * time.Minute},
		{"a thaw", sample(), frozen, 90 * time.Minute},
		{"freshness before a thaw", probe("condition: findings.critical == 0\nmax_age: 3h"), frozen, time.Hour},
		{"the clock", probe("condition: now < timestamp('2027-03-01T10:30:30Z')"), func(*Inputs) {}, 90*time.Minute + 30*time.Second},
		{"the clock opens", probe("condition: now >= timestamp('2027-03-01T09:00:20Z')"), func(*Inputs) {}, 20 * time.Second},
		{"the clock beyond the longest permit", probe("condition: now < timestamp('2027-03-01T14:00:00Z')"), func(*Inputs) {}, 0},
		{"an age in a condition", probe("condition: findings.age_hours < 3.0"), func(*Inputs) {}, time.Hour},
		{"the clock in applies", probe("applies: now > timestamp('2027-03-01T09:10:00Z')\ncondition: 'false'"), func(*Inputs) {}, 10*time.Minute + time.Second},
		{"the clock in a scope rule", sample(doc("ScopeRule", "name: hours\nmatch: now > timestamp('2027-03-01T11:00:00Z')\ngovernance: full\n")), func(*Inputs) {}, 2*time.Hour + time.Second},
		{"the end of observation", without("ScopeRule", doc("ScopeRule", "name: trial\ngovernance: full\nobserve: {by: ada-example, until: 2027-03-01T12:00:00Z}\n")), func(*Inputs) {}, 3 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := compiled(t, tt.files).Decide(with(tt.change))
			var want time.Time
			if tt.want > 0 {
				want = monday.Add(tt.want)
			}
			if d := o.Until.Sub(want); d < -time.Second || d > time.Second {
				t.Errorf("until %s, want %s", o.Until, want)
			}
		})
	}
}

func TestDecideIsPure(t *testing.T) {
	p := compiled(t, Starter())
	in := with(func(in *Inputs) { in.Findings.Critical = 1 })
	before := in
	first := p.Decide(in)
	for range 3 {
		if diff := cmp.Diff(first, p.Decide(in)); diff != "" {
			t.Fatal(diff)
		}
	}
	if diff := cmp.Diff(before, in); diff != "" {
		t.Error("the inputs were changed: " + diff)
	}
}

func TestBudget(t *testing.T) {
	dear := "condition: service.flags.all(a, service.flags.exists(b, b == 'x' || a != b))"
	if p, list := Compile(probe(dear)); p != nil || list[0].Code != "policy.cost" {
		t.Errorf("nested walks compile: %v", list)
	}
	walk := "condition: \"service.flags.all(f, f == 'x' || f != 'y')\"\n"
	var gates []string
	for _, n := range []string{"a", "b", "c", "d"} {
		gates = append(gates, doc("Gate", "name: walk-"+n+"\ntitle: Walk\n"+walk))
	}
	p := compiled(t, sample(gates...))
	in := with(func(in *Inputs) {
		for range MaxInputList {
			in.Service.Flags = append(in.Service.Flags, strings.Repeat("x", 100))
		}
	})
	if o := p.Decide(in); o.Verdict != Go {
		t.Errorf("within the budget: %+v", o.Reasons[0])
	}
	var used uint64
	v := &values{in: &in, parameters: p.parameters, spent: &used}
	if held, err := v.holds(&p.gates[1].condition); !held || err != nil || used < CheapRule {
		t.Errorf("a dear rule cost %d", used)
	}
	clocked := p.gates[1].condition
	clocked.clock = true
	if v.turn(&clocked, true); used > RuleBudget {
		t.Errorf("looking ahead cost the decision %d", used)
	}
	var spent uint64 = DecisionBudget
	v = &values{in: &in, parameters: p.parameters, spent: &spent, texts: &strings.Builder{}}
	r := p.gates[1].reason
	v.weigh(&p.gates[1], &r)
	if r.Verdict != CannotTell || r.Why != "The expression ran out of its budget." {
		t.Errorf("without budget: %s %s", r.Verdict, r.Why)
	}
}

func TestLeadTimeIsAskedOnlyWhereTheTypeDoes(t *testing.T) {
	early := with(func(in *Inputs) { in.Release.SubmittedAt = in.Now })
	o := compiled(t, sample()).Decide(early)
	if o.Verdict != Go || slices.ContainsFunc(o.Reasons, func(r Reason) bool { return r.Gate == gateLeadTime }) {
		t.Errorf("%s %+v", o.Verdict, o.Reasons)
	}
	slow := compiled(t, without("ReleaseType",
		doc("ReleaseType", "name: usual\nsize: [major, minor, patch]\nchange_types: [standard, normal]\nchain: one\nlead_time: 4h\n"),
		doc("ReleaseType", "name: urgent\nsize: [major, minor, patch]\nchange_types: [emergency]\nchain: one\nlead_time: 1h\n")))
	if r := reason(t, slow.Decide(early), gateLeadTime); r.Next != "Wait for the lead time to end, or declare an emergency if it is one." || !r.Until.Equal(monday.Add(4*time.Hour)) {
		t.Errorf("%+v", r)
	}
	early.Release.ChangeType = Emergency
	if r := reason(t, slow.Decide(early), gateLeadTime); r.Next != "Wait for the lead time to end." || !r.Until.Equal(monday.Add(time.Hour)) {
		t.Errorf("%+v", r)
	}
}

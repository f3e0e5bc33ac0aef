package policy

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// naiveInputs are drawn like those of the properties, without their library, which is slow.
func naiveInputs(r *rand.Rand) Inputs {
	often := func() bool { return r.IntN(6) > 0 }
	few := func() int { return max(0, r.IntN(8)-4) }
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	in := fine()
	in.Release.Size, in.Release.ChangeType, in.Release.DeployedEarly = pick("", Patch, Minor, Major), pick("", Standard, Normal, Emergency), !often()
	in.Service.Tier, in.Environment.Kind = few(), pick("production", "staging")
	if !often() {
		in.Service.Flags = []string{"icfr"}
	}
	in.Change.Complete, in.Change.Breaking, in.Change.SemverStep = often(), !often(), pick(Patch, Minor, Major, "none", "unknown")
	in.Change.Commits, in.Change.Migrations, in.Change.UnknownContributors = few(), few(), few()*r.IntN(2)
	in.Findings.Critical, in.Findings.High, in.Findings.Total, in.Findings.Unrated = few(), few(), few(), few()*r.IntN(2)
	in.Findings.AgeHours = []float64{1, 23.5, 24, 25}[r.IntN(4)]
	in.Findings.Provenance = []Provenance{ByServer, ByPipeline, ByPerson}[r.IntN(3)]
	in.Tests.Total, in.Tests.Failed = few()*5, few()
	if often() {
		in.Findings.Items, in.Change.CommitList = []Finding{}, make([]Commit, few())
		for range few() {
			in.Findings.Items = append(in.Findings.Items, Finding{Severity: pick("critical", "low", "")})
		}
	}
	in.Coverage.LineRate = []float64{0.2, 0.5, 0.9}[r.IntN(3)]
	in.Approval = Approval{Known: true, Satisfied: often(), Rejected: !often(), Approvals: few(), Required: few(), Eligible: few()}
	if often() {
		in.Approval.Votes = []Vote{}
		for range few() {
			in.Approval.Votes = append(in.Approval.Votes, Vote{Answer: "approve", Counted: often()})
		}
	}
	in.Release.SubmittedAt = []time.Time{{}, monday.Add(-48 * time.Hour), monday.Add(-24 * time.Hour), monday.Add(time.Second - 24*time.Hour), monday.Add(-time.Hour), monday, monday.Add(time.Hour)}[r.IntN(7)]
	if in.Calendar.Frozen = !often(); in.Calendar.Frozen {
		for range r.IntN(3) {
			in.Calendar.Freezes = append(in.Calendar.Freezes, pick("close", "sale"))
			in.Calendar.Rules = append(in.Calendar.Rules, pick("z0", "z1", "gone"))
		}
		in.Calendar.OpenEnd = r.IntN(2) == 0
		in.Calendar.ThawsAt = []time.Time{{}, monday.Add(-time.Hour), monday, monday.Add(time.Hour)}[r.IntN(4)]
	}
	for _, s := range []string{"release", "service", "environment", "change", "findings", "tests", "coverage", "approval", "calendar"} {
		_, known := knows(&in, s)
		*known = r.IntN(12) > 0
	}
	return in
}

// outOfOrder is a reason that stands before one that it should follow, or "": first
// what blocks, no-go, cannot tell, wait; then warnings, observations, and what passed;
// within each by name.
func outOfOrder(reasons []Reason) string {
	place := func(r Reason) string {
		by := "6"
		switch {
		case r.Verdict == Go:
		case r.Severity == Warn:
			by = "4"
		case r.Severity == Observe:
			by = "5"
		default:
			by = fmt.Sprint(slices.Index([]Verdict{NoGo, CannotTell, Wait}, r.Verdict))
		}
		return by + " " + r.Gate
	}
	for i := 1; i < len(reasons); i++ {
		if place(reasons[i-1]) > place(reasons[i]) {
			return reasons[i-1].Gate
		}
	}
	return ""
}

// inSteps decides as a release's gate does: what hangs on the type comes after it is chosen.
func inSteps(p *Program, in Inputs) Outcome {
	late, lists := in.Apart()
	in = late
	in.Approval, in.Calendar = Approval{}, Calendar{}
	c := p.Classify(&in)
	in.Approval, in.Calendar = late.Approval, late.Calendar
	in = in.With(lists)
	return c.Decide()
}

// TestNaiveAgrees holds Decide, at once and in steps, against the second
// evaluator: 10,000 cases, or 1,000,000 where every count is tried in full.
func TestNaiveAgrees(t *testing.T) {
	bundles, each := 50, 200
	switch {
	case os.Getenv("SIGNALBOX_PROVE") == "full":
		bundles, each = 2000, 500
	case testing.Short():
		bundles, each = 50, 40
	}
	verdicts, seen := map[Verdict]int{}, map[string]int{}
	wrong := 0
	for seed := range uint64(bundles) {
		r := rand.New(rand.NewPCG(seed, 11))
		b := anyNaive(r)
		p, problems := Compile(b.files())
		if p == nil {
			t.Fatalf("seed %d does not compile: %v\n%s", seed, problems, b.files()[0].Data)
		}
		for range each {
			in := naiveInputs(r)
			want := b.decide(in)
			got := p.Decide(in)
			verdicts[got.Verdict]++
			if (naiveAnswer{got.Verdict, got.Governance, got.Enforced}) != want {
				t.Fatalf("seed %d: %s under %s, enforced %v; the naive evaluator says %+v\n%+v\n%+v\n%s", seed, got.Verdict, got.Governance, got.Enforced, want, in, got.Reasons, b.files()[0].Data)
			}
			if late := outOfOrder(got.Reasons); late != "" {
				t.Fatalf("seed %d: %s stands too early in %+v", seed, late, got.Reasons)
			}
			if steps := inSteps(p, in); !reflect.DeepEqual(steps, got) {
				t.Fatalf("seed %d: in steps %+v\nat once %+v", seed, steps, got)
			}
			less := in // the control: an evaluator that takes unknown tests for good is caught
			less.Tests.Known, less.Tests.Total = true, 10
			if b.decide(less).verdict != got.Verdict {
				wrong++
			}
			note(seen, got)
		}
	}
	for _, v := range []Verdict{Go, Wait, CannotTell, NoGo} {
		if verdicts[v] == 0 {
			t.Errorf("%s never came out", v)
		}
	}
	for _, what := range []string{"not enforced", "relaxed", "not loaded"} {
		if seen[what] == 0 {
			t.Errorf("never was anything %s", what)
		}
	}
	if wrong == 0 {
		t.Error("a careless evaluator would not have been caught")
	}
	t.Log(verdicts, seen, "a careless evaluator differs", wrong, "times")
}

// note counts what the cases are to have tried.
func note(seen map[string]int, o Outcome) {
	if !o.Enforced {
		seen["not enforced"]++
	}
	for _, r := range o.Reasons {
		if r.Code == "relaxed" {
			seen["relaxed"]++
		}
		if strings.Contains(r.Why, "not loaded") {
			seen["not loaded"]++
		}
	}
}

// TestTerse: an answer that says less is the same answer.
func TestTerse(t *testing.T) {
	less, failed := 0, 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 12))
		p, _ := Compile(anyNaive(r).files())
		for range 30 {
			in := naiveInputs(r)
			c := p.Classify(&in)
			whole := c.Decide()
			c.Terse = true
			terse := c.Decide()
			whole.Reasons = slices.DeleteFunc(whole.Reasons, func(r Reason) bool { return r.Verdict == Go })
			for i := range whole.Reasons {
				w, s := &whole.Reasons[i], &terse.Reasons[i]
				if w.Observed != s.Observed && s.Observed == "" {
					less++
					w.Observed = ""
				}
				if w.Code == "failed" || w.Code == "relaxed" { // a relaxed gate may have failed
					failed++
					w.Why, s.Why = "", ""
				}
			}
			if !reflect.DeepEqual(whole, terse) {
				t.Fatalf("seed %d: %+v\nterse %+v", seed, whole, terse)
			}
		}
	}
	if less == 0 || failed == 0 {
		t.Errorf("%d observations are left out, %d gates failed", less, failed)
	}
}

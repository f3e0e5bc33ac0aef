package release

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/approval"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/catalog"
	"signalbox.dev/signalbox/internal/change"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func starter(t testing.TB) *policy.Program {
	t.Helper()
	p, problems := policy.Compile(policy.Starter())
	if policy.Failed(problems) {
		t.Fatal(problems)
	}
	return p
}

// good is a release that may go: a minor change by Ann, tested, scanned,
// approved by Ben and Cid, with nothing frozen.
func good(t testing.TB) Facts {
	t.Helper()
	branch := 0.8
	claim := func(kind evidence.Kind, c evidence.Claim) evidence.Added {
		c.Kind = kind
		return evidence.Added{ID: string(kind), Service: "shop", Version: "v1.1.0", Digest: digest, Claim: c, Provenance: "pipeline", File: digest, At: event.MicrosOf(now.Add(-time.Hour))}
	}
	person := func(id string, groups, roles []string) access.Person {
		return access.Person{ID: id, Identities: []string{"mail-" + id}, Teams: []string{"shop"}, Groups: groups, Roles: roles}
	}
	f := Facts{
		Release: State{
			ID: "r", Service: "shop", Version: "v1.1.0", Digest: digest, Revision: 1, Phase: Submitted, OpenedBy: "machine/ci", Provenance: policy.ByPipeline,
			Change: &Attached{Digest: digest, Provenance: policy.ByPipeline, By: "machine/ci", Record: change.Record{
				Commits: 3, Contributors: []string{"mail-ann"}, FilesChanged: 2, LinesAdded: 40, SemverStep: "minor", ReleaseType: "minor", Signed: 3, Complete: true, Digest: digest,
			}},
		},
		Environment: "production",
		Service:     &catalog.Service{ID: "s", Name: "shop", Tier: 1, Team: "shop"},
		Place:       &catalog.Environment{ID: "e", Name: "production", Kind: catalog.Production},
		People: map[string]access.Person{
			"ann": person("ann", []string{"release-approvers"}, []string{"developer", "approver"}),
			"ben": person("ben", []string{"release-approvers"}, []string{"approver"}),
			"cid": person("cid", []string{"release-approvers"}, []string{"approver"}),
			"dee": person("dee", nil, []string{"approver"}),
		},
		Identities: map[string]string{"mail-ann": "ann"},
		Artifact: evidence.Artifact{Digest: digest, Claims: []evidence.Added{
			claim(evidence.CoverageKind, evidence.Claim{Format: "cobertura", Coverage: &evidence.Coverage{LineRate: 0.9, LinesCovered: 90, LinesValid: 100, BranchRate: &branch}}),
			claim(evidence.FindingsKind, evidence.Claim{Format: "sarif", Tool: evidence.Tool{Name: "scan"}, Findings: &evidence.Findings{}}),
			claim(evidence.TestsKind, evidence.Claim{Format: "junit", Tests: &evidence.Tests{Total: 10, Passed: 10}}),
		}},
		Policy: starter(t),
	}
	return approved(t, f, "ben", "cid")
}

// approved is f with votes of some persons for what f now is.
func approved(t testing.TB, f Facts, people ...string) Facts {
	t.Helper()
	_, subject, err := f.Subject()
	if err != nil {
		t.Fatal(err)
	}
	f.Release.Votes = nil
	for _, p := range people {
		f.Release.Votes = append(f.Release.Votes, approval.Vote{Person: p, Environment: f.Environment, Subject: subject, Answer: approval.Approve, At: event.MicrosOf(now.Add(-time.Minute))})
	}
	return f
}

func decide(t testing.TB, f Facts) Decision {
	t.Helper()
	d, err := Gate(now, f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// blocking lists the gates that stand in the way, as gate=verdict.
func blocking(d Decision) []string {
	var names []string
	for _, r := range d.Reasons {
		if r.Severity == policy.Block && r.Verdict != policy.Go {
			names = append(names, r.Gate+"="+string(r.Verdict))
		}
	}
	slices.Sort(names)
	return names
}

func TestGateGoes(t *testing.T) {
	d := decide(t, good(t))
	if d.Verdict != policy.Go || !d.Enforced || !d.Permitted() || len(blocking(d)) > 0 {
		t.Fatalf("%s, enforced %v: %v", d.Verdict, d.Enforced, blocking(d))
	}
	if d.Policy == "" || d.Change == "" || d.Evidence == "" || d.Subject == "" || d.Basis == "" {
		t.Errorf("a digest is missing: %+v", d)
	}
	if Sum(d.BasisText) != d.Basis {
		t.Error("the basis is not what its digest says")
	}
	if want := now.Add(15 * time.Minute); !d.PermitUntil.Equal(want) || !d.Until.Equal(want) {
		t.Errorf("permit until %v, decision until %v, want %v", d.PermitUntil, d.Until, want)
	}
	if !slices.Equal(d.Approvals, []string{"ben", "cid"}) {
		t.Errorf("approvals %v", d.Approvals)
	}
	if d.Type != "feature" || d.Size != "minor" || d.ChangeType != "normal" || d.ScopeRule != "production" {
		t.Errorf("classified as %s %s %s by %s", d.Type, d.Size, d.ChangeType, d.ScopeRule)
	}
}

func TestGateRefuses(t *testing.T) {
	revote := func(t *testing.T, f *Facts) { *f = approved(t, *f, "ben", "cid") }
	for name, c := range map[string]struct {
		change func(t *testing.T, f *Facts)
		want   policy.Verdict
		gate   string // that must not pass
		says   string // in its reason
	}{
		"no policy":       {func(t *testing.T, f *Facts) { f.Policy = nil }, policy.CannotTell, "signalbox/policy", "no policy is active"},
		"unknown service": {func(t *testing.T, f *Facts) { f.Service = nil; f.Services = []string{"shops", "ledger"} }, policy.CannotTell, "signalbox/service", "did you mean shops?"},
		"unknown environment": {func(t *testing.T, f *Facts) {
			f.Place = nil
			f.Environment = "prodution"
			f.Environments = []string{"production"}
		}, policy.CannotTell, "signalbox/environment", "did you mean production?"},
		"a draft":            {func(t *testing.T, f *Facts) { f.Release.Phase = Draft }, policy.Wait, "signalbox/draft", "is a draft"},
		"withdrawn":          {func(t *testing.T, f *Facts) { f.Release.Phase = Withdrawn }, policy.NoGo, "signalbox/release", "is withdrawn"},
		"rejected":           {func(t *testing.T, f *Facts) { f.Release.Phase = Rejected }, policy.NoGo, "signalbox/release", "is rejected"},
		"no change":          {func(t *testing.T, f *Facts) { f.Release.Change = nil; revote(t, f) }, policy.CannotTell, "signalbox/contributors", "not known"},
		"shallow change":     {func(t *testing.T, f *Facts) { c := *f.Release.Change; c.Record.Complete = false; f.Release.Change = &c }, policy.CannotTell, "change-known", ""},
		"unclaimed identity": {func(t *testing.T, f *Facts) { f.Identities = nil }, policy.CannotTell, "signalbox/contributors", "claimed by no person"},
		"critical finding": {func(t *testing.T, f *Facts) {
			f.Artifact.Claims[1].Claim.Findings = &evidence.Findings{Total: 1, BySeverity: evidence.Severities{Critical: 1}}
			revote(t, f)
		}, policy.NoGo, "no-critical-findings", ""},
		"unrated finding": {func(t *testing.T, f *Facts) {
			f.Artifact.Claims[1].Claim.Findings = &evidence.Findings{Total: 1, BySeverity: evidence.Severities{Unrated: 1}}
			revote(t, f)
		}, policy.CannotTell, "no-critical-findings", ""},
		"no scan": {func(t *testing.T, f *Facts) {
			f.Artifact.Claims = slices.Delete(slices.Clone(f.Artifact.Claims), 1, 2)
			revote(t, f)
		}, policy.CannotTell, "no-critical-findings", ""},
		"no tests":   {func(t *testing.T, f *Facts) { f.Artifact.Claims = f.Artifact.Claims[:2]; revote(t, f) }, policy.CannotTell, "tests-pass", ""},
		"zero tests": {func(t *testing.T, f *Facts) { f.Artifact.Claims[2].Claim.Tests = &evidence.Tests{} }, policy.CannotTell, "tests-pass", ""},
		"a failed test": {func(t *testing.T, f *Facts) {
			f.Artifact.Claims[2].Claim.Tests = &evidence.Tests{Total: 10, Passed: 9, Failed: 1}
		}, policy.NoGo, "tests-pass", ""},
		"low coverage": {func(t *testing.T, f *Facts) {
			f.Artifact.Claims[0].Claim.Coverage = &evidence.Coverage{LineRate: 0.1, LinesValid: 100}
		}, policy.NoGo, "coverage", ""},
		"an old scan":    {func(t *testing.T, f *Facts) { f.Artifact.Claims[1].At = event.MicrosOf(now.Add(-8 * 24 * time.Hour)) }, policy.CannotTell, "findings-fresh", ""},
		"a scan by hand": {func(t *testing.T, f *Facts) { f.Artifact.Claims[1].Provenance = "person"; revote(t, f) }, policy.NoGo, "findings-fresh", ""},
		"a change by hand": {func(t *testing.T, f *Facts) {
			c := *f.Release.Change
			c.Provenance = policy.ByPerson
			f.Release.Change = &c
		}, policy.NoGo, "change-witnessed", ""},
		"nobody owns it":      {func(t *testing.T, f *Facts) { f.Service = &catalog.Service{ID: "s", Name: "shop", Team: "gone"} }, policy.NoGo, "service-owned", ""},
		"no votes":            {func(t *testing.T, f *Facts) { *f = approved(t, *f) }, policy.Wait, "signalbox/approval", ""},
		"one vote":            {func(t *testing.T, f *Facts) { *f = approved(t, *f, "ben") }, policy.Wait, "signalbox/approval", ""},
		"a contributor votes": {func(t *testing.T, f *Facts) { *f = approved(t, *f, "ben", "ann") }, policy.Wait, "signalbox/approval", "given by a contributor"},
		"an outsider votes":   {func(t *testing.T, f *Facts) { *f = approved(t, *f, "ben", "dee") }, policy.Wait, "signalbox/approval", "outside the chain's groups"},
		"whoever opened it":   {func(t *testing.T, f *Facts) { f.Release.OpenedBy = "person/cid" }, policy.CannotTell, "signalbox/approval", "given by a contributor"},
		"new evidence since":  {func(t *testing.T, f *Facts) { f.Artifact.Claims[2].File = "sha256:" + strings.Repeat("0", 64) }, policy.Wait, "signalbox/approval", "other content"},
		"new digest since": {func(t *testing.T, f *Facts) {
			f.Release.Digest = "sha256:" + strings.Repeat("0", 64)
			for i := range f.Artifact.Claims {
				f.Artifact.Claims[i].Digest = f.Release.Digest
			}
		}, policy.Wait, "signalbox/approval", "other content"},
		"new revision since": {func(t *testing.T, f *Facts) { f.Release.Revision = 2 }, policy.Wait, "signalbox/approval", "other content"},
		"new change since": {func(t *testing.T, f *Facts) {
			c := *f.Release.Change
			c.Digest = "sha256:" + strings.Repeat("0", 64)
			f.Release.Change = &c
		}, policy.Wait, "signalbox/approval", "other content"},
		"a vote for staging": {func(t *testing.T, f *Facts) { f.Release.Votes[0].Environment = "staging" }, policy.Wait, "signalbox/approval", ""},
		"frozen with an end": {func(t *testing.T, f *Facts) {
			f.Freezes = []calendar.Freeze{{ID: "z", Name: "quarter-end", From: event.MicrosOf(now), Until: event.MicrosOf(now.Add(time.Hour))}}
		}, policy.Wait, "signalbox/calendar", ""},
		"frozen until lifted": {func(t *testing.T, f *Facts) {
			f.Freezes = []calendar.Freeze{{ID: "z", Name: "stop", From: event.MicrosOf(now)}}
		}, policy.NoGo, "signalbox/calendar", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := good(t)
			c.change(t, &f)
			d := decide(t, f)
			if d.Verdict != c.want || d.Permitted() || !d.PermitUntil.IsZero() {
				t.Errorf("got %s, permitted %v, want %s; %v", d.Verdict, d.Permitted(), c.want, blocking(d))
			}
			i := slices.IndexFunc(d.Reasons, func(r policy.Reason) bool { return r.Gate == c.gate })
			if i < 0 || d.Reasons[i].Verdict == policy.Go {
				t.Fatalf("%s does not stand in the way; %v", c.gate, blocking(d))
			}
			r := d.Reasons[i]
			if !strings.Contains(r.Why, c.says) {
				t.Errorf("%q does not say %q", r.Why, c.says)
			}
			if r.Next == "" || r.Why == "" {
				t.Errorf("%s says no next step or no why: %+v", c.gate, r)
			}
		})
	}
}

// An emergency is exempt from the starter's freeze rule, others are not.
func TestFreezeExemption(t *testing.T) {
	f := good(t)
	f.Freezes = []calendar.Freeze{{ID: "z", Name: "quarter-end", Rule: "freeze", From: event.MicrosOf(now), Until: event.MicrosOf(now.Add(time.Hour))}}
	if d := decide(t, f); d.Verdict != policy.Wait {
		t.Errorf("a normal release in a freeze: %s", d.Verdict)
	}
	f.Release.ChangeType = "emergency"
	if d := decide(t, approved(t, f, "ben", "cid")); d.Verdict != policy.Go {
		t.Errorf("an emergency in a freeze: %s %v", d.Verdict, blocking(d))
	}
}

// A permit never outlasts the next instant at which the answer could change.
func TestPermitEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *Facts)
		want   time.Duration
	}{
		"default": {func(*Facts) {}, 15 * time.Minute},
		"a freeze begins": {func(f *Facts) {
			f.Freezes = []calendar.Freeze{{ID: "z", Name: "z", From: event.MicrosOf(now.Add(4 * time.Minute))}}
		}, 4 * time.Minute},
		"elsewhere": {func(f *Facts) {
			f.Freezes = []calendar.Freeze{{ID: "z", Name: "z", Scope: calendar.Scope{Services: []string{"ledger"}}, From: event.MicrosOf(now.Add(4 * time.Minute))}}
		}, 15 * time.Minute},
		"a vote expires":  {func(f *Facts) { f.Release.Votes[0].At = event.MicrosOf(now.Add(-168*time.Hour + 3*time.Minute)) }, 3 * time.Minute},
		"a scan goes old": {func(f *Facts) { f.Artifact.Claims[1].At = event.MicrosOf(now.Add(-168*time.Hour + 2*time.Minute)) }, 2 * time.Minute},
		"another policy":  {func(f *Facts) { f.PolicyUntil = now.Add(time.Minute) }, time.Minute},
	} {
		f := good(t)
		c.change(&f)
		d := decide(t, f)
		if !d.Permitted() || d.PermitUntil.Sub(now).Round(time.Second) != c.want {
			t.Errorf("%s: %s, permit for %v, want %v; %v", name, d.Verdict, d.PermitUntil.Sub(now), c.want, blocking(d))
		}
		after, err := Gate(d.PermitUntil.Add(time.Second), f)
		if name != "default" && name != "elsewhere" && name != "another policy" && (err != nil || after.Verdict == policy.Go) {
			t.Errorf("%s: the answer had not changed when the permit ended: %s %v", name, after.Verdict, err)
		}
	}
}

// The same basis gives the same digest whenever it is asked; another does not.
func TestBasis(t *testing.T) {
	f := good(t)
	first := decide(t, f)
	later, err := Gate(now.Add(time.Minute), f)
	if err != nil {
		t.Fatal(err)
	}
	if first.Basis != later.Basis {
		t.Error("a minute changed the basis")
	}
	f.Release.Votes = append(f.Release.Votes, approval.Vote{Person: "cid", Environment: "production", Answer: approval.Reject, Subject: first.Subject, At: event.MicrosOf(now)})
	if decide(t, f).Basis == first.Basis {
		t.Error("a rejection left the basis as it was")
	}
}

// Whatever is taken away from a release that may go, nothing makes it more than
// go, and nothing that it needs can be missing.
func TestDroppedFactsNeverGo(t *testing.T) {
	drops := map[string]func(f *Facts){
		"policy":      func(f *Facts) { f.Policy = nil },
		"service":     func(f *Facts) { f.Service = nil },
		"environment": func(f *Facts) { f.Place = nil },
		"change":      func(f *Facts) { f.Release.Change = nil },
		"identities":  func(f *Facts) { f.Identities = nil },
		"people":      func(f *Facts) { f.People = nil },
		"votes":       func(f *Facts) { f.Release.Votes = nil },
		"claims":      func(f *Facts) { f.Artifact.Claims = nil },
		"coverage":    func(f *Facts) { f.Artifact.Claims = f.Artifact.Claims[1:] },
		"digest":      func(f *Facts) { f.Release.Digest = "" },
	}
	names := make([]string, 0, len(drops))
	for n := range drops {
		names = append(names, n)
	}
	slices.Sort(names)
	rapid.Check(t, func(r *rapid.T) {
		f := good(t)
		f.Artifact.Claims = slices.Clone(f.Artifact.Claims)
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(r, "drops")
		slices.Sort(some)
		slices.Reverse(some) // coverage before claims
		for _, n := range some {
			if n == "coverage" && len(f.Artifact.Claims) < 3 {
				continue
			}
			drops[n](&f)
		}
		if d, err := Gate(now, f); err != nil || d.Verdict == policy.Go {
			r.Fatalf("without %v: %v %v", some, d.Verdict, err)
		}
	})
}

func BenchmarkGate(b *testing.B) {
	f := good(b)
	for b.Loop() {
		if _, err := Gate(now, f); err != nil {
			b.Fatal(err)
		}
	}
}

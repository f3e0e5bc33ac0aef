package release

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/internal/access"
	"signalbox.dev/signalbox/internal/calendar"
	"signalbox.dev/signalbox/internal/event"
	"signalbox.dev/signalbox/internal/evidence"
	"signalbox.dev/signalbox/internal/policy"
)

// conditions are those of the sixteen gates that many adds to the ten of the starter pack.
var conditions = []string{
	`environment.kind == "production" && environment.region != "none"`,
	`service.tier <= 2`,
	`!("frozen" in service.flags)`,
	`size(service.data_classes) < 5`,
	`change.files < 500 && change.lines_added + change.lines_deleted < 20000`,
	`!change.breaking || release.size == "major"`,
	`change.migrations == 0 || approval.approvals >= 2`,
	`change.unknown_contributors == 0`,
	`change.reverts < change.commits`,
	`tests.total >= 10`,
	`tests.passed + tests.skipped == tests.total`,
	`coverage.branch_known && coverage.branch_rate >= 0.5`,
	`findings.medium <= 40`,
	`findings.unrated == 0`,
	`approval.eligible > 0 || approval.satisfied`,
	`!release.deployed_early`,
}

// walks are conditions over the findings one by one, in place of the last three.
var walks = []string{
	`findings.items.all(f, f.severity != "critical" || f.suppressed)`,
	`findings.items.filter(f, f.severity == "high").size() <= 10`,
	`!findings.items.exists(f, f.package == "left-pad" && f.tool == "scan")`,
}

// many is a policy of 26 gates.
func many(t testing.TB, walking bool) *policy.Program {
	t.Helper()
	all := conditions
	if walking {
		all = append(append([]string{}, conditions[:13]...), walks...)
	}
	text := ""
	for i, c := range all {
		text += fmt.Sprintf("---\napiVersion: signalbox/v1\nkind: Gate\nname: more-%02d\ntitle: One more\nowner: security\nlift: security\nnext: Mend it.\ncontrols: [soc2/CC8.1]\ncondition: >-\n  %s\n", i, c)
	}
	p, problems := policy.Compile(append(policy.Starter(), policy.File{Name: "more.yaml", Data: []byte(text)}))
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

// crowd is a release that may go, with 50 findings, six votes and three freezes
// that are not in force, under a policy.
func crowd(t testing.TB, p *policy.Program) Facts {
	t.Helper()
	f := good(t)
	f.Policy = p
	counts := evidence.Findings{Total: 50, BySeverity: evidence.Severities{High: 3, Medium: 17, Low: 20, Info: 10}}
	f.Artifact.Claims[1].Claim.Findings = &counts
	f.Artifact.Claims[2].Claim.Tests = &evidence.Tests{Total: 100, Passed: 98, Skipped: 2}
	for i := range counts.Total {
		severity := []string{"high", "high", "high", "medium", "low", "info"}[min(i, 3+i%3)]
		f.Lists.Findings = append(f.Lists.Findings, policy.Finding{Severity: severity, Rule: fmt.Sprintf("CVE-2026-%05d", i), Package: fmt.Sprintf("package-%d", i), Location: fmt.Sprintf("src/main/service/part%d.go:%d", i, i*7), Tool: "scan"})
	}
	for _, id := range []string{"eli", "fay", "gus", "hal"} {
		f.People[id] = access.Person{ID: id, Groups: []string{"release-approvers"}, Roles: []string{"approver"}}
	}
	for i, name := range []string{"year-end", "sale", "audit"} {
		from := now.Add(time.Duration(24*(i+1)) * time.Hour)
		f.Freezes = append(f.Freezes, calendar.Freeze{ID: name, Name: name, Rule: "freeze", From: event.MicrosOf(from), Until: event.MicrosOf(from.Add(12 * time.Hour))})
	}
	return approved(t, f, "ben", "cid", "eli", "fay", "gus", "hal")
}

// BenchmarkGate26 decides on loaded facts: 26 gates that pass, whose conditions
// read counts alone or, three of them, walk through the findings.
func BenchmarkGate26(b *testing.B) {
	for name, walking := range map[string]bool{"counts": false, "walks": true} {
		f := crowd(b, many(b, walking))
		if d := decide(b, f); d.Verdict != policy.Go || len(d.Reasons) < 30 {
			b.Fatal(d.Verdict, blocking(d), len(d.Reasons))
		}
		b.Run(name, func(b *testing.B) {
			defer processor(b)()
			for b.Loop() {
				if _, err := Gate(now, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReplay26 decides one such decision again.
func BenchmarkReplay26(b *testing.B) {
	p := many(b, false)
	d := decide(b, crowd(b, p))
	r := Recorded{Decision: d, Basis: d.BasisText, Rules: RulesOf(p, d.Type)}
	defer processor(b)()
	for b.Loop() {
		if Replay(r, p).Effect != Same {
			b.Fatal("it flips")
		}
	}
}

// processor reports allocations and, beside the time on the wall, that of the
// processors, which holds on a machine that others use as well.
func processor(b *testing.B) (done func()) {
	b.ReportAllocs()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

package terminal

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/policy"
	"signalbox.dev/signalbox/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing")

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// base is a decision of the verdict for the reasons, as a server records it.
func base(verdict policy.Verdict, reasons ...wire.Reason) wire.Decision {
	return wire.Decision{
		ID: "0198a1b2-0000-7000-8000-000000000001", Release: "0198a1b2-0000-7000-8000-0000000000aa",
		Service: "payments", Version: "1.4.2", Digest: digest("a"), Environment: "production",
		Verdict: string(verdict), Enforced: true, Governance: "full", ScopeRule: "production", Type: "small", Size: "patch", ChangeType: "normal",
		Reasons: reasons, Policy: digest("b"), Change: digest("c"), Evidence: digest("d"), Subject: digest("e"), Basis: digest("f"),
		Believed: wire.Believed{Release: "pipeline", Change: "server", Findings: "pipeline", Tests: "pipeline", Coverage: "person"},
		At:       utc("2026-11-23T09:12:03Z"), AgeHours: [3]float64{0.25, 5, 72},
	}
}

func passed(gate, title string) wire.Reason {
	return wire.Reason{Gate: gate, Title: title, Code: "passed", Severity: "block", Verdict: "go", Why: "It holds.", Observed: "all"}
}

var (
	critical = wire.Reason{
		Gate: "no-critical-findings", Title: "No critical findings", Code: "failed", Severity: "block", Verdict: "no-go",
		Why: "The scanners report critical findings.", Observed: "2 critical", Required: "no critical finding",
		Controls: []string{"soc2/CC7.1", "iso27001/A.8.8"}, Owner: "security", Lift: "security", Next: "Mend the findings and scan the new artifact.",
		Where: wire.Place{File: "gates.yaml", Line: 83, Column: 1},
	}
	unread = wire.Reason{
		Gate: "coverage", Title: "Enough lines are covered by tests", Code: "unknown", Severity: "block", Verdict: "indeterminate",
		Why: "Coverage is not known.", Observed: "coverage is not known", Required: "at least 70 % of lines", Lift: "the service's team",
	}
	approval = wire.Reason{
		Gate: "signalbox/approval", Title: "Approved by its chain", Code: "waiting", Severity: "block", Verdict: "wait",
		Why: "1 of 2 approvals; 1 vote does not count: given by a contributor to this change.", Observed: "1 of 2 approvals", Required: "2 approvals of release-approvers",
		Lift: "a member of release-approvers who did not contribute to the change",
		Next: "signalbox approve 0198a1b2-0000-7000-8000-0000000000aa --environment production",
	}
	frozen = wire.Reason{
		Gate: "signalbox/calendar", Title: "No freeze is in force", Code: "frozen", Severity: "block", Verdict: "wait",
		Why: "A freeze is in force.", Observed: "year-end covers every service and environment", Required: "no freeze",
		Lift: "release-managers", Next: "wait, or signalbox freeze lift year-end --reason …", Until: utc("2026-11-24T06:00:00Z"),
	}
	unsigned = wire.Reason{
		Gate: "commits-signed", Title: "Every commit carries a signature", Code: "failed", Severity: "warn", Verdict: "no-go",
		Why: "Some commits carry no signature.", Observed: "1 of 3 signed", Required: "every commit signed",
	}
	trial = wire.Reason{
		Gate: "branches", Title: "Branches are covered", Code: "failed", Severity: "observe", Verdict: "no-go", Why: "Few are.", Observed: "12 %", Required: "50 %",
	}
	relaxed = wire.Reason{
		Gate: "scan-fresh", Title: "The scan is fresh", Code: "relaxed", Severity: "observe", Verdict: "no-go", Observed: "9 days old", Required: "at most 7 days old",
		Why: "The scan is old. The gate is relaxed to observe until 2026-12-01T00:00:00Z by Erin Example: The scanner is being replaced.", Until: utc("2026-12-01T00:00:00Z"),
	}
)

// decisions are those whose print is kept in testdata.
func decisions() map[string]struct {
	d wire.Decision
	o Options
} {
	type one = struct {
		d wire.Decision
		o Options
	}
	permitted := base(policy.Go, passed("tests-pass", "Tests ran and pass"), passed("coverage", "Enough lines are covered"))
	permitted.Permit, permitted.PermitUntil, permitted.Until = "0198a1b2-0000-7000-8000-0000000000bb", utc("2026-11-23T09:27:03Z"), utc("2026-11-23T09:27:03Z")
	permitted.Approvals = []string{"p1", "p2"}
	observed := base(policy.NoGo, critical)
	observed.Enforced, observed.Observe = false, &wire.Observed{By: "platform-team", Until: utc("2026-12-31T23:00:00Z")}
	silent := base(policy.CannotTell, wire.Reason{
		Gate: "signalbox/policy", Title: "A policy is active", Code: "no-policy", Severity: "block", Verdict: "indeterminate",
		Why: "no policy is active, so nothing says what this release needs", Observed: "none", Required: "an active policy bundle",
		Lift: "a person with the role policy-author", Next: "signalbox policy activate DIR --reason …",
	})
	silent.Policy, silent.Change, silent.Type, silent.Size, silent.ChangeType, silent.Believed = "", "", "", "", "", wire.Believed{Release: "person"}
	assumed := base(policy.NoGo, critical, passed("tests-pass", "Tests ran and pass"))
	assumed.ID, assumed.Release, assumed.Assumed = "", "", []string{"release", "clock", "catalog", "approvals"}
	assumed.Believed = wire.Believed{Release: "assumed", Change: "assumed", Tests: "assumed"}
	hostile := base(policy.NoGo, wire.Reason{
		Gate: "evil\x1b[2Jgate", Title: "title\u202etxt\r\nforged: ✓ go", Severity: "block", Verdict: "no-go", Why: "\x1b]8;;http://evil\x07click\x9b2J\u200b", Observed: "a\tb", Required: "\x00",
	})
	hostile.Service, hostile.Version = "pay\nments", "1\x1b[31m"
	long := base(policy.NoGo, critical)
	long.Reasons[0].Why = strings.Repeat("A long explanation goes over several lines and breaks between words. ", 4)
	strange := base("approved", critical)
	strange.Reasons = []wire.Reason{passed("tests-pass", "Tests ran and pass"), {Gate: "odd", Severity: "block", Verdict: "maybe", Why: "An answer from another world."}}
	berlin := time.FixedZone("CET", 3600)
	now := utc("2026-11-23T09:12:03Z")
	people := map[string]string{"p1": "Carol Example"}
	return map[string]one{
		"go":              {permitted, Options{People: people, Now: now, URL: "https://signalbox.example.com/decisions/1"}},
		"go-all":          {permitted, Options{All: true, People: people, Zone: berlin, Standing: true, Receipt: &wire.Receipt{Origin: "signalbox.example.com/j", Position: 41, Leaf: "qqqq"}}},
		"no-go":           {base(policy.NoGo, critical, unread, approval, unsigned, trial, passed("tests-pass", "Tests ran and pass")), Options{Now: now}},
		"no-go-alone":     {base(policy.NoGo, critical), Options{}},
		"wait-person":     {base(policy.Wait, approval, passed("tests-pass", "Tests ran and pass")), Options{Now: now}},
		"relaxed":         {base(policy.Go, relaxed), Options{Now: now}},
		"wait-time":       {base(policy.Wait, frozen), Options{Now: now, Zone: berlin}},
		"cannot-tell":     {base(policy.CannotTell, unread, approval), Options{}},
		"no-policy":       {silent, Options{}},
		"observed":        {observed, Options{Zone: berlin}},
		"offline":         {assumed, Options{}},
		"preview":         {base(policy.Wait, approval), Options{Preview: true}},
		"hostile":         {hostile, Options{}},
		"long":            {long, Options{}},
		"unknown-verdict": {strange, Options{}},
		"colour":          {base(policy.NoGo, critical, unsigned), Options{Color: true}},
	}
}

func TestPrintDecision(t *testing.T) {
	for name, c := range decisions() {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := PrintDecision(&b, c.d, c.o); err != nil {
				t.Fatal(err)
			}
			compare(t, name+".txt", b.String())
		})
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

// The verdict stands in the first line, and no other verdict's words begin one before it.
func TestVerdictComesFirst(t *testing.T) {
	for name, c := range decisions() {
		c.o.Color = false
		var b strings.Builder
		if err := PrintDecision(&b, c.d, c.o); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(b.String(), "\n")
		want := Verdict(c.d.Verdict).Words() + ": "
		if _, rest, found := strings.Cut(first, " "); !found || !strings.HasPrefix(rest, want) {
			t.Errorf("%s: the first line is %q, not of %q", name, first, want)
		}
	}
}

func TestUnknownVerdictIsNotGo(t *testing.T) {
	for _, word := range []string{"", "GO", "approved", "indeterminate", "go "} {
		if v := Verdict(word); v != policy.CannotTell {
			t.Errorf("%q reads as %s", word, v)
		}
	}
	for _, v := range []policy.Verdict{policy.Go, policy.Wait, policy.NoGo, policy.CannotTell} {
		if Verdict(string(v)) != v {
			t.Errorf("%q reads as %s", v, Verdict(string(v)))
		}
	}
}

func TestBlockingComesBeforeTheRest(t *testing.T) {
	blocking, warnings, observed, went := Sorted([]wire.Reason{passed("a", "A"), unsigned, critical, trial, unread, {Gate: "none", Verdict: "no-go"}})
	got := []int{len(blocking), len(warnings), len(observed), len(went)}
	if diff := cmp.Diff([]int{3, 1, 1, 1}, got); diff != "" {
		t.Error(diff)
	}
	if blocking[0].Gate != critical.Gate || blocking[2].Gate != "none" {
		t.Errorf("out of order: %v", blocking)
	}
}

func TestStamp(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		at   string
		zone *time.Location
		want string
	}{
		{"2026-11-23T09:12:00Z", nil, "2026-11-23 09:12 UTC"},
		{"2026-11-23T09:12:07Z", nil, "2026-11-23 09:12:07 UTC"},
		{"2026-11-23T09:12:00Z", time.UTC, "2026-11-23 09:12 UTC"},
		{"2026-11-23T09:12:00Z", berlin, "2026-11-23 10:12 CET (09:12 UTC)"},
		{"2026-11-23T23:30:00Z", berlin, "2026-11-24 00:30 CET (2026-11-23 23:30 UTC)"},
	} {
		if got := Stamp(utc(c.at), c.zone); got != c.want {
			t.Errorf("%s: %q, want %q", c.at, got, c.want)
		}
	}
	if got := Stamp(time.Time{}, nil); got != "never" {
		t.Errorf("no instant is %q", got)
	}
}

func TestSpanAndAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		42 * time.Second: "42 s", 59*time.Minute + 59*time.Second: "59 min", 2 * time.Hour: "2 h", 90 * time.Minute: "1 h 30 min", 49 * time.Hour: "2 days",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for hours, want := range map[float64]string{0.5: "30 min", 47: "47 h", 96: "4 days"} {
		if got := age(hours); got != want {
			t.Errorf("%v: %q, want %q", hours, got, want)
		}
	}
}

func TestPrintSaysWhatItCannotWrite(t *testing.T) {
	if err := PrintDecision(broken{}, base(policy.Go), Options{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

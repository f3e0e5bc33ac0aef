package logic

import (
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/policy"
)

const base = `apiVersion: signalbox/v1
kind: Policy
name: base
version: "1"
---
apiVersion: signalbox/v1
kind: ScopeRule
name: all
governance: full
---
apiVersion: signalbox/v1
kind: ReleaseType
name: any
size: [major, minor, patch]
change_types: [standard, normal, emergency]
chain: none
thresholds: {rate: 0.5, approvals: 2}
---
apiVersion: signalbox/v1
kind: Parameter
name: most
value: 3
min: 0
max: 10
---
apiVersion: signalbox/v1
kind: Parameter
name: share
value: 0.1
min: 0
max: 1
---
apiVersion: signalbox/v1
kind: Parameter
name: strict
value: true
---
apiVersion: signalbox/v1
kind: Parameter
name: region
value: eu
---
apiVersion: signalbox/v1
kind: Gate
name: rate
title: Rate
condition: coverage.line_rate >= threshold.rate && double(approval.approvals) >= threshold.approvals
---
apiVersion: signalbox/v1
kind: TestCase
name: base
at: 2027-03-01T09:00:00Z
expect: {verdict: cannot-tell}
`

// bench is a bundle whose language the tests speak.
type bench struct {
	asker   *policy.Asker
	setting Setting
}

func newBench(t testing.TB) *bench {
	t.Helper()
	p, problems := policy.Compile([]policy.File{{Name: "base.yaml", Data: []byte(base)}})
	if p == nil {
		t.Fatal(problems)
	}
	asker, err := p.Asker()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{asker, Setting{Thresholds: p.ReleaseTypes()[0].Thresholds, Parameters: p.Parameters()}}
}

func (b *bench) ask(t testing.TB, text string) *policy.Question {
	t.Helper()
	q, err := b.asker.Ask(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// outcomes are those that are not ruled out, and those that an example shows.
func (w *Setting) outcomes(q *policy.Question) (left, shown Outcomes) {
	root := Read(q.Tree()).Root
	for _, o := range []Outcomes{True, False, Fails} {
		answer, _ := w.Example(func(in *policy.Inputs) bool { return holds(q, in, w.Thresholds) == o }, Claim{root, o})
		if answer != Never {
			left |= o
		}
		if answer == Possible {
			shown |= o
		}
	}
	return left, shown
}

func holds(q *policy.Question, in *policy.Inputs, thresholds map[string]float64) Outcomes {
	held, told := q.Holds(in, thresholds)
	switch {
	case !told:
		return Fails
	case held:
		return True
	}
	return False
}

// What is decided, by condition: the outcomes that it can have (T, F, E).
// Where a mark is written small it is left open, though no inputs show it.
func TestOutcomes(t *testing.T) {
	b := newBench(t)
	for _, line := range strings.Split(strings.TrimSpace(outcomes), "\n") {
		want, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if want == "" || want == "#" {
			continue
		}
		text = strings.TrimSpace(text)
		left, shown := b.setting.outcomes(b.ask(t, text))
		if got := marks(left, shown); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func marks(left, shown Outcomes) string {
	var b strings.Builder
	for i, c := range "TFE" {
		switch o := Outcomes(1 << i); {
		case shown&o != 0:
			b.WriteRune(c)
		case left&o != 0:
			b.WriteString(strings.ToLower(string(c)))
		}
	}
	return b.String()
}

const outcomes = `
T true
F false
T findings.high >= 0
F findings.high < 0
TF findings.high > 0
F findings.high < 1 && findings.high > 0
T findings.high < 5 || findings.high > 3
F findings.high < findings.low && findings.low < findings.high
F findings.high < findings.low && findings.low < findings.medium && findings.medium < findings.high
T findings.high >= 0 && findings.low >= 0 && findings.medium >= 0 && findings.info >= 0 && findings.critical >= 0
F findings.high > 1 && findings.high < findings.medium && findings.medium < findings.low && findings.low < 4
TF findings.high > 1 && findings.high < findings.medium && findings.medium < findings.low && findings.low < 5
TF findings.high * findings.high == 49
F findings.high * findings.high == 50
F findings.high * findings.high < 0
F 2 * findings.high == 7
T 2 * findings.high != 2 * findings.low + 1
TF findings.high + findings.low == 10 && findings.high == findings.low
F findings.high + findings.low == 11 && findings.high == findings.low
T findings.high + findings.low >= findings.low
T service.tier <= 3
T service.tier == 0 || service.tier == 1 || service.tier == 2 || service.tier == 3
TF service.tier in [0, 1]
T service.tier in [0, 1, 2, 3]
T !(service.tier in [4, 5])
F coverage.line_rate > 80.0
F coverage.line_rate + coverage.branch_rate > 2.5
T coverage.line_rate * 100.0 <= 100.0
TF coverage.line_rate * 100.0 >= 80.0
TF double(findings.high) <= param.most
F double(findings.high) > 3.0 && double(findings.high) < 4.0
F findings.high > 3.0 && findings.high < 4.0
T param.most <= 10.0
TF coverage.line_rate >= threshold.rate
F coverage.line_rate < threshold.rate - 0.6
F environment.kind == "prod"
T environment.kind in ["production", "staging", "test", "development"]
T environment.kind != "production" || environment.kind != "staging"
F environment.kind == "production" && environment.kind == "staging"
T environment.kind.startsWith("p") || environment.kind.startsWith("s") || environment.kind.startsWith("t") || environment.kind.startsWith("d")
F size(environment.kind) > 11
TF size(environment.kind) == 4
F size(environment.kind) == 4 && environment.kind != "test"
F release.digest.startsWith("sha256:") && release.digest == "abc"
TF release.digest.startsWith("sha256:") && size(release.digest) == 71
F release.digest.startsWith("sha256:") && size(release.digest) < 7
F release.digest.startsWith("sha256:") && release.digest.startsWith("sha512:")
F release.digest == "" && size(release.digest) > 0
T release.digest != "" || size(release.digest) == 0
F service.team == service.name && service.name == "a" && service.team != "a"
F service.team == service.name && service.name == environment.name && service.team != environment.name
F release.version < "1" && release.version > "2"
TF service.owned
F service.owned && !service.owned
T service.owned == true || service.owned == false
T service.owned != !service.owned
T service.owned ? true : !service.owned
F (service.owned ? findings.high : findings.low) < 0
T calendar.frozen || !calendar.frozen
TF "icfr" in service.flags
F "icfr" in service.flags && size(service.flags) == 0
F "icfr" in service.flags && service.flags == []
T !("icfr" in service.flags) || size(service.flags) > 0
F "a" in service.flags && service.flags.all(f, f == "b")
F findings.items.exists(f, f.severity == "severe")
TF findings.items.exists(f, f.severity == "high")
T findings.items.all(f, f.severity != "severe")
T findings.tools.all(t, t != "" || t == "")
F findings.items.exists(f, f.suppressed) && findings.items.all(f, !f.suppressed)
TF findings.items.exists(f, f.suppressed) && findings.items.exists(f, !f.suppressed)
F findings.items.all(f, f.suppressed) && findings.items.all(f, !f.suppressed) && size(findings.items) > 0
TF findings.items.all(f, f.suppressed) && findings.items.all(f, !f.suppressed)
T findings.items.filter(f, f.severity == "high").size() <= size(findings.items)
F findings.items.filter(f, f.severity == "high").size() > 0 && !findings.items.exists(f, f.severity == "high")
F findings.items.filter(f, f.severity == "high").size() < size(findings.items) && findings.items.all(f, f.severity == "high")
F size(findings.items) > 1000
F findings.items.exists_one(f, f.suppressed) && !findings.items.exists(f, f.suppressed)
TF findings.items.exists_one(f, f.suppressed)
F "high" in findings.items.map(f, f.severity) && !findings.items.exists(f, f.severity == "high")
TF "high" in findings.items.map(f, f.severity)
F "severe" in findings.items.map(f, f.severity)
F findings.items.map(f, f.severity).exists(s, s == "severe")
TF findings.items.filter(f, f.severity == "high").all(f, f.suppressed)
F findings.items.filter(f, f.severity == "high").exists(f, f.severity == "low")
TF approval.votes.exists(v, "security" in v.groups)
F approval.votes.exists(v, "security" in v.groups && size(v.groups) == 0)
F approval.votes.exists(v, size(v.groups) > 20)
F approval.votes.exists(v, v.answer == "maybe")
TF [findings.high, findings.low].exists(n, n > 3)
F [findings.high, findings.low].exists(n, n < 0)
TF ["icfr", "ephi"].exists(x, x in service.flags)
F ["icfr", "ephi"].exists(x, x in service.flags) && !("icfr" in service.flags) && !("ephi" in service.flags)
TF ["icfr", "ephi"].all(x, x in service.flags)
TF size(service.flags + service.data_classes) == 3
F size(service.flags + service.data_classes) == 0 && "a" in service.flags
TFE 1 / findings.critical > 0
TF findings.critical == 0 || 10 / findings.critical > 3
TF findings.critical != 0 && 10 / findings.critical > 3
E 1 / 0 > 3
TF findings.high % 2 == 0
F findings.high % 2 == 3
T findings.high / 2 <= findings.high
F findings.high / 10 > 3 && findings.high < 40
TFE findings.items[0].suppressed
TF size(findings.items) > 0 && findings.items[0].suppressed
F size(findings.items) > 0 && findings.items[0].suppressed && findings.items.all(f, !f.suppressed)
TF now > timestamp("2027-01-01T00:00:00Z")
F now > timestamp("2027-01-02T00:00:00Z") && now < timestamp("2027-01-01T00:00:00Z")
TF now.getHours() < 12
T now.getHours() < 24
F now.getDayOfWeek() == 7
TFE now - release.submitted_at >= duration("24h")
TF release.submitted_at + duration("24h") <= now
T duration("24h") > duration("23h")
F now < release.submitted_at && release.submitted_at < now
TF double(tests.skipped) <= param.share * double(tests.total)
T tests.total == 0 || double(tests.failed) / double(tests.total) >= 0.0
TF tests.total > 0 && double(tests.failed) / double(tests.total) <= 0.05
F tests.total > 0 && double(tests.failed) / double(tests.total) < 0.0
F string(service.tier) == "4"
TF string(service.tier) == "3"
T param.region == "eu"
T param.strict
TF change.semver_step == "major" || change.breaking
F change.semver_step == "Major"
tF has(findings.high)
TF service.name.matches("^a+$")
TF service.name.matches("^a+$") || service.team.matches("^b$")
T service.name.matches("^a+$") || !service.name.matches("^a+$")
TF release.size + "-" + release.change_type == "major-normal"
F release.size + "-" + release.change_type == "huge-normal"
TF int(coverage.line_rate * 100.0) >= 80
F int(coverage.line_rate) > 1
TF double(findings.high + findings.low) / 2.0 > 3.0
`

// Whatever is written, a search comes to an end: these would take for ever, or all
// memory, if nothing counted.
func TestHostileConditionsEnd(t *testing.T) {
	b := newBench(t)
	rest := func(n int, format string) string { return strings.Repeat(format, n) }
	var ladder []string
	for i := range 40 {
		ladder = append(ladder, fmt.Sprintf("findings.high * %d + findings.low * %d > tests.total * %d + findings.medium", 3*i+1, 2*i+1, 5*i+1))
	}
	for name, text := range map[string]string{
		"texts that double":   `["a", service.name]` + rest(50, ".map(a, a + a)") + `.exists(a, a == "b")`,
		"numbers that double": `[1, findings.high]` + rest(50, ".map(a, a + a)") + `.exists(a, a == 3)`,
		"numbers that square": `[2, findings.high]` + rest(50, ".map(a, a * a)") + `.exists(a, a == 3)`,
		"lists that double":   `[service.flags]` + rest(40, ".map(a, a + a)") + `.exists(a, size(a) == 3)`,
		"lists within lists":  `service.flags.all(a, service.flags.exists(b, a != b && service.flags.exists(c, c != b && service.flags.exists(d, d != c))))`,
		"items for items":     `size(service.flags) > 0 && service.flags.all(a, service.flags.exists(b, a < b))`,
		"many sums":           strings.Join(ladder, " && "),
		"many choices":        strings.TrimSuffix(rest(20, `(findings.high != 1 || findings.low != 2 || service.name != "a") && `), " && "),
		"odd and even":        `findings.high * 2 == findings.low * 2 + findings.medium * 4 + 1`,
	} {
		budget := &Budget{5 * maxSteps}
		setting := b.setting
		setting.Budget = budget
		q := b.ask(t, text)
		for _, o := range []Outcomes{True, False, Fails} {
			setting.Never(Claim{Read(q.Tree()).Root, o})
		}
		t.Logf("%s: %d steps", name, 5*maxSteps-budget.Left)
	}
}

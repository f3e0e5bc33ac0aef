package logic

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox.dev/signalbox/internal/policy"
)

// grammar draws conditions that type-check: each function draws an expression of
// one type, at most so deep.
type grammar struct{ *rapid.T }

func (g grammar) among(all ...string) string { return rapid.SampledFrom(all).Draw(g.T, "") }

func (g grammar) upTo(n int) int { return rapid.IntRange(0, n).Draw(g.T, "") }

func (g grammar) condition(deep int) string {
	if deep == 0 {
		return g.atom(0)
	}
	switch g.upTo(9) {
	case 0, 1:
		return "(" + g.condition(deep-1) + " && " + g.condition(deep-1) + ")"
	case 2, 3:
		return "(" + g.condition(deep-1) + " || " + g.condition(deep-1) + ")"
	case 4:
		return "!" + g.condition(deep-1)
	case 5:
		return "(" + g.condition(deep-1) + " ? " + g.condition(deep-1) + " : " + g.condition(deep-1) + ")"
	case 6:
		return "(" + g.condition(deep-1) + g.among(" == ", " != ") + g.condition(deep-1) + ")"
	}
	return g.atom(deep - 1)
}

func (g grammar) atom(deep int) string {
	compare := func(side func(int) string) string {
		return "(" + side(deep) + g.among(" == ", " != ", " < ", " <= ", " > ", " >= ") + side(deep) + ")"
	}
	switch g.upTo(13) {
	case 0, 1, 2:
		return compare(g.whole)
	case 3:
		return compare(g.fraction)
	case 4:
		return "(" + g.whole(deep) + g.among(" == ", " < ", " >= ") + g.fraction(deep) + ")"
	case 5:
		return compare(g.text)
	case 6:
		return "(" + g.text(deep) + " in " + g.texts(deep) + ")"
	case 7:
		return g.text(deep) + g.among(".startsWith", ".endsWith", ".contains", ".matches") + "(" + g.among(`""`, `"a"`, `"ab"`, `"b"`, `"prod"`, `"t"`, `"sha256:"`) + ")"
	case 8, 9:
		return g.walk(deep)
	case 10:
		return compare(g.instant)
	case 11:
		return compare(g.duration)
	case 12:
		return g.among("has(findings.high)", "service.flags == []", `service.flags == ["a"]`, "service.flags == service.data_classes", "[findings.high, 1].exists(n, n == 2.0)", "service.flags[0] == \"a\"", "findings.items[1].suppressed", "param.strict", "release.known")
	}
	return g.among("service.owned", "calendar.frozen", "change.breaking", "findings.known", "approval.satisfied", "true", "false")
}

func (g grammar) whole(deep int) string {
	if deep > 0 {
		switch g.upTo(12) {
		case 0, 1:
			return "(" + g.whole(deep-1) + g.among(" + ", " - ") + g.whole(deep-1) + ")"
		case 2:
			return "(" + g.whole(deep-1) + " * " + g.whole(deep-1) + ")"
		case 3:
			return "(" + g.whole(deep-1) + g.among(" / ", " % ") + g.whole(deep-1) + ")"
		case 4:
			return "size(" + g.texts(deep-1) + ")"
		case 5:
			return "size(" + g.text(deep-1) + ")"
		case 6:
			return "size(" + g.items(deep-1) + ")"
		case 7:
			return "(" + g.condition(deep-1) + " ? " + g.whole(deep-1) + " : " + g.whole(deep-1) + ")"
		case 8:
			return "int(" + g.fraction(deep-1) + ")"
		case 9:
			return "-" + g.whole(deep-1)
		case 10:
			return g.instant(deep-1) + "." + g.among("getHours", "getDayOfWeek", "getMonth", "getDate", "getFullYear", "getDayOfYear", "getMilliseconds") + "()"
		case 11:
			return g.duration(deep-1) + "." + g.among("getHours", "getMinutes", "getSeconds", "getMilliseconds") + "()"
		}
	}
	return g.among("findings.high", "findings.high", "findings.low", "findings.medium", "tests.total", "tests.failed", "service.tier", "0", "1", "2", "3", "7", "-1", "9223372036854775807")
}

func (g grammar) fraction(deep int) string {
	if deep > 0 {
		switch g.upTo(7) {
		case 0, 1:
			return "(" + g.fraction(deep-1) + g.among(" + ", " - ", " * ", " / ") + g.fraction(deep-1) + ")"
		case 2, 3:
			return "double(" + g.whole(deep-1) + ")"
		case 4:
			return "(" + g.condition(deep-1) + " ? " + g.fraction(deep-1) + " : " + g.fraction(deep-1) + ")"
		case 5:
			return "-" + g.fraction(deep-1)
		}
	}
	return g.among("coverage.line_rate", "coverage.line_rate", "coverage.branch_rate", "findings.age_hours", "param.most", "param.share", "threshold.rate", "threshold.approvals", "0.0", "0.5", "1.0", "0.1", "3.0", "1e308")
}

func (g grammar) text(deep int) string {
	if deep > 0 {
		switch g.upTo(6) {
		case 0:
			return "(" + g.text(deep-1) + " + " + g.text(deep-1) + ")"
		case 1:
			return "string(" + g.whole(deep-1) + ")"
		case 2:
			return "(" + g.condition(deep-1) + " ? " + g.text(deep-1) + " : " + g.text(deep-1) + ")"
		}
	}
	return g.among("environment.kind", "environment.kind", "release.size", "service.name", "service.name", "service.team", "release.digest", "param.region", `""`, `"a"`, `"ab"`, `"b"`, `"production"`, `"test"`, `"eu"`)
}

func (g grammar) texts(deep int) string {
	if deep > 0 {
		switch g.upTo(6) {
		case 0:
			return g.texts(deep-1) + `.filter(x, x` + g.among(" == ", " != ") + g.text(deep-1) + ")"
		case 1:
			return g.items(deep-1) + ".map(f, f." + g.among("severity", "tool", "package") + ")"
		case 2:
			return "(" + g.texts(deep-1) + " + " + g.texts(deep-1) + ")"
		case 3:
			return "[" + g.text(deep-1) + ", " + g.text(deep-1) + "]"
		case 4:
			return g.texts(deep-1) + ".map(x, x + " + g.text(deep-1) + ")"
		}
	}
	return g.among("service.flags", "service.flags", "findings.tools", `["a", "b"]`, "[]", `["production", "test"]`)
}

func (g grammar) items(deep int) string {
	if deep > 0 && g.upTo(2) == 0 {
		return g.items(deep-1) + ".filter(f, " + g.onItem(deep-1) + ")"
	}
	return "findings.items"
}

func (g grammar) onItem(deep int) string {
	if deep > 0 && g.upTo(3) == 0 {
		return "(" + g.onItem(deep-1) + g.among(" && ", " || ") + g.onItem(deep-1) + ")"
	}
	return g.among(`f.severity == "high"`, `f.severity != "low"`, `f.severity in ["high", "critical"]`, "f.suppressed", "!f.suppressed", `f.tool == "a"`, `f.tool == service.name`, `f.severity == "severe"`, `size(f.tool) > 1`, `f.tool.startsWith("a")`, "findings.high > 2", "1 / findings.low > 0")
}

func (g grammar) walk(deep int) string {
	macro := g.among("exists", "all", "exists_one")
	switch g.upTo(4) {
	case 0, 1:
		return g.items(deep) + "." + macro + "(f, " + g.onItem(deep) + ")"
	case 2:
		return g.texts(deep) + "." + macro + "(x, x" + g.among(" == ", " != ") + g.text(deep) + ")"
	case 3:
		return "approval.votes." + macro + `(v, ` + g.among(`"a" in v.groups`, `v.counted && !("a" in v.groups)`, `v.answer == "approve"`, `v.groups.all(x, x == "a")`, `size(v.groups) > 1`, `v.groups.exists(x, service.flags.exists(y, x == y))`) + ")"
	}
	return "[" + g.whole(deep) + ", " + g.whole(deep) + "]." + macro + "(n, n" + g.among(" > ", " == ") + g.whole(deep) + ")"
}

func (g grammar) instant(deep int) string {
	if deep > 0 {
		switch g.upTo(3) {
		case 0:
			return "(" + g.instant(deep-1) + g.among(" + ", " - ") + g.duration(deep-1) + ")"
		case 1:
			return g.among(`timestamp("2027-03-01T09:00:00Z")`, `timestamp("2027-03-02T00:00:00Z")`)
		}
	}
	return g.among("now", "release.submitted_at", "calendar.thaws_at")
}

func (g grammar) duration(deep int) string {
	if deep > 0 {
		switch g.upTo(3) {
		case 0:
			return "(" + g.instant(deep-1) + " - " + g.instant(deep-1) + ")"
		case 1:
			return "(" + g.duration(deep-1) + g.among(" + ", " - ") + g.duration(deep-1) + ")"
		}
	}
	return g.among(`duration("24h")`, `duration("1h")`, `duration("0s")`, `duration("90m")`, `duration("-1h")`)
}

// anyInputs draws inputs within their domains, near what the grammar compares with.
func anyInputs(t *rapid.T) policy.Inputs {
	g := grammar{t}
	count := func() int { return rapid.SampledFrom([]int{0, 1, 2, 3, 4, 7, 8, 49, topCount}).Draw(t, "") }
	yes := func() bool { return rapid.Bool().Draw(t, "") }
	rate := func() float64 { return rapid.SampledFrom([]float64{0, 0.1, 0.3, 0.5, 0.7, 1}).Draw(t, "") }
	pool := []string{"", "a", "ab", "b", "test", "eu", "production", "sha256:", "aab"}
	word := func() string { return g.among(pool...) }
	words := func() []string { return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 3).Draw(t, "") }
	when := func() time.Time {
		at := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
		return rapid.SampledFrom([]time.Time{{}, at, at.Add(time.Hour), at.Add(-time.Hour), at.Add(24 * time.Hour), at.Add(15 * time.Hour), at.Add(time.Nanosecond), time.Date(8999, 12, 31, 23, 59, 59, 0, time.UTC)}).Draw(t, "")
	}
	in := policy.Inputs{Contract: policy.Contract, Now: when()}
	in.Release = policy.Release{Known: yes(), Version: word(), Digest: word(), Size: g.among("", "major", "minor", "patch"), SubmittedAt: when()}
	in.Service = policy.Service{Known: true, Name: word(), Team: word(), Tier: rapid.IntRange(0, 3).Draw(t, ""), Owned: yes(), Flags: words(), DataClasses: words()}
	in.Environment = policy.Environment{Known: true, Kind: g.among("production", "staging", "test", "development")}
	in.Change.Breaking = yes()
	in.Findings = policy.Findings{Known: yes(), AgeHours: rapid.SampledFrom([]float64{0, 0.5, 3, 24, oldest}).Draw(t, ""), High: count(), Low: count(), Medium: count(), Tools: words()}
	for range g.upTo(3) {
		in.Findings.Items = append(in.Findings.Items, policy.Finding{Severity: g.among("", "high", "low", "critical", "info"), Tool: word(), Package: word(), Suppressed: yes()})
	}
	in.Tests.Total, in.Tests.Failed = count(), count()
	in.Coverage.LineRate, in.Coverage.BranchRate = rate(), rate()
	in.Approval.Satisfied = yes()
	for range g.upTo(2) {
		in.Approval.Votes = append(in.Approval.Votes, policy.Vote{Groups: words(), Answer: g.among("approve", "reject"), Counted: yes()})
	}
	in.Calendar.Frozen, in.Calendar.ThawsAt = yes(), when()
	return in
}

// refuted draws a condition and inputs, and says what is wrong where the inputs
// bring about what is ruled out.
func refuted(t *rapid.T, b *bench, out ruling) string {
	text := grammar{t}.condition(rapid.IntRange(1, 4).Draw(t, "deep"))
	q, err := b.asker.Ask(text)
	if err != nil {
		return ""
	}
	ruled := out(b, text)
	for range 10 {
		in := anyInputs(t)
		if o := holds(q, &in, b.setting.Thresholds); ruled&o != 0 {
			return fmt.Sprintf("%s\ncomes out as %s, which is ruled out, with\n%+v", text, marks(o, 0), in)
		}
	}
	return ""
}

// ruling is the outcomes of a condition that are ruled out.
type ruling func(b *bench, text string) Outcomes

func ruledOut(b *bench, text string) (out Outcomes) {
	q, err := b.asker.Ask(text)
	if err != nil {
		return 0
	}
	for _, o := range []Outcomes{True, False, Fails} {
		if b.setting.Never(Claim{Read(q.Tree()).Root, o}) {
			out |= o
		}
	}
	return out
}

// Whatever is said never to come about, no inputs bring about.
func TestNeverIsNever(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(t *rapid.T) {
		if wrong := refuted(t, b, ruledOut); wrong != "" {
			t.Fatal(wrong)
		}
	})
}

// The test above would notice: each of these reads conditions wrong in one point.
func TestWrongReadingIsNoticed(t *testing.T) {
	b := newBench(t)
	instead := func(of, by string) ruling {
		return func(b *bench, text string) Outcomes { return ruledOut(b, strings.ReplaceAll(text, of, by)) }
	}
	narrow := func(b *bench, text string) Outcomes {
		less := *b
		less.setting.Domains = func(name string) Domain {
			d := Declared(name)
			if name == "findings.high" {
				d.Low = number(1)
			}
			return d
		}
		return ruledOut(&less, text)
	}
	for name, out := range map[string]ruling{
		"at most is less": instead(" <= ", " < "), "some is all": instead(".exists(", ".all("),
		"there is always a finding": narrow, "nothing fails": func(b *bench, text string) Outcomes { return ruledOut(b, text) | Fails },
	} {
		noticed := false
		drawn := rapid.Custom(func(t *rapid.T) string { return refuted(t, b, out) })
		for seed := 0; seed < 5_000 && !noticed; seed++ {
			noticed = drawn.Example(seed) != ""
		}
		if !noticed {
			t.Errorf("%s: nothing is noticed", name)
		}
	}
}

// few are domains small enough to try everything in them.
func few(name string) Domain {
	d := Declared(name)
	switch name {
	case "findings.high", "findings.low":
		d.High = number(3)
	case "service.flags":
		d.Longest = 2
	case "service.flags[]":
		d.Texts = []string{"a", "b"}
	case "findings.items":
		d.Longest = 2
	case "findings.items.severity":
		d.Texts = []string{"high", "low"}
	}
	return d
}

// everything is all inputs within few, as far as the questions read them.
func everything(questions ...*policy.Question) func(yield func(*policy.Inputs) bool) {
	flags := [][]string{{}, {"a"}, {"b"}, {"a", "a"}, {"a", "b"}, {"b", "a"}, {"b", "b"}}
	items := [][]policy.Finding{{}}
	var one []policy.Finding
	for _, severity := range []string{"high", "low"} {
		for _, suppressed := range []bool{false, true} {
			one = append(one, policy.Finding{Severity: severity, Suppressed: suppressed})
		}
	}
	for _, a := range one {
		items = append(items, []policy.Finding{a})
		for _, b := range one {
			items = append(items, []policy.Finding{a, b})
		}
	}
	in := policy.Inputs{}
	axes := []struct {
		name string
		n    int
		set  func(i int)
	}{
		{"findings.high", 4, func(i int) { in.Findings.High = i }},
		{"findings.low", 4, func(i int) { in.Findings.Low = i }},
		{"service.tier", 4, func(i int) { in.Service.Tier = i }},
		{"environment.kind", 4, func(i int) { in.Environment.Kind = enumerated["environment.kind"][i] }},
		{"service.owned", 2, func(i int) { in.Service.Owned = i == 1 }},
		{"service.flags", len(flags), func(i int) { in.Service.Flags = flags[i] }},
		{"findings.items", len(items), func(i int) { in.Findings.Items = items[i] }},
	}
	return func(yield func(*policy.Inputs) bool) {
		total := 1
		for _, a := range axes {
			if read(a.name, questions) {
				total *= a.n
			}
		}
		for n := range total {
			for _, a := range axes {
				if read(a.name, questions) {
					a.set(n % a.n)
					n /= a.n
				}
			}
			if !yield(&in) {
				return
			}
		}
	}
}

func read(name string, questions []*policy.Question) bool {
	return slices.ContainsFunc(questions, func(q *policy.Question) bool { return slices.Contains(q.Reads, name) })
}

// plain draws conditions over few inputs.
type plain struct{ grammar }

func (g plain) condition(deep int) string {
	if deep > 0 {
		switch g.upTo(7) {
		case 0, 1:
			return "(" + g.condition(deep-1) + " && " + g.condition(deep-1) + ")"
		case 2, 3:
			return "(" + g.condition(deep-1) + " || " + g.condition(deep-1) + ")"
		case 4:
			return "!" + g.condition(deep-1)
		case 5:
			return "(" + g.condition(deep-1) + " ? " + g.condition(deep-1) + " : " + g.condition(deep-1) + ")"
		}
	}
	switch g.upTo(9) {
	case 0, 1, 2, 3:
		return "(" + g.whole(deep) + g.among(" == ", " != ", " < ", " <= ", " > ", " >= ") + g.whole(deep) + ")"
	case 4:
		return "environment.kind" + g.among(" == ", " != ") + g.among(`"production"`, `"test"`, `"prod"`)
	case 5:
		return "environment.kind in " + g.among(`["production", "staging"]`, `["test", "development"]`, `["prod"]`)
	case 6:
		return g.among(`"a"`, `"b"`, `"c"`) + " in service.flags"
	case 7:
		return "service.flags." + g.among("exists", "all") + "(x, x" + g.among(" == ", " != ") + g.among(`"a"`, `"b"`, `"c"`) + ")"
	case 8:
		return "findings.items." + g.among("exists", "all", "exists_one") + "(f, " + g.among(`f.severity == "high"`, "f.suppressed", `f.severity == "low" && !f.suppressed`, `f.severity != "high"`) + ")"
	}
	return "service.owned"
}

func (g plain) whole(deep int) string {
	if deep > 0 {
		switch g.upTo(7) {
		case 0, 1:
			return "(" + g.whole(deep-1) + g.among(" + ", " - ") + g.whole(deep-1) + ")"
		case 2:
			return "(" + g.whole(deep-1) + " * " + g.whole(deep-1) + ")"
		case 3:
			return "(" + g.whole(deep-1) + g.among(" / ", " % ") + g.among("2", "3") + ")"
		case 4:
			return g.among("size(environment.kind)", "size(service.flags)", "size(findings.items)", `findings.items.filter(f, f.severity == "high").size()`)
		case 5:
			return "(" + g.condition(deep-1) + " ? " + g.whole(deep-1) + " : " + g.whole(deep-1) + ")"
		}
	}
	return g.among("findings.high", "findings.high", "findings.low", "service.tier", "0", "1", "2", "3", "4")
}

// What is constant over domains small enough to try everything is recognised, but
// for a small share; and nothing else is.
func TestConstantsAreRecognised(t *testing.T) {
	b := newBench(t)
	b.setting.Domains = few
	constant, recognised := 0, 0
	var missed []string
	rapid.Check(t, func(t *rapid.T) {
		text := plain{grammar{t}}.condition(3)
		q, err := b.asker.Ask(text)
		if err != nil {
			return
		}
		if len(q.Reads) == 0 {
			return
		}
		var seen Outcomes
		for in := range everything(q) {
			if seen |= holds(q, in, nil); seen&(seen-1) != 0 {
				break
			}
		}
		left := (True | False | Fails) &^ ruledOut(b, text)
		if seen&^left != 0 {
			t.Fatalf("%s\ncomes out as %s, of which %s is left", text, marks(0, seen), marks(0, left))
		}
		if seen&(seen-1) == 0 {
			if constant++; left == seen {
				recognised++
			} else {
				missed = append(missed, text)
			}
		}
	})
	t.Logf("%d of %d constant conditions are recognised", recognised, constant)
	for _, m := range missed[:min(len(missed), 5)] {
		t.Log("missed:", m)
	}
	if 10*recognised < 8*constant { // of 1,000 drawn it was 99 of 100
		t.Errorf("that is less than 8 of 10")
	}
}

// Two conditions that are the same come out alike, and claims that never hold
// together do not, whatever the inputs are.
func TestSameIsSame(t *testing.T) {
	b := newBench(t)
	b.setting.Domains = few
	same, never := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := plain{grammar{t}}
		parts := []string{g.condition(1), g.condition(1), g.condition(1)}
		joint := g.among(" && ", " || ")
		whole, err := b.asker.Ask(strings.Join(parts, joint))
		if err != nil {
			return
		}
		less, err := b.asker.Ask(strings.Join(parts[:2], joint))
		if err != nil {
			return
		}
		x, y := Read(whole.Tree()).Root, Read(less.Tree()).Root
		alike, apart := b.setting.Same(x, y), b.setting.Never(Claim{x, True}, Claim{y, False})
		if alike {
			same++
		}
		if apart {
			never++
		}
		for in := range everything(whole, less) {
			one, other := holds(whole, in, nil), holds(less, in, nil)
			if alike && one != other || apart && one == True && other == False {
				t.Fatalf("%s comes out as %s, %s as %s, with\n%+v", whole.Text, marks(0, one), less.Text, marks(0, other), *in)
			}
			if !alike && !apart {
				break
			}
		}
	})
	if same == 0 || never == 0 {
		t.Errorf("of those drawn %d are the same, %d never hold together", same, never)
	}
}

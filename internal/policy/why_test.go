package policy

import (
	"strings"
	"testing"
	"time"
)

// TestAFailedRuleExplainsItself: which part decided, what was observed against
// what, in words and always the same.
func TestAFailedRuleExplainsItself(t *testing.T) {
	for _, c := range []struct {
		condition string
		change    func(*Inputs)
		want      string
	}{
		{"findings.high <= param.limit", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high <= param.limit` does not hold: findings.high is 5, param.limit is 2."},
		{"findings.critical == 0 && findings.high <= param.limit", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high <= param.limit` does not hold: findings.high is 5, param.limit is 2."},
		{"findings.critical == 0 && findings.high == 0", func(in *Inputs) { in.Findings.High, in.Findings.Critical = 5, 1 }, "`findings.critical == 0` does not hold: findings.critical is 1; `findings.high == 0` does not hold: findings.high is 5."},
		{"service.tier > 2 || findings.high == 0", func(in *Inputs) { in.Findings.High = 5 }, "`service.tier > 2` does not hold: service.tier is 1; `findings.high == 0` does not hold: findings.high is 5."},
		{"!(findings.high > 3)", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high > 3` holds: findings.high is 5."},
		{"!(findings.high > 3 && service.owned)", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high > 3` holds: findings.high is 5; `service.owned` holds: service.owned is true."},
		{"service.tier < 2 ? findings.high == 0 : true", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high == 0` does not hold: findings.high is 5."},
		{"service.tier > 2 ? true : findings.high == 0", func(in *Inputs) { in.Findings.High = 5 }, "`findings.high == 0` does not hold: findings.high is 5."},
		{"coverage.line_rate >= threshold.rate", func(in *Inputs) { in.Coverage.LineRate = 0.25 }, "`coverage.line_rate >= threshold.rate` does not hold: coverage.line_rate is 0.25, threshold.rate is 0.5."},
		{`"icfr" in service.flags`, func(in *Inputs) { in.Service.Flags = []string{"ephi"} }, "`\"icfr\" in service.flags` does not hold: service.flags is [ephi]."},
		{"size(findings.tools) >= 2", func(in *Inputs) { in.Findings.Tools = []string{"scan"} }, "`size(findings.tools) >= 2` does not hold: findings.tools is [scan], `size(findings.tools)` is 1."},
		{"now - release.submitted_at > duration('48h')", nil, "`now - release.submitted_at > duration(\"48h\")` does not hold: now is 2027-03-01T09:00:00Z, release.submitted_at is 2027-02-28T09:00:00Z, `now - release.submitted_at` is 1d, `duration(\"48h\")` is 2d."},
		{`findings.items.all(f, f.severity != "high")`, func(in *Inputs) { in.Findings.Items = items("high", "low") }, "`findings.items.all(f, f.severity != \"high\")` does not hold: findings.items is 2 items."},
		{"service.owned", func(in *Inputs) { in.Service.Owned = false }, "`service.owned` does not hold: service.owned is false."},
		{"findings.critical == 0 && false", nil, "`false` does not hold."},
	} {
		t.Run(c.condition, func(t *testing.T) {
			p := listed(t, c.condition)
			in := fine()
			if c.change != nil {
				c.change(&in)
			}
			r := reason(t, p.Decide(in), "probe")
			if r.Code != "failed" || r.Why != c.want {
				t.Errorf("%s: %s\nwant %s", r.Code, r.Why, c.want)
			}
			if w := goWords.FindString(r.Why); w != "" {
				t.Errorf("it speaks Go (%s): %s", w, r.Why)
			}
			if again := reason(t, p.Decide(in), "probe"); again.Why != r.Why {
				t.Errorf("then %s", again.Why)
			}
		})
	}
}

func TestExplanationsStandBesideTheDescription(t *testing.T) {
	p := compiled(t, sample(doc("Gate", "name: probe\ntitle: P\ndescription: Too many findings.\ncondition: findings.high == 0\n")))
	r := reason(t, p.Decide(with(func(in *Inputs) { in.Findings.High = 1 })), "probe")
	if r.Why != "Too many findings. `findings.high == 0` does not hold: findings.high is 1." {
		t.Error(r.Why)
	}
	if r = reason(t, p.Decide(fine()), "probe"); strings.Contains(r.Why, "`") {
		t.Errorf("a gate that passes is explained: %s", r.Why)
	}
}

// TestExplanationsAreBounded: many parts, and a decision without budget.
func TestExplanationsAreBounded(t *testing.T) {
	var parts []string
	for _, s := range []string{"critical", "high", "medium", "low", "info", "total", "suppressed"} {
		parts = append(parts, "findings."+s+" > 9")
	}
	r := reason(t, listed(t, strings.Join(parts, " || ")).Decide(fine()), "probe")
	if got := strings.Count(r.Why, "does not hold"); got != maxParts {
		t.Errorf("%d parts: %s", got, r.Why)
	}
	p := listed(t, `findings.items.all(f, f.severity != "high")`)
	spent := uint64(DecisionBudget)
	in := with(func(in *Inputs) { in.Findings.Items, in.Now = items("high"), monday.Add(time.Hour) })
	v := &values{in: &in, spent: &spent}
	if why := v.why(&p.gates[len(p.gates)-1].condition); why != "" {
		t.Errorf("run twice without a budget: %s", why)
	}
}

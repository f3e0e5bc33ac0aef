package logic

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/internal/policy"
)

// FuzzCondition holds for any condition that compiles: it is read and decided
// without a fault, what is ruled out does not come about with inputs at hand, and
// an example does what it is an example of.
func FuzzCondition(f *testing.F) {
	b := newBench(f)
	for line := range strings.Lines(outcomes) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		f.Add(text)
	}
	for _, text := range []string{
		`{"a": 1}.a == 1`, `{"a": findings.high}["a"] > 2`, `[1, "a", true].exists(x, x == 1)`, `type(findings.high) == int`, `uint(findings.high) > 1u`, `b"a" == bytes(service.name)`,
		`service.flags.map(f, f + "x", size(f)).exists(n, n > 1)`, `[[1], [2]].exists(l, l.exists(x, x == 2))`, `dyn(findings.high) == "a"`, `timestamp(service.name) > now`, `now.getHours(service.team) > 1`,
		`[findings, findings].exists(f, f.high > 1)`, `has(release.version) && release == release`, `service.flags[findings.high] == ""`, `string(now) == "" || string(1.5) == "1.5"`,
		`approval.votes.all(v, approval.votes.exists(w, size(w.groups) > size(v.groups)))`, `null == null`, `[].all(x, x)`, `(findings.high > 1 ? [1] : [2]).exists(x, x == findings.low)`,
		`int(timestamp("2027-01-01T00:00:00Z")) > 0 && int(duration("1h")) > 0`, `"a" in {"a": 1}`, `service.name.matches(service.team)`, `-(-9223372036854775808) > 0`, `0.0 / 0.0 == 0.0 / 0.0`,
	} {
		f.Add(text)
	}
	inputs := []policy.Inputs{{}, {Findings: policy.Findings{High: 2, Low: 1}, Service: policy.Service{Name: "a", Tier: 2, Flags: []string{"a", "icfr"}}}}
	for i := range inputs {
		inputs[i].Environment.Kind, inputs[i].Change.SemverStep, inputs[i].Release.RequestedBy = "production", "none", "person"
		for _, p := range []*policy.Provenance{&inputs[i].Change.Provenance, &inputs[i].Findings.Provenance, &inputs[i].Tests.Provenance, &inputs[i].Coverage.Provenance} {
			*p = policy.ByPipeline
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := b.asker.Ask(text)
		if err != nil {
			return
		}
		setting := b.setting
		setting.Budget = &Budget{maxSteps}
		c := Read(q.Tree())
		if c.Root.kind != truth {
			return // no condition: compiling a bundle refuses it
		}
		c.Place(c.Root)
		c.Text(c.Root)
		var left Outcomes
		for _, o := range []Outcomes{True, False, Fails} {
			answer, in := setting.Example(func(in *policy.Inputs) bool { return holds(q, in, setting.Thresholds) == o }, Claim{c.Root, o})
			if answer != Never {
				left |= o
			}
			if (in != nil) != (answer == Possible) {
				t.Errorf("%s: the answer is %d with the example %v", text, answer, in)
			}
		}
		for i := range inputs {
			if o := holds(q, &inputs[i], setting.Thresholds); left&o == 0 {
				t.Errorf("%s\ncomes out as %s, which is ruled out, with\n%+v", text, marks(o, 0), inputs[i])
			}
		}
	})
}

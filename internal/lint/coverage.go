package lint

import (
	"maps"
	"strings"

	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Coverage is what the test cases of a bundle exercise.
type Coverage struct {
	Gates []GateCoverage `json:"gates"`
	Parts []PartCoverage `json:"parts"`
}

// GateCoverage counts the test cases in which a gate came out in each way.
type GateCoverage struct {
	Gate          string         `json:"gate"`
	Passed        int            `json:"passed"`
	Failed        int            `json:"failed"` // no-go or wait
	CannotTell    int            `json:"cannot_tell"`
	NotApplicable int            `json:"not_applicable"`
	Selective     bool           `json:"selective"` // it does not apply to every release
	Add           []string       `json:"add,omitempty"`
	Where         fault.Position `json:"where"`
}

// PartCoverage counts the test cases in which one comparison of a condition was
// true and false, where the gate was weighed.
type PartCoverage struct {
	Gate  string         `json:"gate"`
	Part  string         `json:"part"`
	True  int            `json:"true"`
	False int            `json:"false"`
	Add   []string       `json:"add,omitempty"`
	Where fault.Position `json:"where"`
}

// Share is how many of the ways that gates and comparisons can come out were
// seen, and of how many.
func (c Coverage) Share() (seen, of int) {
	count := func(n int) {
		if of++; n > 0 {
			seen++
		}
	}
	for _, g := range c.Gates {
		count(g.Passed)
		count(g.Failed)
		count(g.CannotTell)
		if g.Selective {
			count(g.NotApplicable)
		}
	}
	for _, p := range c.Parts {
		count(p.True)
		count(p.False)
	}
	return seen, of
}

// Cover runs every test case and says what was not exercised, with the cases
// to add where such inputs are found.
func Cover(p *policy.Program) (Coverage, error) {
	asker, err := p.Asker()
	if err != nil {
		return Coverage{}, err
	}
	l := &linter{p: p, asker: asker, questions: map[string]*policy.Question{}}
	runs := l.runs()
	var c Coverage
	for _, g := range p.Gates() {
		one := GateCoverage{Gate: g.Name, Where: g.Where, Selective: g.Applies != "" || len(g.Governance) == 1}
		for _, r := range runs {
			one.count(r.reasons[g.Name])
		}
		l.suggest(&one, g, runs)
		c.Gates = append(c.Gates, one)
		c.Parts = append(c.Parts, l.parts(g, runs)...)
	}
	return c, nil
}

// run is one test case as it came out.
type run struct {
	name       string
	inputs     policy.Inputs // as gates saw them
	thresholds map[string]float64
	reasons    map[string]policy.Reason
	outcome    policy.Outcome
	test       policy.Case
}

func (l *linter) runs() []run {
	var all []run
	for _, c := range l.p.Cases() {
		all = append(all, l.run(c))
	}
	return all
}

func (l *linter) run(c policy.Case) run {
	o := l.p.Decide(c.Inputs)
	r := run{name: c.Name, inputs: c.Inputs, reasons: map[string]policy.Reason{}, outcome: o, test: c}
	for _, reason := range o.Reasons {
		r.reasons[reason.Gate] = reason
	}
	for _, t := range l.p.ReleaseTypes() {
		if t.Name == o.Type {
			r.thresholds = maps.Clone(t.Thresholds)
		}
	}
	r.inputs.Release.Size, r.inputs.Release.ChangeType, r.inputs.Release.Type = o.Size, o.ChangeType, o.Type
	return r
}

func (g *GateCoverage) count(r policy.Reason) {
	switch r.Verdict {
	case "":
		g.NotApplicable++
	case policy.Go:
		g.Passed++
	case policy.CannotTell:
		g.CannotTell++
	default:
		g.Failed++
	}
}

// parts are the comparisons of a gate's condition.
func (l *linter) parts(g policy.Gate, runs []run) []PartCoverage {
	q := l.ask(g.Condition)
	if q == nil {
		return nil
	}
	var all []PartCoverage
	for _, text := range q.Parts {
		x := l.ask(text)
		if x == nil || len(x.Reads) == 0 {
			continue
		}
		one := PartCoverage{Gate: g.Name, Part: text, Where: g.Where}
		for _, r := range runs {
			if !weighed(x, r.reasons[g.Name]) {
				continue
			}
			if held, told := x.Holds(&r.inputs, r.thresholds); told && held {
				one.True++
			} else if told {
				one.False++
			}
		}
		for _, want := range []bool{true, false} {
			if want && one.True == 0 || !want && one.False == 0 {
				one.Add = append(one.Add, l.find(g, x, runs, func(r run) bool {
					held, told := x.Holds(&r.inputs, r.thresholds)
					return told && held == want && weighed(x, r.reasons[g.Name])
				})...)
			}
		}
		all = append(all, one)
	}
	return all
}

// weighed reports whether a comparison counted in a reason: the condition was
// computed, or the comparison is about what is known, which the engine asks first.
func weighed(x *policy.Question, r policy.Reason) bool {
	known := len(x.Reads) == 1 && (strings.HasSuffix(x.Reads[0], ".known") || x.Reads[0] == "change.complete")
	return r.Code == "passed" || r.Code == "failed" || known && r.Code != ""
}

// suggest finds cases for the ways in which a gate did not come out.
func (l *linter) suggest(c *GateCoverage, g policy.Gate, runs []run) {
	q := l.ask(g.Condition)
	for _, want := range []struct {
		seen int
		ok   func(policy.Reason) bool
	}{
		{c.Passed, func(r policy.Reason) bool { return r.Verdict == policy.Go }},
		{c.Failed, func(r policy.Reason) bool { return r.Verdict == policy.NoGo || r.Verdict == policy.Wait }},
		{c.CannotTell, func(r policy.Reason) bool { return r.Verdict == policy.CannotTell }},
	} {
		if want.seen == 0 {
			c.Add = append(c.Add, l.find(g, q, runs, func(r run) bool {
				reason, applies := r.reasons[g.Name]
				return applies && want.ok(reason)
			})...)
		}
	}
	if c.Selective && c.NotApplicable == 0 {
		x := l.ask(g.Applies)
		c.Add = append(c.Add, l.find(g, x, runs, func(r run) bool { _, applies := r.reasons[g.Name]; return !applies })...)
	}
}

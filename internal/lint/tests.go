package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

// tests finds cases that could be taken out without anything being tested less.
func (l *linter) tests() {
	seen := map[string]string{}
	for _, r := range l.runs() {
		c := r.test
		if c.Verdict != policy.Go && len(c.Reasons) == 0 {
			l.warn(bundle.Problem{Where: c.Where, Code: "policy.test-without-reason", What: fmt.Sprintf("test case %q does not say why", c.Name), Why: fmt.Sprintf("it expects %s for whatever reason, so it passes where another gate is to blame", c.Verdict.Words()), Fix: "name the gates that must not pass under reasons"})
		}
		key := l.covered(r)
		if first, twice := seen[key]; twice {
			l.warn(bundle.Problem{Where: c.Where, Code: "policy.test-covers-nothing", What: fmt.Sprintf("test case %q covers nothing of its own", c.Name), Why: fmt.Sprintf("every gate and comparison comes out as in %q, and no more is expected", first), Fix: "change its inputs so that something else comes out, or delete it"})
			continue
		}
		seen[key] = c.Name
	}
}

// covered is all that a case exercises and expects, as one text.
func (l *linter) covered(r run) string {
	var b strings.Builder
	reasons := slices.Clone(r.test.Reasons)
	slices.Sort(reasons)
	fmt.Fprintln(&b, r.test.Verdict, r.test.Type, reasons, r.outcome.Verdict, r.outcome.Governance, r.outcome.ScopeRule, r.outcome.Size, r.outcome.ChangeType, r.outcome.Type)
	for _, x := range r.outcome.Reasons {
		fmt.Fprintln(&b, x.Gate, x.Code, x.Verdict, x.Why)
	}
	l.trace(&b, r)
	return b.String()
}

// trace writes how every comparison of every condition came out.
func (l *linter) trace(b *strings.Builder, r run) {
	var texts []string
	for _, s := range l.p.ScopeRules() {
		texts = append(texts, s.Match)
	}
	for _, t := range l.p.ReleaseTypes() {
		texts = append(texts, t.When)
	}
	for _, g := range l.p.Gates() {
		texts = append(texts, g.Applies, g.Condition)
	}
	for _, text := range texts {
		q := l.ask(text)
		if q == nil {
			continue
		}
		for _, part := range q.Parts {
			if x := l.ask(part); x != nil {
				held, told := x.Holds(&r.inputs, r.thresholds)
				fmt.Fprint(b, held, told, " ")
			}
		}
	}
}

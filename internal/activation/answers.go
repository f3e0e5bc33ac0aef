package activation

import (
	"signalbox.dev/signalbox/internal/fault"
	"signalbox.dev/signalbox/internal/policy"
)

// Answer is what a test case of a bundle was answered.
type Answer struct {
	Case    string         `json:"case"`
	Verdict policy.Verdict `json:"verdict"`
}

// Answers are those of all test cases, in the order of the bundle.
func Answers(p *policy.Program) []Answer {
	all := []Answer{}
	for _, c := range p.Cases() {
		all = append(all, Answer{c.Name, p.Decide(c.Inputs).Verdict})
	}
	return all
}

// AnswersAs refuses where a test case is answered otherwise than it was. One of an
// included bundle passes with a stricter answer too, so to pass is not enough.
func AnswersAs(p *policy.Program, was []Answer) error {
	cases, is := p.Cases(), Answers(p)
	for i := range is {
		if i >= len(was) || is[i].Case != was[i].Case {
			return fault.Invalidf("policy.answers", "the test cases are others than when the policy was activated").At(cases[i].Where)
		}
		if is[i].Verdict != was[i].Verdict {
			return fault.Invalidf("policy.answers", "test case %q is answered %s", is[i].Case, is[i].Verdict.Words()).
				Because("it was answered " + was[i].Verdict.Words() + " when the policy was activated").At(cases[i].Where)
		}
	}
	return nil
}

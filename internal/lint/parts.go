package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/logic"
)

// operand is a part that and, or or ?: joins with others.
type operand struct {
	*logic.Term
	joint    logic.Joint
	siblings []*logic.Term
}

// pruning looks for parts of one condition without which it comes out the same.
type pruning struct {
	*linter
	*site
	settings []logic.Setting
	gone     map[*logic.Term]bool
	whole    *logic.Term // without what has gone
}

// idleParts finds those parts of a condition that varies without which it would come
// out the same, whatever its inputs and parameters are.
func (l *linter) idleParts(s *site) {
	p := pruning{l, s, bounded(s.settings), map[*logic.Term]bool{}, s.read.Root}
	p.below(s.read.Root)
}

// below looks at the operands of a term, the last first, so that of two that say the
// same the first stays; and then below those that matter.
func (p *pruning) below(t *logic.Term) {
	joint, parts := t.Joins()
	for i, x := range slices.Backward(parts) {
		if joint != logic.Choice || i > 0 {
			p.without(operand{x, joint, parts})
		}
	}
	for _, x := range parts {
		if !p.gone[x] {
			p.below(x)
		}
	}
}

// without tells of an operand if the condition comes out the same without it.
func (p *pruning) without(x operand) {
	p.gone[x.Term] = true
	less := p.read.Root.Without(p.gone)
	if less == nil || !same(p.settings, p.whole, less) {
		delete(p.gone, x.Term)
		return
	}
	p.whole = less
	what, why := p.idle(x)
	p.warn(bundle.Problem{Where: p.atPart(p.site, x.Term), Code: "policy.idle-part", What: fmt.Sprintf("%s %s in %s", p.quote(x.Term), what, p.words()), Why: why, Fix: "leave it out, or correct it" + x.presence(less)})
}

func same(settings []logic.Setting, a, b *logic.Term) bool {
	for i := range settings {
		if !settings[i].Same(a, b) {
			return false
		}
	}
	return true
}

// idle says how and why a part never matters: it is always or never true by itself,
// or beside the others.
func (p *pruning) idle(x operand) (what, why string) {
	is := func(t *logic.Term, o logic.Outcomes) logic.Claim { return logic.Claim{Term: t, Comes: o} }
	neutral, makes, others := logic.True, "false", "it holds wherever %s"
	switch x.joint {
	case logic.Choice:
		if x.siblings[1] == x.Term {
			return "is never looked at", p.quote(x.siblings[0]) + " never holds there"
		}
		return "is never looked at", p.quote(x.siblings[0]) + " always holds there"
	case logic.Or:
		neutral, makes, others = logic.False, "true", "it holds only where %s"
	}
	if never(p.settings, is(x.Term, neutral.Other())) {
		return map[bool]string{true: "always holds", false: "never holds"}[neutral == logic.True], "no value of what it reads makes it " + makes
	}
	beside := slices.DeleteFunc(slices.Clone(x.siblings), func(t *logic.Term) bool { return p.gone[t] })
	decided := func(beside []*logic.Term) bool {
		claims := []logic.Claim{is(x.Term, neutral.Other())}
		for _, t := range beside {
			claims = append(claims, is(t, neutral))
		}
		return never(p.settings, claims...)
	}
	if !decided(beside) {
		return "never matters", "the rest of the condition comes out the same without it"
	}
	beside = fewest(beside, decided)
	holds := p.quotes(beside) + " holds"
	if len(beside) > 1 {
		holds = p.quotes(beside) + " hold"
		if x.joint == logic.Or {
			holds = "one of " + p.quotes(beside) + " holds"
		}
	}
	return "never matters", fmt.Sprintf(others, holds)
}

// presence says how to ask that a section is known, where the part is the only one
// that reads it.
func (x operand) presence(whole *logic.Term) string {
	for _, name := range x.Reads() {
		section, field, dotted := strings.Cut(name, ".")
		if !dotted || field == "known" || section == "param" || section == "threshold" {
			continue
		}
		if !slices.ContainsFunc(whole.Reads(), func(other string) bool { return strings.HasPrefix(other+".", section+".") }) {
			return fmt.Sprintf("; to ask only that %s is known, write %s.known", section, section)
		}
	}
	return ""
}

package prose

import (
	"slices"
	"strings"
)

// verb says what a field that holds a condition does.
type verb struct{ does, no string }

var verbs = map[string]verb{
	"Condition": {"now requires that", "no longer requires that"},
	"Applies":   {"now applies only where", "no longer applies only where"},
	"Match":     {"now matches only where", "no longer matches only where"},
	"When":      {"is now meant only for releases where", "is no longer meant only for releases where"},
}

// narrowing is what a condition does that holds less often than before. Of others
// neither can be told: where no scope rule matches, nothing is let through.
var narrowing = map[string]Mark{"Gate.Condition": Tightened, "Gate.Applies": Loosened, "Relaxation.Match": Tightened}

// conditioned is how a condition changed that reads otherwise than before, and in
// which direction. To read an input more is to know it or not to tell, so nothing
// is looser that reads more, nor stricter that reads less.
func (d *differ) conditioned(kind, field, was, is string) (string, Mark) {
	a, readA, okA := d.a.formula(was)
	b, readB, okB := d.b.formula(is)
	if !okA || !okB {
		return d.said(field, was, is), Changed
	}
	mark := Changed
	narrower, wider := b.implies(a), a.implies(b)
	switch {
	case narrower && wider && !beyond(readA, readB) && !beyond(readB, readA):
		return words(field) + " is written otherwise and means the same, `" + flat(is) + "` instead of `" + flat(was) + "`", Changed
	case narrower != wider && narrowing[kind+"."+field] != "":
		mark = direction(narrower, narrowing[kind+"."+field])
	}
	if mark == Loosened && beyond(readB, readA) || mark == Tightened && beyond(readA, readB) {
		mark = Changed
	}
	if said := reworded(verbs[field], less(a.all(), b.all()), less(b.all(), a.all())); said != "" {
		return said, mark
	}
	return d.said(field, was, is), mark
}

// reworded tells of what a condition asked and what it asks, without what stays;
// "" where that would say less than the whole.
func reworded(v verb, was, is []formula) string {
	switch {
	case len(was) == 1 && len(is) == 1 && was[0].subject != "" && was[0].subject == is[0].subject:
		return v.does + " " + is[0].subject + " is " + is[0].asks + " instead of " + was[0].asks
	case len(was) == 0 && len(is) > 0:
		return v.does + " " + spoken(is)
	case len(is) == 0 && len(was) > 0:
		return v.no + " " + spoken(was)
	}
	return ""
}

// all are the statements that a condition joins with and.
func (a formula) all() []formula {
	switch {
	case a.join == "_&&_":
		return a.parts
	case a.text == "`true`":
		return nil
	}
	return []formula{a}
}

// less are the statements of a that are not among those of b.
func less(a, b []formula) []formula {
	return slices.DeleteFunc(slices.Clone(a), func(x formula) bool {
		return slices.ContainsFunc(b, func(y formula) bool { return x.implies(y) && y.implies(x) })
	})
}

// demanded are the sections that every governed release must have known, whatever
// gates read.
var demanded = []string{"release", "service", "environment"}

// beyond reports whether a reads something that b does not and that may be unknown.
func beyond(a, b map[string]bool) bool {
	for n := range a {
		if section, _, _ := strings.Cut(n, "."); !b[n] && !slices.Contains(demanded, section) {
			return true
		}
	}
	return false
}

// spoken are statements joined with and.
func spoken(all []formula) string {
	var parts []string
	for _, f := range all {
		parts = append(parts, f.said)
	}
	return strings.Join(parts, " and ")
}

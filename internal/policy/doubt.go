package policy

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"
)

// unknowns says why a section cannot be relied on, or "".
func (in *Inputs) unknown(s section) string {
	switch {
	case !*in.known(s):
		return s.String() + " is not known"
	case s == secChange && !in.Change.Complete:
		return "change is not known in full"
	case s == secTests && in.Tests.Total <= 0:
		return "zero tests were run"
	}
	return ""
}

// unsure says why the first of some sections that cannot be relied on cannot, or "".
func (in *Inputs) unsure(all sections) string {
	for s := range all.each {
		if why := in.unknown(s); why != "" {
			return why
		}
	}
	return ""
}

// doubt says why the answer of a rule that selects something (match, when,
// applies) cannot be relied on, or "". There, to read only known of a section
// that is not known is to depend on it.
func (v *values) doubt(r *rule) string {
	if why := cmp.Or(v.in.unsure(r.sections()), v.unloaded(r), v.silence(r)); why != "" {
		return why
	}
	if r.severity && v.in.Findings.Unrated > 0 {
		return "some findings have no severity"
	}
	if r.since && v.in.Release.SubmittedAt.IsZero() {
		return "the release is not submitted"
	}
	return ""
}

// sure evaluates a rule that selects something; why it cannot be told is in words.
func (v *values) sure(r *rule) (held bool, why string) {
	if r.absent() {
		return true, ""
	}
	if why := v.doubt(r); why != "" {
		return false, why
	}
	held, err := v.holds(r)
	if err != nil {
		return false, failure(err)
	}
	return held, ""
}

// failure is why an expression could not be computed, in words.
func failure(err error) string {
	m := words(err.Error())
	switch {
	case errors.Is(err, errBudget) || strings.Contains(m, "cost limit"):
		return "the expression ran out of its budget"
	case strings.Contains(m, "divi") && strings.Contains(m, "zero") || strings.Contains(m, "modulus by zero"):
		return "the expression divides by zero"
	case strings.Contains(m, "overflow"):
		return "a number in the expression is too large"
	case strings.Contains(m, "index out of bounds"), strings.Contains(m, "no such key"):
		return "the expression asks for an item that is not there"
	case strings.Contains(m, "no such attribute"):
		return "a threshold that the expression reads is not set for this release type"
	}
	return "the expression could not be computed"
}

// maxPresence is how many sections that are not known are tried both ways.
const maxPresence = 4

// withstands reports whether a condition that holds would still hold were the
// sections of which it reads known to become known. Else a condition such as
// !tests.known would say go for want of tests.
func (v *values) withstands(r *rule) bool {
	var flip []section
	for s := range r.presence.each {
		if !*v.in.known(s) {
			flip = append(flip, s)
		}
	}
	if len(flip) > maxPresence {
		return false
	}
	for mask := 1; mask < 1<<len(flip); mask++ {
		other := *v.in
		for i, s := range flip {
			*other.known(s) = mask&(1<<i) != 0
		}
		w := *v
		w.in = &other
		if held, _ := w.holds(r); !held { // nor where it cannot be computed
			return false
		}
	}
	return true
}

// sooner is the earlier of two instants, where zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// turn is the instant at which a condition that reads the clock turns, looked
// for a minute apart over MaxPermitTTL, told to the second; zero where it does
// not. A turn and return within one minute is not seen.
func (v *values) turn(r *rule, held bool) time.Time {
	if !r.clock {
		return time.Time{}
	}
	ahead := *v
	ahead.spent = new(uint64)
	var step time.Duration
	for step = time.Minute; ahead.later(r, step) == held; step += time.Minute {
		if step >= MaxPermitTTL {
			return time.Time{}
		}
	}
	low := step - time.Minute
	for step-low > time.Second {
		if mid := low + (step-low)/2; ahead.later(r, mid) == held {
			low = mid
		} else {
			step = mid
		}
	}
	return v.in.Now.Add(step)
}

// later is whether a condition holds some time from now with nothing else changed.
func (v *values) later(r *rule, by time.Duration) bool {
	other := *v.in
	other.Now = other.Now.Add(by)
	for s := range sectionCount {
		if age := other.age(s); age != nil {
			*age += by.Hours()
		}
	}
	w := *v
	w.in = &other
	held, _ := w.holds(r)
	return held
}

// ordinal is n and what it counts.
func ordinal(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

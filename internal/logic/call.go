package logic

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

const hasPrefix = "has."

func isThreshold(name string) bool { return strings.HasPrefix(name, "threshold.") }

func isHas(name string) bool { return strings.HasPrefix(name, hasPrefix) }

// call goes on with what a function makes of values where it does not fail.
func (s *search) call(t *Term, args []value, st *store, k given) bool {
	if s.step() {
		return true
	}
	if len(args) == 0 || computable(args) {
		return s.parted(t, args, len(args), st, k)
	}
	if over, done := s.arithmetic(t, args, st, k); done {
		return over
	}
	switch a := args[0]; t.name {
	case overloads.Size:
		return s.size(t, a, st, k)
	case operators.Add:
		if a.kind == listing && args[1].kind == listing {
			return k(value{kind: listing, list: &list{parts: []*list{a.list, args[1].list}}}, st)
		}
	case operators.Index:
		if a.kind == listing && args[1].kind == whole {
			return s.at(a.list, args[1], t, st, k)
		}
	case overloads.StartsWith, overloads.EndsWith, overloads.Contains, overloads.Matches:
		if b := args[1]; a.kind == text && a.name != "" && b.kind == text && b.name == "" {
			return s.find(t.name, a.name, b.words, st, k)
		}
	case overloads.TypeConvertDouble, overloads.TypeConvertInt, overloads.TypeConvertString, overloads.TypeConvertTimestamp, overloads.TypeConvertDuration:
		if a.kind == t.kind && !a.wild {
			return k(a, st)
		}
		if over, done := s.convert(t, a, st, k); done {
			return over
		}
	}
	if least, most, is := clock(t.name); is && args[0].kind == instant {
		v := s.opaque(t, args, st)
		return st.between(v.num.terms[0].variable, number(least), number(most), func(st *store) bool { return k(v, st) })
	}
	if by, is := lasting(t.name); is && args[0].kind == duration {
		return s.quotient(args[0], by, number(roundedHours), st, k)
	}
	return s.parted(t, args, 0, st, k)
}

// opaque is the result of a function of which nothing is known but that it comes to
// the same for the same values.
func (s *search) opaque(t *Term, args []value, st *store) value {
	if t.name == unread {
		st.made++
		return s.variable(st, t, unread+strconv.Itoa(st.made), "")
	}
	return s.variable(st, t, called(t.name, args), "")
}

func called(function string, args []value) string {
	keys := make([]string, len(args))
	for i, a := range args {
		keys[i] = a.key()
	}
	return brief(function + "(" + strings.Join(keys, ",") + ")")
}

// maxParted is how many values of one argument are told apart.
const maxParted = 16

// parted goes on with a function's result for each value of an argument that has
// few, so that CEL can compute it; with arguments that have many it is opaque.
func (s *search) parted(t *Term, args []value, i int, st *store, k given) bool {
	if i == len(args) || !known(t.name) {
		if computable(args) && known(t.name) {
			v, ok := compute(t.name, args...)
			return ok && k(v, st)
		}
		st = st.clone()
		return k(s.opaque(t, args, st), st)
	}
	return s.fewValues(args[i], st, func(v value, st *store) bool {
		changed := append([]value{}, args...)
		changed[i] = v
		return s.parted(t, changed, i+1, st, k)
	})
}

// fewValues goes on with each value that v can have where they are few, else with v.
func (s *search) fewValues(v value, st *store, k given) bool {
	if v.kind == text && v.name != "" {
		x := st.writings.of[st.writings.root(v.name)]
		if !x.closed || len(x.among) > maxParted {
			return k(v, st)
		}
		for _, words := range x.among {
			if st.text(func(w *writings) bool { return w.is(v.name, words) }, func(st *store) bool { return k(textOf(words), st) }) {
				return true
			}
		}
		return false
	}
	if v.kind != whole || v.wild || v.constant() {
		return k(v, st)
	}
	low, high := st.numbers.ends(v.num)
	if low == nil || high == nil || new(big.Rat).Sub(high, low).Cmp(number(maxParted)) >= 0 {
		return k(v, st)
	}
	for n := ceiling(low, false); n.Cmp(high) <= 0; n = new(big.Rat).Add(n, number(1)) {
		if st.equal(v.num.sub(fixed(n)), func(st *store) bool { return k(sum(whole, fixed(n)), st) }) {
			return true
		}
	}
	return false
}

// find goes on with whether a function finds words in a text.
func (s *search) find(function, name, words string, st *store, k given) bool {
	for _, holds := range []bool{true, false} {
		if st.text(func(w *writings) bool { return w.finds(name, found{function, words, holds}) }, func(st *store) bool { return k(truthOf(holds), st) }) {
			return true
		}
	}
	return false
}

// size goes on with the characters of a text or the items of a list.
func (s *search) size(t *Term, a value, st *store, k given) bool {
	switch a.kind {
	case listing:
		return s.count(a.list, st, func(n linear, st *store) bool { return k(sum(whole, n), st) })
	case text:
		return s.fewValues(a, st, func(v value, st *store) bool {
			if v.name == "" {
				return k(sum(whole, fixed(number(characters(v.words)))), st)
			}
			return k(sum(whole, single(st.lengthOf(v.name, s.longest(st, v.name)))), st)
		})
	}
	v := s.opaque(t, []value{a}, st)
	return st.between(v.num.terms[0].variable, number(0), nil, func(st *store) bool { return k(v, st) })
}

// exactWhole is up to where every whole number is a fraction too.
func exactWhole() *big.Rat { return number(1 << 53) }

// convert goes on with a number of another kind; done is false where nothing is
// known of how it comes about.
func (s *search) convert(t *Term, a value, st *store, k given) (over, done bool) {
	switch {
	case t.kind == fraction && a.kind == whole:
		if exact(a, st) {
			return k(sum(fraction, a.num), st), true
		}
	case t.kind == whole && a.kind == fraction && !a.wild:
		return s.quotient(a, number(1), number(0), st, k), true
	case t.kind == whole && a.kind == duration:
		return k(sum(whole, a.num), st), true
	}
	return false, false
}

// clock is the range of a part of an instant.
func clock(function string) (least, most int64, is bool) {
	switch function {
	case overloads.TimeGetFullYear:
		return 0, 10_000, true
	case overloads.TimeGetMonth:
		return 0, 11, true
	case overloads.TimeGetDayOfYear:
		return 0, 365, true
	case overloads.TimeGetDayOfMonth:
		return 0, 30, true
	case overloads.TimeGetDate:
		return 1, 31, true
	case overloads.TimeGetDayOfWeek:
		return 0, 6, true
	case overloads.TimeGetHours:
		return 0, 23, true
	case overloads.TimeGetMinutes, overloads.TimeGetSeconds:
		return 0, 59, true
	case overloads.TimeGetMilliseconds:
		return 0, 999, true
	}
	return 0, 0, false
}

// roundedHours is by how many nanoseconds CEL may be out where it counts the hours,
// minutes or seconds of a long duration, as it does so with fractions.
const roundedHours = 10_000

// lasting is how many nanoseconds a part of a duration has.
func lasting(function string) (by *big.Rat, is bool) {
	switch function {
	case overloads.TimeGetHours:
		return number(int64(time.Hour)), true
	case overloads.TimeGetMinutes:
		return number(int64(time.Minute)), true
	case overloads.TimeGetSeconds:
		return number(int64(time.Second)), true
	case overloads.TimeGetMilliseconds:
		return number(int64(time.Millisecond)), true
	}
	return nil, false
}

// callFails goes on with the ways in which a function fails on values.
func (s *search) callFails(t *Term, args []value, st *store, k next) bool {
	if total[t.name] && plainly(t, args) {
		return false
	}
	if computable(args) && known(t.name) {
		_, ok := compute(t.name, args...)
		return !ok && k(st)
	}
	if len(args) == 2 && args[0].kind.numeric() && args[1].kind.numeric() {
		switch t.name {
		case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
			return (args[0].wild || args[1].wild) && k(st)
		}
		return t.kind != fraction && s.overflows(t, args, st, k)
	}
	switch t.name {
	case overloads.TypeConvertInt:
		if a := args[0]; a.kind == fraction && !a.wild {
			return st.holds(a.num.sub(fixed(leastWhole())), false, k) || st.holds(fixed(mostWhole()).sub(a.num), false, k)
		}
	case operators.Negate:
		return t.kind != fraction && s.overflows(t, args, st, k)
	case operators.Index:
		if args[0].kind == listing && args[1].kind == whole {
			return st.holds(args[1].num, true, k) ||
				s.count(args[0].list, st, func(n linear, st *store) bool { return st.holds(n.sub(args[1].num), false, k) })
		}
	case operators.Add:
		if args[0].kind == args[1].kind && (args[0].kind == text || args[0].kind == listing) {
			return false
		}
	}
	return s.strange(t, args, st, k)
}

// plainly reports arguments of the kinds for which a total function is total.
func plainly(t *Term, args []value) bool {
	if t.name == operators.Equals || t.name == operators.NotEquals {
		return true
	}
	for _, a := range args {
		if a.kind == anything || a.kind == item {
			return false
		}
	}
	switch t.name {
	case operators.In:
		return args[1].kind == listing
	case overloads.TypeConvertDouble:
		return args[0].kind == whole || args[0].kind == fraction
	case overloads.TypeConvertString:
		return args[0].kind == whole || args[0].kind == truth || args[0].kind == text || args[0].kind == fraction
	}
	return len(args) == 1 || t.kind == truth
}

// overflows goes on with the ways in which a result is beyond what its kind can be,
// or is of a division by 0.
func (s *search) overflows(t *Term, args []value, st *store, k next) bool {
	last := args[len(args)-1].num
	switch t.name {
	case operators.Divide, operators.Modulo:
		return st.equal(last, k) || st.equal(last.add(fixed(number(1))), func(st *store) bool {
			return st.holds(args[0].num.sub(fixed(leastWhole())), false, k)
		})
	case operators.Multiply:
		if low, high := span(&st.numbers, args[0].num, last); low != nil && low.Cmp(leastWhole()) >= 0 && high.Cmp(mostWhole()) <= 0 {
			return false
		}
		if !args[0].constant() && !args[1].constant() {
			return k(st)
		}
	}
	low, high := leastWhole(), mostWhole()
	if t.kind == instant {
		low, high = firstInstant(), lastInstant()
	}
	over, done := s.arithmetic(t, args, st, func(v value, st *store) bool {
		return st.holds(v.num.sub(fixed(low)), true, k) || st.holds(fixed(high).sub(v.num), true, k)
	})
	if !done {
		return s.strange(t, args, st, k)
	}
	return over
}

// strange goes on with a function failing of which it is not known when it does:
// for the same values it always does, or never.
func (s *search) strange(t *Term, args []value, st *store, k next) bool {
	switch {
	case isHas(t.name) && args[0].kind == item:
		return false
	case t.name == unread:
		return k(st)
	}
	return st.truth("fails "+called(t.name, args), true, k)
}

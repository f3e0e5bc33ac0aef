package logic

import (
	"cmp"
	"math/big"
	"slices"

	"cel.dev/cel-go/common/operators"
)

// Outcomes are some of the ways in which a condition can come out.
type Outcomes uint8

// A condition is true, false, or cannot be computed.
const (
	True Outcomes = 1 << iota
	False
	Fails
	anyOutcome = True | False | Fails
)

// not is the outcomes of !x where x has these.
func (o Outcomes) not() Outcomes {
	return o&Fails | o&True<<1 | o&False>>1
}

// assume goes on with every way in which t has one of the outcomes wanted.
func (s *search) assume(t *Term, env []value, want Outcomes, st *store, k next) bool {
	if t.sure {
		if want &^= Fails; want == True|False {
			want = anyOutcome
		}
	}
	switch {
	case want == 0:
		return false
	case want == anyOutcome:
		return k(st)
	case s.step():
		return true
	case t.kind != truth && want&Fails != 0: // it may be something else than true or false
		return k(st)
	}
	switch t.op {
	case opAnd:
		return s.join(t, env, want, st, k, True)
	case opOr:
		return s.join(t, env, want, st, k, False)
	case opNot:
		return s.assume(t.args[0], env, want.not(), st, k)
	case opChoice:
		return s.choose(t, env, st, k, want&Fails != 0, func(branch *Term, st *store) bool {
			return s.assume(branch, env, want, st, k)
		})
	case opExists, opAll, opOne:
		return s.quantify(t, env, want, st, k)
	}
	if want&Fails != 0 && s.fails(t, env, st, k) {
		return true
	}
	for _, is := range []bool{true, false} {
		if (is && want&True != 0 || !is && want&False != 0) && s.atom(t, env, is, st, k) {
			return true
		}
	}
	return false
}

// join goes on with the ways of and (neutral is True) and of or (False). Either is
// neutral where all operands are, the opposite where one is, and else it fails.
func (s *search) join(t *Term, env []value, want Outcomes, st *store, k next, neutral Outcomes) bool {
	opposite := neutral.not()
	order := slices.SortedStableFunc(slices.Values(t.args), func(a, b *Term) int { return cmp.Compare(a.heavy, b.heavy) })
	if want&opposite == 0 && want&neutral != 0 { // neutral, or fails as well: no operand is opposite
		return s.each(order, env, want, st, k)
	}
	if want&neutral != 0 && s.each(order, env, neutral, st, k) {
		return true
	}
	for i, x := range order {
		if want&opposite != 0 && s.assume(x, env, opposite, st, k) {
			return true
		}
		if want&Fails == 0 {
			continue
		}
		sure, others := apart(slices.Delete(slices.Clone(order), i, i+1))
		if s.each(sure, env, neutral, st, func(st *store) bool {
			return s.assume(x, env, Fails, st, func(st *store) bool { return s.each(others, env, neutral|Fails, st, k) })
		}) {
			return true
		}
	}
	return false
}

// apart are the terms that can be computed for all inputs, and the others.
func apart(ts []*Term) (sure, others []*Term) {
	for _, t := range ts {
		if t.sure {
			sure = append(sure, t)
		} else {
			others = append(others, t)
		}
	}
	return sure, others
}

// each goes on with the ways in which all terms have one of the outcomes.
func (s *search) each(ts []*Term, env []value, want Outcomes, st *store, k next) bool {
	if len(ts) == 0 {
		return k(st)
	}
	return s.assume(ts[0], env, want, st, func(st *store) bool { return s.each(ts[1:], env, want, st, k) })
}

// choose goes on with both branches of ?:, and where wanted with the condition
// before it failing.
func (s *search) choose(t *Term, env []value, st *store, k next, failing bool, branch func(*Term, *store) bool) bool {
	return s.assume(t.args[0], env, True, st, func(st *store) bool { return branch(t.args[1], st) }) ||
		s.assume(t.args[0], env, False, st, func(st *store) bool { return branch(t.args[2], st) }) ||
		failing && s.assume(t.args[0], env, Fails, st, k)
}

// atom goes on with the ways in which a term without and, or, not, ?: and macros
// is true or false.
func (s *search) atom(t *Term, env []value, is bool, st *store, k next) bool {
	if t.op != opCall {
		return s.raw(t, env, st, func(v value, st *store) bool { return s.known(v, is, st, k) })
	}
	return s.operands(t.args, env, st, func(args []value, st *store) bool {
		switch t.name {
		case operators.Equals:
			return s.equal(args[0], args[1], is, st, k)
		case operators.NotEquals:
			return s.equal(args[0], args[1], !is, st, k)
		case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
			return s.order(t.name, args[0], args[1], is, st, k)
		case operators.In:
			return s.within(args[0], args[1], is, st, k)
		}
		return s.call(t, args, st, func(v value, st *store) bool { return s.known(v, is, st, k) })
	})
}

// known goes on where a value is true, or false.
func (s *search) known(v value, is bool, st *store, k next) bool {
	switch {
	case v.kind != truth:
		return st.truth(v.key(), is, k)
	case v.name == "":
		return v.yes == is && k(st)
	}
	return st.truth(v.name, is, k)
}

// equal goes on with the ways in which two values are the same, or are not.
func (s *search) equal(a, b value, is bool, st *store, k next) bool {
	switch {
	case a.kind == anything || b.kind == anything || a.kind == item || a.wild || b.wild:
	case comparable(a, b, st):
		if is {
			return st.equal(a.num.sub(b.num), k)
		}
		return st.differs(a.num.sub(b.num), k)
	case a.kind != b.kind && !(a.kind.numeric() && b.kind.numeric()):
		return !is && k(st)
	case a.constant() && b.constant():
		return (a.key() == b.key()) == is && k(st)
	case a.kind == text:
		return s.sameText(a, b, is, st, k)
	case a.kind == listing:
		return s.sameList(a.list, b.list, is, st, k)
	}
	return st.truth(symmetric("==", a, b), is, k)
}

// symmetric is the name of a relation between two values either way round.
func symmetric(relation string, a, b value) string {
	x, y := a.key(), b.key()
	return brief(relation + "(" + min(x, y) + "," + max(x, y) + ")")
}

// comparable reports numbers that CEL compares exactly.
func comparable(a, b value, st *store) bool {
	if a.kind == b.kind {
		return a.kind.numeric() && !a.wild && !b.wild
	}
	if a.kind == fraction {
		a, b = b, a
	}
	return a.kind == whole && b.kind == fraction && !b.wild && exact(a, st)
}

// exact reports a whole number that is a fraction too.
func exact(v value, st *store) bool {
	low, high := st.numbers.ends(v.num)
	return low != nil && high != nil && new(big.Rat).Neg(low).Cmp(exactWhole()) <= 0 && high.Cmp(exactWhole()) <= 0
}

func (s *search) sameText(a, b value, is bool, st *store, k next) bool {
	if a.name == "" {
		a, b = b, a
	}
	switch {
	case b.name == "" && is:
		return st.text(func(w *writings) bool { return w.is(a.name, b.words) }, k)
	case b.name == "":
		return st.text(func(w *writings) bool { return w.isNot(a.name, b.words) }, k)
	case is:
		return st.sameLength(a.name, b.name, func(st *store) bool {
			return st.text(func(w *writings) bool { return w.equal(a.name, b.name) }, k)
		})
	}
	return st.text(func(w *writings) bool {
		w.apart = append(w.apart, [2]string{a.name, b.name})
		return w.differ()
	}, k)
}

// sameLength goes on where two texts can have the same length, if both are measured.
func (st *store) sameLength(a, b string, k next) bool {
	x, y := variable{name: "size(" + st.writings.root(a) + ")"}, variable{name: "size(" + st.writings.root(b) + ")"}
	_, first := st.numbers.low[x]
	_, second := st.numbers.low[y]
	switch {
	case x == y || !second:
		return k(st)
	case !first: // the name that stays is the first, and is measured by what is known of the second
		st = st.clone()
		return st.numbers.between(x, st.numbers.low[y].at, st.numbers.high[y].at) && st.equal(single(x).sub(single(y)), k)
	}
	return st.equal(single(x).sub(single(y)), k)
}

// order goes on with the ways in which one value stands before another, or does not.
func (s *search) order(operator string, a, b value, is bool, st *store, k next) bool {
	if operator == operators.Greater || operator == operators.GreaterEquals {
		a, b = b, a
	}
	strict := operator == operators.Less || operator == operators.Greater
	if !is { // not a < b is b <= a
		a, b, strict = b, a, !strict
	}
	switch {
	case comparable(a, b, st):
		return st.holds(a.num.sub(b.num), strict, k)
	case a.kind == text && b.kind == text:
		return s.textOrder(a, b, strict, st, k)
	}
	name := "<(" + a.key() + "," + b.key() + ")"
	if !strict { // a <= b is not b < a
		name = "<(" + b.key() + "," + a.key() + ")"
	}
	return st.truth(name, strict, k)
}

func (s *search) textOrder(a, b value, strict bool, st *store, k next) bool {
	switch {
	case a.name == "" && b.name == "":
		return (a.words < b.words || !strict && a.words == b.words) && k(st)
	case a.name == "":
		return st.text(func(w *writings) bool {
			return w.change(b.name, func(x *writing) { x.after(border{a.words, strict}) })
		}, k)
	case b.name == "":
		return st.text(func(w *writings) bool {
			return w.change(a.name, func(x *writing) { x.before(border{b.words, strict}) })
		}, k)
	case strict:
		return st.truth("<("+a.name+","+b.name+")", true, k)
	}
	return st.truth("<("+b.name+","+a.name+")", false, k)
}

package logic

import (
	"math/big"

	"cel.dev/cel-go/common/operators"
)

// arithmetic goes on with the result of an operator on numbers; done is false where
// this is none of them.
func (s *search) arithmetic(t *Term, args []value, st *store, k given) (over, done bool) {
	a := args[0]
	if t.name == operators.Negate && a.kind.numeric() && !a.wild {
		return k(sum(a.kind, a.num.times(number(-1))), st), true
	}
	if len(args) != 2 || !a.kind.numeric() || !args[1].kind.numeric() {
		return false, false
	}
	b := args[1]
	if a.kind == fraction && b.kind == fraction {
		return s.fractions(t, a, b, st, k), true
	}
	kind := a.kind
	switch {
	case t.name == operators.Add && b.kind == instant:
		kind = instant
	case t.name == operators.Subtract && b.kind == instant:
		kind = duration
	}
	switch t.name {
	case operators.Add:
		return k(sum(kind, a.num.add(b.num)), st), true
	case operators.Subtract:
		return k(sum(kind, a.num.sub(b.num)), st), true
	case operators.Multiply:
		return s.multiply(t, a, b, st, k), true
	case operators.Divide, operators.Modulo:
		return s.divide(t, a, b, st, k), true
	}
	return false, false
}

// multiply goes on with the product of whole numbers.
func (s *search) multiply(t *Term, a, b value, st *store, k given) bool {
	switch {
	case a.constant():
		return k(sum(whole, b.num.times(a.num.plus)), st)
	case b.constant():
		return k(sum(whole, a.num.times(b.num.plus)), st)
	}
	v := variable{name: symmetric(t.name, a, b)}
	s.meetNumber(st, v, whole, "")
	st = st.clone()
	st.products = append(st.products, multiplied{v, a.num, b.num})
	return st.multiplied(len(st.products)-1) && k(sum(whole, single(v)), st)
}

// multiplied narrows the range of a product by those of its factors.
func (st *store) multiplied(i int) bool {
	p := st.products[i]
	low, high := span(&st.numbers, p.x, p.y)
	return st.numbers.between(p.variable, low, high)
}

// span is the range of the product of two sums; nil where it has no end.
func span(n *numbers, x, y linear) (low, high *big.Rat) {
	a, b := n.ends(x)
	c, d := n.ends(y)
	if a == nil || b == nil || c == nil || d == nil {
		return nil, nil
	}
	for _, e := range []*big.Rat{new(big.Rat).Mul(a, c), new(big.Rat).Mul(a, d), new(big.Rat).Mul(b, c), new(big.Rat).Mul(b, d)} {
		if low == nil || e.Cmp(low) < 0 {
			low = e
		}
		if high == nil || e.Cmp(high) > 0 {
			high = e
		}
	}
	return low, high
}

// divide goes on with the quotient of whole numbers, which CEL rounds towards 0, or
// with what it leaves, which has the sign of what is divided.
func (s *search) divide(t *Term, a, b value, st *store, k given) bool {
	switch {
	case b.constant() && b.num.plus.Sign() == 0:
		return false
	case !b.constant():
		return st.differs(b.num, func(st *store) bool { return s.divideBy(t, a, b, st, k) })
	}
	by := new(big.Rat).Abs(b.num.plus)
	return s.quotient(a, by, number(0), st, func(q value, st *store) bool {
		switch {
		case t.name == operators.Modulo:
			return k(sum(whole, a.num.sub(q.num.times(by))), st)
		case b.num.plus.Sign() < 0:
			return k(sum(whole, q.num.times(number(-1))), st)
		}
		return k(q, st)
	})
}

// divideBy is divide by what is not constant.
func (s *search) divideBy(t *Term, a, b value, st *store, k given) bool {
	v := variable{name: t.name + "(" + a.key() + "," + b.key() + ")"}
	s.meetNumber(st, v, whole, "")
	low, high := st.numbers.ends(a.num)
	if low == nil || high == nil {
		return k(sum(whole, single(v)), st)
	}
	far := new(big.Rat).Neg(low) // neither is further from 0 than what is divided
	if high.Cmp(far) > 0 {
		far = high
	}
	least := new(big.Rat).Neg(far)
	if t.name == operators.Modulo && low.Sign() >= 0 {
		least = number(0)
	}
	return st.between(v, least, far, func(st *store) bool { return k(sum(whole, single(v)), st) })
}

// quotient goes on with a number divided by a constant above 0 and rounded towards
// 0, where rounding may be out by slack of what is divided.
func (s *search) quotient(a value, by, slack *big.Rat, st *store, k given) bool {
	if a.constant() && slack.Sign() == 0 {
		q := new(big.Rat).Quo(a.num.plus, by)
		if q.Sign() < 0 {
			return k(sum(whole, fixed(ceiling(q, false))), st)
		}
		return k(sum(whole, fixed(floor(q))), st)
	}
	v := variable{name: "quo(" + a.key() + "," + by.RatString() + ")"}
	s.meetNumber(st, v, whole, "")
	rest := a.num.sub(single(v).times(by)) // what is left, less than by either way
	low, high := st.numbers.ends(a.num)
	below, above := new(big.Rat).Neg(by), by
	strict := true
	if low != nil && low.Sign() >= 0 {
		below = number(0)
	}
	if high != nil && high.Sign() <= 0 {
		above = number(0)
	}
	below, above = new(big.Rat).Sub(below, slack), new(big.Rat).Add(above, slack)
	return st.holds(fixed(below).sub(rest), strict && below.Sign() != 0, func(st *store) bool {
		return st.holds(rest.sub(fixed(above)), strict && above.Sign() != 0, func(st *store) bool { return k(sum(whole, single(v)), st) })
	})
}

// huge is a bound within which no sum or product of two fractions is infinite.
func huge() *big.Rat { return new(big.Rat).SetFloat64(1e150) }

// fractions goes on with the result of an operator on fractions, which is rounded:
// it is as near to the exact result as fractions of its size allow.
func (s *search) fractions(t *Term, a, b value, st *store, k given) bool {
	name := t.name + "(" + a.key() + "," + b.key() + ")"
	if t.name == operators.Add || t.name == operators.Multiply {
		name = symmetric(t.name, a, b)
	}
	if a.wild || b.wild {
		return k(wildOf(name), st)
	}
	exact, low, high := exactly(t.name, a.num, b.num, &st.numbers)
	if low == nil || high == nil || new(big.Rat).Abs(low).Cmp(huge()) > 0 || new(big.Rat).Abs(high).Cmp(huge()) > 0 {
		return k(wildOf(name), st)
	}
	v := variable{name, true}
	return st.between(v, rounded(low), rounded(high), func(st *store) bool {
		if exact.plus == nil {
			return k(sum(fraction, single(v)), st)
		}
		off := new(big.Rat).Abs(low)
		if h := new(big.Rat).Abs(high); h.Cmp(off) > 0 {
			off = h
		}
		off = off.Mul(off, big.NewRat(1, 1<<52))
		off.Add(off, tiny())
		apart := single(v).sub(exact)
		return st.holds(apart.sub(fixed(off)), false, func(st *store) bool {
			return st.holds(apart.times(number(-1)).sub(fixed(off)), false, func(st *store) bool { return k(sum(fraction, single(v)), st) })
		})
	})
}

// tiny is beyond what rounding can take from a fraction near 0.
func tiny() *big.Rat { return big.NewRat(1, 1<<62) }

// rounded is the fraction nearest to a number.
func rounded(r *big.Rat) *big.Rat {
	f, _ := r.Float64()
	return new(big.Rat).SetFloat64(f)
}

// exactly is the result of an operator before it is rounded, where that is a sum,
// and its range; nil where it has no end.
func exactly(operator string, a, b linear, n *numbers) (exact linear, low, high *big.Rat) {
	constant := func(l linear) bool { return len(l.terms) == 0 }
	switch {
	case operator == operators.Add:
		exact = a.add(b)
	case operator == operators.Subtract:
		exact = a.sub(b)
	case operator == operators.Multiply && constant(a):
		exact = b.times(a.plus)
	case operator == operators.Multiply && constant(b):
		exact = a.times(b.plus)
	case operator == operators.Divide && constant(b) && b.plus.Sign() != 0:
		exact = a.times(new(big.Rat).Inv(b.plus))
	case operator == operators.Multiply:
		low, high = span(n, a, b)
		return linear{}, low, high
	default:
		low, high = ratio(n, a, b)
		return linear{}, low, high
	}
	low, high = n.ends(exact)
	return exact, low, high
}

// ratio is the range of a sum divided by one that cannot be 0; nil where it can.
func ratio(n *numbers, a, b linear) (low, high *big.Rat) {
	c, d := n.ends(b)
	if c == nil || d == nil || c.Sign() <= 0 && d.Sign() >= 0 {
		return nil, nil
	}
	x, y := n.ends(a)
	if x == nil || y == nil {
		return nil, nil
	}
	for _, p := range []*big.Rat{x, y} {
		for _, q := range []*big.Rat{c, d} {
			e := new(big.Rat).Quo(p, q)
			if low == nil || e.Cmp(low) < 0 {
				low = e
			}
			if high == nil || e.Cmp(high) > 0 {
				high = e
			}
		}
	}
	return low, high
}

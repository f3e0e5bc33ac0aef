package logic

import (
	"math/big"
	"slices"
)

// taste is which of several numbers a solution takes.
type taste int

const (
	nearest taste = iota // to 0
	greatest
	central
	tastes
)

// solution is a number for each variable that a way is about; ok is false where
// none is found.
func (n *numbers) solution(of taste) (found map[variable]*big.Rat, ok bool) {
	s, ok := n.solve()
	if !ok || len(s.rows) > 0 {
		return nil, false
	}
	found = map[variable]*big.Rat{}
	for _, g := range slices.Backward(s.gone) {
		low, high := n.low[g.variable], n.high[g.variable]
		for _, r := range g.rows {
			by, rest := r.factor(g.variable), new(big.Rat).Set(r.plus)
			for _, t := range r.terms {
				if t.variable != g.variable {
					rest.Add(rest, new(big.Rat).Mul(t.by, found[t.variable]))
				}
			}
			l := limit{rest.Quo(rest, by).Neg(rest), r.strict}
			switch {
			case by.Sign() > 0 && (high.at == nil || l.at.Cmp(high.at) < 0 || l.at.Cmp(high.at) == 0 && l.open):
				high = l
			case by.Sign() < 0 && (low.at == nil || l.at.Cmp(low.at) > 0 || l.at.Cmp(low.at) == 0 && l.open):
				low = l
			}
		}
		if found[g.variable] = of.pick(g.variable, low, high); found[g.variable] == nil {
			return nil, false
		}
	}
	for v := range n.low {
		if found[v] == nil {
			found[v] = of.pick(v, n.low[v], n.high[v])
		}
	}
	for v := range n.high {
		if found[v] == nil {
			found[v] = of.pick(v, n.low[v], n.high[v])
		}
	}
	return found, true
}

// pick is a number within a range, or nil where there is none.
func (of taste) pick(v variable, low, high limit) *big.Rat {
	if !v.real {
		if low.at != nil {
			low = limit{ceiling(low.at, low.open), false}
		}
		if high.at != nil {
			at := ceiling(new(big.Rat).Neg(high.at), high.open)
			high = limit{at.Neg(at), false}
		}
	}
	bounded := low.at != nil && high.at != nil
	switch {
	case bounded && low.at.Cmp(high.at) > 0:
		return nil
	case of == central && bounded:
		middle := new(big.Rat).Add(low.at, high.at)
		if middle.Mul(middle, big.NewRat(1, 2)); !v.real {
			middle = floor(middle)
		}
		return middle
	case of == greatest && high.at != nil:
		return end(high, low, number(-1))
	case low.at != nil && (low.at.Sign() > 0 || low.at.Sign() == 0 && low.open):
		return end(low, high, number(1))
	case high.at != nil && (high.at.Sign() < 0 || high.at.Sign() == 0 && high.open):
		return end(high, low, number(-1))
	}
	return number(0)
}

// end is that of a range, or where it is open a number towards the other end.
func end(l, other limit, towards *big.Rat) *big.Rat {
	switch {
	case !l.open:
		return l.at
	case other.at == nil:
		return new(big.Rat).Add(l.at, towards)
	case other.at.Cmp(l.at) == 0:
		return nil
	}
	middle := new(big.Rat).Add(l.at, other.at)
	return middle.Mul(middle, big.NewRat(1, 2))
}

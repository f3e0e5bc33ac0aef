package logic

import (
	"math/big"
	"slices"

	"signalbox.dev/signalbox/internal/policy"
)

// Claim is that a part of a condition comes out in one of some ways.
type Claim struct {
	Term  *Term
	Comes Outcomes
}

// Answer says whether claims can hold together.
type Answer int

const (
	Maybe    Answer = iota // it is not decided
	Never                  // no inputs within their domains bring it about
	Possible               // the inputs of an example bring it about
)

// Other is every outcome but these.
func (o Outcomes) Other() Outcomes { return anyOutcome &^ o }

// Same reports that two conditions come out alike whatever the inputs are.
func (w *Setting) Same(a, b *Term) bool {
	for _, o := range []Outcomes{True, False, Fails} {
		if !w.Never(Claim{a, o}, Claim{b, o.Other()}) {
			return false
		}
	}
	return true
}

// Bounds of a search besides its steps: ways that stay open and are tried for an
// example, and ranges cut in two.
const (
	maxOpen = 8
	maxCuts = 60
)

// Never reports that no inputs make all claims hold. Claims are about one release
// at one instant, under the setting.
func (w *Setting) Never(claims ...Claim) bool {
	s := search{setting: w, left: maxSteps}
	s.run(claims, func(*store) bool { return true })
	return !s.open
}

// Example looks for inputs that make all claims hold, as tried confirms.
func (w *Setting) Example(tried func(*policy.Inputs) bool, claims ...Claim) (Answer, *policy.Inputs) {
	s := search{setting: w, left: maxSteps}
	var found *policy.Inputs
	opened := 0
	s.run(claims, func(st *store) bool {
		opened++
		for of := range tastes {
			if in := s.example(st, of); found == nil && in != nil && tried(in) {
				found = in
			}
		}
		return found != nil || opened >= maxOpen
	})
	switch {
	case found != nil:
		return Possible, found
	case s.open:
		return Maybe, nil
	}
	return Never, nil
}

// run follows all ways; each that does not contradict itself is open, and ends the
// search if over says so.
func (s *search) run(claims []Claim, over next) {
	cuts := maxCuts
	s.all(claims, newStore(), func(st *store) bool {
		return s.close(st, &cuts, func(st *store) bool {
			s.open = true
			return over(st)
		})
	})
}

func (s *search) all(claims []Claim, st *store, k next) bool {
	if len(claims) == 0 {
		return k(st)
	}
	return s.assume(claims[0].Term, nil, claims[0].Comes, st, func(st *store) bool { return s.all(claims[1:], st, k) })
}

// close goes on with a way that does not contradict itself. Where it multiplies
// what is not known, or no whole numbers are found that satisfy all sums, ranges
// are cut in two and each half is closed by itself.
func (s *search) close(st *store, cuts *int, k next) bool {
	if s.steps(closing + weighed*len(st.numbers.rows)) {
		return true
	}
	st = st.clone()
	if !st.settle() {
		return false
	}
	for range 3 {
		for i := range st.products {
			if !st.multiplied(i) {
				return false
			}
		}
		if !st.numbers.narrow() {
			return false
		}
	}
	if _, ok := st.numbers.solve(); !ok {
		return false
	}
	v, middle, ok := st.widest()
	if !ok {
		if _, solved := st.numbers.solution(nearest); !solved {
			v, middle, ok = st.numbers.narrowest()
		}
	}
	if !ok || *cuts <= 0 {
		return k(st)
	}
	*cuts--
	half := single(v).sub(fixed(middle))
	return st.holds(half, false, func(st *store) bool { return s.close(st, cuts, k) }) ||
		st.holds(half.times(number(-1)), true, func(st *store) bool { return s.close(st, cuts, k) })
}

// widest is the factor of a product whose range is widest, and the middle of it.
func (st *store) widest() (v variable, middle *big.Rat, ok bool) {
	var wide *big.Rat
	for _, p := range st.products {
		for _, t := range slices.Concat(p.x.terms, p.y.terms) {
			if w, m := st.numbers.width(t.variable); w != nil && (wide == nil || w.Cmp(wide) > 0) {
				v, middle, wide, ok = t.variable, m, w, true
			}
		}
	}
	return v, middle, ok
}

// narrowest is the variable of a row whose range is narrowest, and the middle of it.
func (n *numbers) narrowest() (v variable, middle *big.Rat, ok bool) {
	var narrow *big.Rat
	for _, r := range n.rows {
		for _, t := range r.terms {
			if w, m := n.width(t.variable); w != nil && (narrow == nil || w.Cmp(narrow) < 0) {
				v, middle, narrow, ok = t.variable, m, w, true
			}
		}
	}
	return v, middle, ok
}

// width is how wide the range of a whole number is, and the middle of it; nil where
// it is one number, has no end, or is not of whole numbers.
func (n *numbers) width(v variable) (w, middle *big.Rat) {
	low, high := n.ends(single(v))
	if v.real || low == nil || high == nil || low.Cmp(high) >= 0 {
		return nil, nil
	}
	middle = new(big.Rat).Add(low, high)
	return new(big.Rat).Sub(high, low), floor(middle.Mul(middle, big.NewRat(1, 2)))
}

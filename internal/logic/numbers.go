package logic

import (
	"maps"
	"math/big"
	"slices"
)

// Bounds of weighing sums: rounds of narrowing, rows that elimination may make, and
// how long numbers may become.
const (
	maxRounds = 8
	maxRows   = 300
	maxDigits = 4_000 // binary ones of a factor
)

// limit is one end of a range.
type limit struct {
	at   *big.Rat
	open bool // at itself is outside
}

// numbers are what is taken for granted about numbers: ranges of variables, and
// rows over several. Its methods report false where it contradicts itself.
type numbers struct {
	low, high map[variable]limit
	rows      []row
}

func (n *numbers) clone() numbers {
	return numbers{maps.Clone(n.low), maps.Clone(n.high), n.rows[:len(n.rows):len(n.rows)]}
}

// holds takes for granted that l is at most 0, or less.
func (n *numbers) holds(l linear, strict bool) bool {
	return n.add(row{l, strict}) && n.narrow()
}

// equal takes for granted that l is 0.
func (n *numbers) equal(l linear) bool {
	return n.add(row{l, false}) && n.add(row{l.times(number(-1)), false}) && n.narrow()
}

// between takes for granted that v is in a closed range, whose ends may be nil.
func (n *numbers) between(v variable, low, high *big.Rat) bool {
	return (low == nil || n.raise(v, limit{low, false}) >= 0) && (high == nil || n.lower(v, limit{high, false}) >= 0)
}

func (n *numbers) add(r row) bool {
	switch r = r.tight(); len(r.terms) {
	case 0:
		return !r.broken()
	case 1:
		return n.bound(r.terms[0], r.plus, r.strict) >= 0
	}
	n.rows = append(n.rows, r)
	return true
}

// bound narrows the range of v by: v times its factor, plus rest, is at most 0 or
// less. It is -1 for a contradiction, 1 where the range is narrower now, else 0.
func (n *numbers) bound(v product, rest *big.Rat, strict bool) int {
	end := new(big.Rat).Quo(rest, v.by)
	end.Neg(end)
	if v.by.Sign() > 0 {
		return n.lower(v.variable, limit{end, strict})
	}
	return n.raise(v.variable, limit{end, strict})
}

func (n *numbers) raise(v variable, l limit) int {
	if !v.real {
		l = limit{ceiling(l.at, l.open), false}
	}
	if old, is := n.low[v]; is {
		if c := l.at.Cmp(old.at); c < 0 || c == 0 && (old.open || !l.open) {
			return 0
		}
	}
	n.low[v] = l
	return n.possible(v)
}

func (n *numbers) lower(v variable, l limit) int {
	if !v.real {
		at := ceiling(new(big.Rat).Neg(l.at), l.open)
		l = limit{at.Neg(at), false}
	}
	if old, is := n.high[v]; is {
		if c := l.at.Cmp(old.at); c > 0 || c == 0 && (old.open || !l.open) {
			return 0
		}
	}
	n.high[v] = l
	return n.possible(v)
}

func (n *numbers) possible(v variable) int {
	low, below := n.low[v]
	high, above := n.high[v]
	if below && above {
		if c := low.at.Cmp(high.at); c > 0 || c == 0 && (low.open || high.open) {
			return -1
		}
	}
	return 1
}

// smallest is the least that a product can be, and whether it is reached; ok is
// false where there is no least.
func (n *numbers) smallest(t product) (l limit, ok bool) {
	end, is := n.low[t.variable]
	if t.by.Sign() < 0 {
		end, is = n.high[t.variable]
	}
	if !is {
		return limit{}, false
	}
	return limit{new(big.Rat).Mul(end.at, t.by), end.open}, true
}

// ends are those of the range of a sum; nil where it has none.
func (n *numbers) ends(l linear) (low, high *big.Rat) {
	least := func(l linear) *big.Rat {
		total := new(big.Rat).Set(l.plus)
		for _, t := range l.terms {
			s, ok := n.smallest(t)
			if !ok {
				return nil
			}
			total.Add(total, s.at)
		}
		return total
	}
	low = least(l)
	if high = least(l.times(number(-1))); high != nil {
		high.Neg(high)
	}
	return low, high
}

// narrow draws from the rows what they say of each variable by the ranges of the others.
func (n *numbers) narrow() bool {
	for range maxRounds {
		changed := false
		for _, r := range n.rows {
			for i := range r.terms {
				switch n.squeeze(r, i) {
				case -1:
					return false
				case 1:
					changed = true
				}
			}
		}
		if !changed {
			break
		}
	}
	return true
}

func (n *numbers) squeeze(r row, i int) int {
	rest, strict := new(big.Rat).Set(r.plus), r.strict
	for j, t := range r.terms {
		if j == i {
			continue
		}
		s, ok := n.smallest(t)
		if !ok {
			return 0
		}
		rest.Add(rest, s.at)
		strict = strict || s.open
	}
	return n.bound(r.terms[i], rest, strict)
}

// system is the rows and ranges that an elimination still has to weigh.
type system struct {
	rows []row
	gone []gone // what was eliminated, in order
}

// gone is a variable that was eliminated, with the rows that it stood in.
type gone struct {
	variable
	rows []row
}

// solve eliminates one variable after the other (Fourier and Motzkin). It is false
// where no numbers satisfy all rows; where all rows have gone, or are too many to
// go on, it is true.
func (n *numbers) solve() (system, bool) {
	s := system{rows: slices.Clone(n.rows)}
	vars := map[variable]bool{}
	for _, r := range s.rows {
		for _, t := range r.terms {
			vars[t.variable] = true
		}
	}
	for v := range vars {
		if l, is := n.low[v]; is {
			s.rows = append(s.rows, row{linear{[]product{{v, number(-1)}}, l.at}, l.open})
		}
		if l, is := n.high[v]; is {
			s.rows = append(s.rows, row{linear{[]product{{v, number(1)}}, new(big.Rat).Neg(l.at)}, l.open})
		}
	}
	for len(vars) > 0 && len(s.rows) <= maxRows {
		v, more := s.cheapest(vars)
		if more > maxRows {
			break
		}
		delete(vars, v)
		if !s.eliminate(v) {
			return s, false
		}
		if slices.ContainsFunc(s.rows, row.long) {
			break
		}
	}
	return s, true
}

// cheapest is the variable whose elimination makes fewest rows, and how many more
// there are then; of several the first by name, so that the same is said each time.
func (s *system) cheapest(vars map[variable]bool) (best variable, more int) {
	ups, downs := map[variable]int{}, map[variable]int{}
	for _, r := range s.rows {
		for _, t := range r.terms {
			if t.by.Sign() > 0 {
				ups[t.variable]++
			} else {
				downs[t.variable]++
			}
		}
	}
	for v := range vars {
		cost := ups[v]*downs[v] - ups[v] - downs[v]
		if best.name == "" || cost < more || cost == more && v.name < best.name {
			best, more = v, cost
		}
	}
	return best, more
}

func (s *system) eliminate(v variable) bool {
	var ups, downs, rest []row
	for _, r := range s.rows {
		switch by := r.factor(v); {
		case by == nil:
			rest = append(rest, r)
		case by.Sign() > 0:
			ups = append(ups, r)
		default:
			downs = append(downs, r)
		}
	}
	s.gone = append(s.gone, gone{v, slices.Concat(ups, downs)})
	strictest := map[string]int{}
	for i, r := range rest {
		strictest[r.shape()] = i
	}
	for _, up := range ups {
		for _, down := range downs {
			l := up.times(new(big.Rat).Neg(down.factor(v))).add(down.times(up.factor(v)))
			r := row{l, up.strict || down.strict}.tight()
			if len(r.terms) == 0 {
				if r.broken() {
					return false
				}
				continue
			}
			i, twice := strictest[r.shape()]
			switch {
			case !twice:
				strictest[r.shape()] = len(rest)
				rest = append(rest, r)
			case r.plus.Cmp(rest[i].plus) > 0, r.plus.Cmp(rest[i].plus) == 0 && r.strict:
				rest[i] = r
			}
		}
	}
	s.rows = rest
	return true
}

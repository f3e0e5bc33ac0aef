package logic

import (
	"maps"
	"math/big"
	"slices"
)

// store is what one way takes for granted. A way that parts from another takes a
// clone; only the domain of what is met for the first time is added in place, as
// it holds whichever way is taken.
type store struct {
	numbers  numbers
	writings writings
	truths   map[string]bool
	rolls    map[string]roll
	products []multiplied
	made     int // items of lists that were given a name
}

// roll is what is taken for granted about one list.
type roll struct {
	items []value // some that are in it
	every []visit // what all of them are
}

// multiplied says that a number is the product of two others.
type multiplied struct {
	variable
	x, y linear
}

func newStore() *store {
	return &store{
		numbers:  numbers{low: map[variable]limit{}, high: map[variable]limit{}},
		writings: writings{of: map[string]writing{}, same: map[string]string{}},
		truths:   map[string]bool{}, rolls: map[string]roll{},
	}
}

func (st *store) clone() *store {
	return &store{st.numbers.clone(), st.writings.clone(), maps.Clone(st.truths), maps.Clone(st.rolls), slices.Clip(st.products), st.made}
}

// truth goes on where a name can be true or false.
func (st *store) truth(name string, is bool, k next) bool {
	if old, told := st.truths[name]; told {
		return old == is && k(st)
	}
	st = st.clone()
	st.truths[name] = is
	return k(st)
}

// holds goes on where l can be at most 0, or less.
func (st *store) holds(l linear, strict bool, k next) bool {
	st = st.clone()
	return st.numbers.holds(l, strict) && k(st)
}

// equal goes on where l can be 0.
func (st *store) equal(l linear, k next) bool {
	st = st.clone()
	return st.numbers.equal(l) && k(st)
}

// differs goes on where l can be other than 0.
func (st *store) differs(l linear, k next) bool {
	return st.holds(l, true, k) || st.holds(l.times(number(-1)), true, k)
}

// range of a number that stands for something that is computed.
func (st *store) between(v variable, low, high *big.Rat, k next) bool {
	st = st.clone()
	return st.numbers.between(v, low, high) && st.numbers.narrow() && k(st)
}

// text goes on where a change of what is taken for granted about texts can be.
func (st *store) text(change func(*writings) bool, k next) bool {
	st = st.clone()
	return change(&st.writings) && k(st)
}

// lengthOf is the number of characters of a text.
func (st *store) lengthOf(name string, longest int64) variable {
	v := variable{name: "size(" + st.writings.root(name) + ")"}
	if _, met := st.numbers.low[v]; !met {
		st.numbers.between(v, number(0), number(longest))
	}
	return v
}

// settle sees whether all that is taken for granted can stand together; it is
// false where it cannot.
func (st *store) settle() bool {
	for range 2 {
		for name := range st.writings.of {
			if !st.measure(name) {
				return false
			}
		}
	}
	return st.numbers.narrow()
}

// measure brings together what a text can be and how long it is.
func (st *store) measure(name string) bool {
	v := variable{name: "size(" + name + ")"}
	if _, measured := st.numbers.low[v]; !measured {
		return true
	}
	low, high := st.numbers.low[v].at.Num().Int64(), st.numbers.high[v].at.Num().Int64()
	ok := st.writings.change(name, func(x *writing) {
		switch {
		case x.closed:
			x.among = slices.DeleteFunc(slices.Clone(x.among), func(s string) bool { n := characters(s); return n < low || n > high })
		case high == 0:
			x.closed, x.among = true, []string{""}
		case low > 0:
			x.not = append(slices.Clip(x.not), "")
		}
	})
	if !ok {
		return false
	}
	x := st.writings.of[name]
	least, most := x.length()
	if most >= 0 && !st.numbers.between(v, nil, number(int64(most))) {
		return false
	}
	return st.numbers.between(v, number(int64(least)), nil)
}

// characters is the size of a text as CEL counts it.
func characters(s string) int64 { return int64(len([]rune(s))) }

package logic

import (
	"math/big"
	"slices"
	"strings"
)

// variable is a number that is not known.
type variable struct {
	name string
	real bool // else it is whole
}

// product is a variable times a factor.
type product struct {
	variable
	by *big.Rat // not 0
}

// linear is a sum of products and a constant. It is immutable.
type linear struct {
	terms []product // by name
	plus  *big.Rat
}

func fixed(r *big.Rat) linear { return linear{plus: r} }

func single(v variable) linear {
	return linear{[]product{{v, number(1)}}, number(0)}
}

func (l linear) String() string {
	var b strings.Builder
	b.WriteString(l.plus.RatString())
	for _, t := range l.terms {
		b.WriteString("+" + t.by.RatString() + "*" + t.name)
	}
	return b.String()
}

// times is l multiplied by a number.
func (l linear) times(by *big.Rat) linear {
	if by.Sign() == 0 {
		return fixed(by)
	}
	m := linear{make([]product, len(l.terms)), new(big.Rat).Mul(l.plus, by)}
	for i, t := range l.terms {
		m.terms[i] = product{t.variable, new(big.Rat).Mul(t.by, by)}
	}
	return m
}

func (l linear) add(m linear) linear {
	s := linear{make([]product, 0, len(l.terms)+len(m.terms)), new(big.Rat).Add(l.plus, m.plus)}
	a, b := l.terms, m.terms
	for len(a) > 0 && len(b) > 0 {
		switch c := strings.Compare(a[0].name, b[0].name); {
		case c < 0:
			s.terms, a = append(s.terms, a[0]), a[1:]
		case c > 0:
			s.terms, b = append(s.terms, b[0]), b[1:]
		default:
			if by := new(big.Rat).Add(a[0].by, b[0].by); by.Sign() != 0 {
				s.terms = append(s.terms, product{a[0].variable, by})
			}
			a, b = a[1:], b[1:]
		}
	}
	s.terms = append(append(s.terms, a...), b...)
	return s
}

func (l linear) sub(m linear) linear { return l.add(m.times(number(-1))) }

// factor is that of a variable, or nil.
func (l linear) factor(v variable) *big.Rat {
	if i := slices.IndexFunc(l.terms, func(t product) bool { return t.variable == v }); i >= 0 {
		return l.terms[i].by
	}
	return nil
}

// shape is the same for sums that differ in their constants alone.
func (l linear) shape() string {
	var b strings.Builder
	for _, t := range l.terms {
		b.WriteString(t.by.RatString() + "*" + t.name + "+")
	}
	return b.String()
}

// row says that a sum is at most 0, or less than 0.
type row struct {
	linear
	strict bool
}

// tight is the row in its simplest form: where all its variables are whole, so are
// its factors, without a common divisor, and the constant is rounded to what whole
// numbers allow. Else the first factor is 1 or -1.
func (r row) tight() row {
	if len(r.terms) == 0 {
		return r
	}
	if slices.ContainsFunc(r.terms, func(t product) bool { return t.real }) {
		by := new(big.Rat).Inv(r.terms[0].by)
		return row{r.times(by.Abs(by)), r.strict}
	}
	common, divisor := big.NewInt(1), new(big.Int)
	for _, t := range r.terms {
		d := t.by.Denom()
		common.Mul(common, new(big.Int).Div(d, new(big.Int).GCD(nil, nil, common, d)))
	}
	for _, t := range r.terms {
		n := new(big.Rat).Mul(t.by, new(big.Rat).SetInt(common)).Num()
		divisor.GCD(nil, nil, divisor, new(big.Int).Abs(n))
	}
	l := r.times(new(big.Rat).SetFrac(common, divisor))
	l.plus = ceiling(l.plus, r.strict)
	return row{l, false}
}

// ceiling is the least whole number that is not less than r, or greater than it.
func ceiling(r *big.Rat, greater bool) *big.Rat {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() > 0 || greater {
		q.Add(q, big.NewInt(1))
	}
	return new(big.Rat).SetInt(q)
}

// floor is the greatest whole number that is not greater than r.
func floor(r *big.Rat) *big.Rat {
	q, _ := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	return new(big.Rat).SetInt(q)
}

// long reports numbers that are dear to calculate with.
func (r row) long() bool {
	return r.plus.Num().BitLen() > maxDigits || r.plus.Denom().BitLen() > maxDigits ||
		slices.ContainsFunc(r.terms, func(t product) bool { return t.by.Num().BitLen() > maxDigits || t.by.Denom().BitLen() > maxDigits })
}

// broken reports that a row without variables does not hold.
func (r row) broken() bool {
	return len(r.terms) == 0 && (r.plus.Sign() > 0 || r.strict && r.plus.Sign() == 0)
}

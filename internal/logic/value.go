package logic

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// value is what a term comes to along one way: a constant, or something with a
// name that may be this or that.
type value struct {
	kind  kind
	name  string // of what is not constant; "" of a constant and of numbers
	path  string // of an item or text: the name of its domain
	yes   bool   // a constant of truth
	words string // a constant text
	num   linear // a number
	wild  bool   // a fraction that may be infinite or not a number; num says nothing
	list  *list
}

func truthOf(b bool) value       { return value{kind: truth, yes: b} }
func textOf(s string) value      { return value{kind: text, words: s} }
func wildOf(name string) value   { return value{kind: fraction, name: name, wild: true} }
func sum(k kind, n linear) value { return value{kind: k, num: n} }

// constant reports that v is one value, which CEL can be given.
func (v value) constant() bool {
	switch v.kind {
	case truth, text:
		return v.name == ""
	case whole, fraction, instant, duration:
		return !v.wild && len(v.num.terms) == 0
	}
	return false
}

// key is the same for values that are the same.
func (v value) key() string {
	switch {
	case v.kind == listing:
		return v.list.key()
	case v.name != "":
		return v.name
	case v.kind == truth:
		return strconv.FormatBool(v.yes)
	case v.kind == text:
		return strconv.Quote(v.words)
	}
	return brief(fmt.Sprintf("%d:%s", v.kind, v.num))
}

// fromCEL is a constant of CEL.
func fromCEL(v ref.Val) value {
	switch x := v.(type) {
	case types.Bool:
		return truthOf(bool(x))
	case types.String:
		return textOf(string(x))
	case types.Int:
		return sum(whole, fixed(number(int64(x))))
	case types.Double:
		if r := new(big.Rat).SetFloat64(float64(x)); r != nil {
			return sum(fraction, fixed(r))
		}
		return wildOf(fmt.Sprint(float64(x)))
	case types.Duration:
		return sum(duration, fixed(number(int64(x.Duration))))
	case types.Timestamp:
		return sum(instant, fixed(nanoseconds(x.Time)))
	}
	return value{kind: anything, name: fmt.Sprintf("%T %v", v, v.Value())}
}

// toCEL is a constant as CEL has it.
func (v value) toCEL() ref.Val {
	switch v.kind {
	case truth:
		return types.Bool(v.yes)
	case text:
		return types.String(v.words)
	case whole:
		return types.Int(v.num.plus.Num().Int64())
	case fraction:
		f, _ := v.num.plus.Float64()
		return types.Double(f)
	case duration:
		return types.Duration{Duration: time.Duration(v.num.plus.Num().Int64())}
	}
	return types.Timestamp{Time: timeOf(v.num.plus)}
}

// nanoseconds is an instant as a number.
func nanoseconds(t time.Time) *big.Rat {
	n := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(1e9))
	return new(big.Rat).SetInt(n.Add(n, big.NewInt(int64(t.Nanosecond()))))
}

// timeOf is the instant of a number, in UTC.
func timeOf(r *big.Rat) time.Time {
	sec, nsec := new(big.Int).DivMod(r.Num(), big.NewInt(1e9), new(big.Int))
	return time.Unix(sec.Int64(), nsec.Int64()).UTC()
}

// The ends of what instants and whole numbers can be; lastClock is beyond any that a
// clock tells.
func firstInstant() *big.Rat { return nanoseconds(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)) }

func lastInstant() *big.Rat {
	return nanoseconds(time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC))
}
func lastClock() *big.Rat  { return nanoseconds(time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)) }
func leastWhole() *big.Rat { return number(math.MinInt64) }
func mostWhole() *big.Rat  { return number(math.MaxInt64) }

// list is a list, as the inputs have it or as it is made of others.
type list struct {
	name  string  // of a list of the inputs, or of one that is not known
	path  string  // the name of its domain
	of    kind    // its items, before filters and maps
	items []value // where it is written out
	parts []*list // where it is joined
	steps []step  // what filter and map made of it, first to last
}

// step is one filter or map.
type step struct {
	keeps bool // filter; else map
	body  *Term
	env   []value // of the variables around
}

func (l *list) key() string {
	var b strings.Builder
	b.WriteString("[" + l.name)
	for _, v := range l.items {
		b.WriteString(v.key() + ",")
	}
	for _, p := range l.parts {
		b.WriteString(p.key() + "+")
	}
	for _, s := range l.steps {
		fmt.Fprintf(&b, "|%v %s%s", s.keeps, s.body.canon, around(s.body, s.env))
	}
	return brief(b.String() + "]")
}

// longestName is how long a name may be before its digest stands for it: what is
// computed of the same thing over and over would have names that double each time.
const longestName = 200

func brief(name string) string {
	if len(name) <= longestName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:])
}

// around is the key of the variables that a term reads from outside.
func around(t *Term, env []value) string {
	var b strings.Builder
	for i := t.least; i < len(env); i++ {
		b.WriteString("@" + env[i].key())
	}
	return brief(b.String())
}

// then is the list after one more step.
func (l *list) then(s step) *list {
	more := *l
	more.steps = append(l.steps[:len(l.steps):len(l.steps)], s)
	return &more
}

// bare is the list before filters and maps.
func (l *list) bare() *list {
	less := *l
	less.steps = nil
	return &less
}

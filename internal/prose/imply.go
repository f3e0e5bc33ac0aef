package prose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// formula is a condition as far as it is understood: statements joined with and
// and or. A statement that is not understood is the same as itself alone.
type formula struct {
	join  string    // "_&&_" or "_||_", of parts; "" of one statement
	parts []formula // at least two
	text  string    // of a statement, as it is written and its parameters set
	said  string    // in words
	not   bool      // the statement must not hold

	compared string   // what a comparison is of, as it is written; "" of any other statement
	subject  string   // the same in words
	asks     string   // what the comparison asks of it, in words
	among    []string // texts one of which it asks for; nil where it asks for a number
	within   bounds   // numbers that it asks for
}

// bounds are the numbers from low to high, or all but low.
type bounds struct {
	low, high         float64
	lowOpen, highOpen bool // the end itself is not among them
	without           bool
}

// formula takes a condition apart and says which inputs it reads; false where it
// cannot be parsed. No condition at all always holds.
func (s *speaker) formula(text string) (f formula, reads map[string]bool, ok bool) {
	if text == "" {
		text = "true"
	}
	parsed, issues := s.parser.Parse(text)
	if issues.Err() != nil {
		return f, nil, false
	}
	tree := parsed.NativeRep()
	s.info, reads = tree.SourceInfo(), map[string]bool{}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if n := name(x); s.meanings[n].Name != "" {
			reads[n] = true
		}
	}))
	return s.taken(tree.Expr()), reads, true
}

func (s *speaker) taken(x ast.Expr) formula {
	if x.Kind() != ast.CallKind {
		return formula{text: s.valued(x), said: s.statement(x, true)}
	}
	switch op := x.AsCall().FunctionName(); op {
	case "_&&_", "_||_":
		whole := formula{join: op, said: s.statement(x, true)}
		for _, one := range operands(x, op) {
			whole.parts = append(whole.parts, s.taken(one))
		}
		return whole
	case "!_":
		if one := s.taken(x.AsCall().Args()[0]); one.join == "" && one.compared == "" {
			one.not, one.said = !one.not, s.statement(x, true)
			return one
		}
	}
	f := formula{text: s.valued(x), said: s.statement(x, true)}
	s.comparison(&f, x.AsCall())
	return f
}

// mirrored are the comparisons read from right to left.
var mirrored = map[string]string{"_==_": "_==_", "_!=_": "_!=_", "_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}

// comparison fills what is compared, where that is an input and what it is
// compared with does not vary, or is named the same.
func (s *speaker) comparison(f *formula, call ast.CallExpr) {
	args, op := call.Args(), call.FunctionName()
	if op == "@in" && args[1].Kind() == ast.ListKind {
		var among, said []string
		for _, e := range args[1].AsList().Elements() {
			text, is := s.fixed(e).(string)
			if !is {
				return
			}
			among, said = append(among, text), append(said, s.value(e))
		}
		f.compared, f.subject, f.asks, f.among = s.valued(args[0]), s.value(args[0]), "one of "+strings.Join(said, ", "), among
		return
	}
	if mirrored[op] == "" {
		return
	}
	what, with := args[0], args[1]
	if s.fixed(what) != nil {
		what, with, op = with, what, mirrored[op]
	}
	compared := s.valued(what)
	switch v := s.fixed(with).(type) {
	case string:
		if op != "_==_" {
			return
		}
		f.among = []string{v}
	case float64:
		f.within = boundsOf(op, v, s.whole(what))
	case nil:
		compared += " and " + s.valued(with)
		f.within = boundsOf(op, 0, false)
	default:
		return
	}
	f.compared, f.subject, f.asks = compared, s.value(what), strings.TrimPrefix(comparisons[op]+" "+s.value(with), "is ")
}

// fixed is a number or a text that does not vary from release to release; nil
// where it may. A parameter is what the bundle sets it to.
func (s *speaker) fixed(x ast.Expr) any {
	var v any
	if x.Kind() == ast.LiteralKind {
		v = x.AsLiteral().Value()
	} else if p, is := strings.CutPrefix(name(x), "param."); is {
		v = s.params[p].Value
	}
	switch v := v.(type) {
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case uint64:
		return float64(v)
	}
	return v
}

// valued is an expression as it is written, with the parameters that it reads as
// the bundle sets them.
func (s *speaker) valued(x ast.Expr) string {
	text := s.code(x)
	ast.PostOrderVisit(x, ast.NewExprVisitor(func(x ast.Expr) {
		if p, is := strings.CutPrefix(name(x), "param."); is {
			text += fmt.Sprintf(", %s %v", p, s.params[p].Value)
		}
	}))
	return text
}

// whole reports whether an expression is of whole numbers.
func (s *speaker) whole(x ast.Expr) bool {
	return s.meanings[name(x)].Type == "int" || x.Kind() == ast.CallKind && x.AsCall().FunctionName() == "size"
}

// boundsOf is the numbers that compare with one as op asks.
func boundsOf(op string, with float64, whole bool) bounds {
	s := bounds{low: math.Inf(-1), high: math.Inf(1)}
	switch op {
	case "_==_":
		s.low, s.high = with, with
	case "_!=_":
		return bounds{low: with, without: true}
	case "_<_", "_<=_":
		s.high, s.highOpen = with, op == "_<_"
	case "_>_", "_>=_":
		s.low, s.lowOpen = with, op == "_>_"
	}
	if !whole {
		return s
	}
	if s.high != math.Inf(1) { // of whole numbers, less than 3 is at most 2
		if s.highOpen {
			s.high = math.Ceil(s.high) - 1
		}
		s.high = math.Floor(s.high)
	}
	if s.low != math.Inf(-1) {
		if s.lowOpen {
			s.low = math.Floor(s.low) + 1
		}
		s.low = math.Ceil(s.low)
	}
	s.highOpen, s.lowOpen = false, false
	return s
}

// inside reports whether all numbers of a are in b.
func (a bounds) inside(b bounds) bool {
	if b.without {
		in := a.low < b.low || a.low == b.low && !a.lowOpen
		in = in && (b.low < a.high || b.low == a.high && !a.highOpen)
		return a.without && a.low == b.low || !a.without && !in
	}
	low := b.low < a.low || b.low == a.low && (!b.lowOpen || a.lowOpen)
	high := a.high < b.high || a.high == b.high && (!b.highOpen || a.highOpen)
	return !a.without && low && high
}

// implies reports whether b holds wherever a does. It says no where it does not know.
func (a formula) implies(b formula) bool {
	every := func(f formula, holds func(formula) bool) bool {
		return !slices.ContainsFunc(f.parts, func(x formula) bool { return !holds(x) })
	}
	switch {
	case b.join == "_&&_":
		return every(b, a.implies)
	case a.join == "_||_":
		return every(a, func(x formula) bool { return x.implies(b) })
	case a.join == "_&&_" && slices.ContainsFunc(a.parts, func(x formula) bool { return x.implies(b) }):
		return true
	case b.join == "_||_":
		return slices.ContainsFunc(b.parts, a.implies)
	case a.join != "":
		return false
	case b.text == "`true`" && !b.not || a.text == "`false`" && !a.not:
		return true
	case a.text == b.text && a.not == b.not:
		return true
	case a.compared == "" || a.compared != b.compared:
		return false
	case a.among != nil || b.among != nil:
		return a.among != nil && b.among != nil && within(a.among, b.among)
	}
	return a.within.inside(b.within)
}

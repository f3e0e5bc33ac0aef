// Package predicate makes the commonest conditions ready to run without an
// interpreter: comparisons, and, or, not, sums and membership over the numbers,
// texts and lists of a struct, and over constants, and one walk through such a
// list. Every other expression, and every value that it is not sure of, it leaves
// to CEL, which checked the expression and can run any.
//
// Invariant: where it answers, it answers as CEL does.
package predicate

import (
	"cmp"
	"math"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
)

// Subject is what a condition is asked of.
type Subject struct {
	Inputs  reflect.Value      // of the struct whose fields are read
	Numbers map[string]float64 // those that are not the same for every subject

	item reflect.Value // of the list that is walked through
}

// Predicate is a condition made ready. It answers where told is true.
type Predicate func(s *Subject) (held, told bool)

// Meaning is what a name in an expression stands for: a field of the struct,
// one of the subject's numbers, or else a constant.
type Meaning struct {
	Index    []int
	Number   string
	Constant any // a text, a truth value or a float64
}

// Names are the names of a language, by what they stand for.
type Names struct {
	Type  reflect.Type // of the struct
	Of    func(name string) (Meaning, bool)
	Field func(t reflect.Type, name string) (index int, known bool) // of an item of a list

	itemName string // of the list that is walked through
	item     reflect.Type
}

// Of is the condition as a predicate, nil where it is none of those that are
// made ready.
func Of(x ast.Expr, names Names) Predicate {
	held, _ := names.term(x).(truth)
	return Predicate(held)
}

// A term computes one part of a condition; ok is false where CEL must be asked.
type (
	truth  func(s *Subject) (_ bool, ok bool)
	whole  func(s *Subject) (_ int64, ok bool)
	number func(s *Subject) (_ float64, ok bool)
	text   func(s *Subject) string
	texts  func(s *Subject) reflect.Value // a list
)

// term is x as one of the above, or nil.
func (n Names) term(x ast.Expr) any {
	switch x.Kind() {
	case ast.LiteralKind:
		return constant(x.AsLiteral().Value())
	case ast.IdentKind:
		if x.AsIdent() == n.itemName {
			return n.itself()
		}
		return n.named(strings.TrimPrefix(x.AsIdent(), "."))
	case ast.SelectKind:
		sel := x.AsSelect()
		switch operand := sel.Operand().AsIdent(); {
		case operand == "" || sel.IsTestOnly():
			return nil
		case operand == n.itemName:
			return n.ofItem(sel.FieldName())
		default:
			return n.named(strings.TrimPrefix(operand, ".") + "." + sel.FieldName())
		}
	case ast.ComprehensionKind:
		return n.walk(x.AsComprehension())
	case ast.ListKind:
		return list(x.AsList())
	case ast.CallKind:
		call, args := x.AsCall(), x.AsCall().Args()
		if call.IsMemberFunction() {
			args = append([]ast.Expr{call.Target()}, args...)
		}
		terms := make([]any, len(args))
		for i, a := range args {
			if terms[i] = n.term(a); terms[i] == nil {
				return nil
			}
		}
		switch {
		case len(terms) == 1:
			return unary(call.FunctionName(), terms[0])
		case call.FunctionName() == "matches":
			return matches(terms[0], args[1])
		case len(terms) == 2:
			return binary(call.FunctionName(), terms[0], terms[1])
		}
	}
	return nil
}

func constant(value any) any {
	switch c := value.(type) {
	case bool:
		return truth(func(*Subject) (bool, bool) { return c, true })
	case int64:
		return whole(func(*Subject) (int64, bool) { return c, true })
	case float64:
		return number(func(*Subject) (float64, bool) { return c, true })
	case string:
		return text(func(*Subject) string { return c })
	}
	return nil
}

// list is a list of texts as they are written.
func list(l ast.ListExpr) any {
	all := []string{}
	for _, x := range l.Elements() {
		if x.Kind() != ast.LiteralKind {
			return nil
		}
		one, is := x.AsLiteral().Value().(string)
		if !is {
			return nil
		}
		all = append(all, one)
	}
	fixed := reflect.ValueOf(all)
	return texts(func(*Subject) reflect.Value { return fixed })
}

func (n Names) named(name string) any {
	m, known := n.Of(name)
	switch {
	case !known:
		return nil
	case m.Number != "":
		return number(func(s *Subject) (float64, bool) { f, set := s.Numbers[m.Number]; return f, set })
	case len(m.Index) != 2:
		return constant(m.Constant)
	}
	return read(n.Type.FieldByIndex(m.Index).Type, input(m.Index))
}

// input is a field of a section.
func input(index []int) func(*Subject) reflect.Value {
	i, j := index[0], index[1]
	return func(s *Subject) reflect.Value { return s.Inputs.Field(i).Field(j) }
}

// read is a value of a type as a term.
func read(t reflect.Type, of func(*Subject) reflect.Value) any {
	switch t.Kind() {
	case reflect.Bool:
		return truth(func(s *Subject) (bool, bool) { return of(s).Bool(), true })
	case reflect.Int:
		return whole(func(s *Subject) (int64, bool) { return of(s).Int(), true })
	case reflect.Float64:
		return number(func(s *Subject) (float64, bool) { return of(s).Float(), true })
	case reflect.String:
		return text(func(s *Subject) string { return of(s).String() })
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return texts(of)
		}
	}
	return nil
}

// matches is whether a text matches a pattern as it is written.
func matches(x any, pattern ast.Expr) any {
	subject, is := x.(text)
	if !is || pattern.Kind() != ast.LiteralKind {
		return nil
	}
	written, _ := pattern.AsLiteral().Value().(string)
	r, err := regexp.Compile(written)
	if err != nil {
		return nil
	}
	return truth(func(s *Subject) (bool, bool) { return r.MatchString(subject(s)), true })
}

func unary(function string, x any) any {
	switch x := x.(type) {
	case truth:
		if function == "!_" {
			return truth(func(s *Subject) (bool, bool) { held, ok := x(s); return !held, ok })
		}
	case whole:
		if function == "double" {
			return number(func(s *Subject) (float64, bool) { n, ok := x(s); return float64(n), ok })
		}
	case number:
		if function == "double" {
			return x
		}
	case text:
		if function == "size" {
			return whole(func(s *Subject) (int64, bool) { return int64(utf8.RuneCountInString(x(s))), true })
		}
	case texts:
		if function == "size" {
			return whole(func(s *Subject) (int64, bool) { return int64(x(s).Len()), true })
		}
	case tally:
		if function == "size" {
			return whole(x)
		}
	}
	return nil
}

func binary(function string, a, b any) any {
	switch a := a.(type) {
	case truth:
		if b, is := b.(truth); is {
			return joined(function, a, b)
		}
	case whole:
		switch b := b.(type) {
		case whole:
			if compared := comparison(function, a, b); compared != nil {
				return compared
			}
			return sum(function, a, b)
		case number:
			return nilIfNot(comparison(function, a.widened(), b.ordered()))
		}
	case number:
		switch b := b.(type) {
		case whole:
			return nilIfNot(comparison(function, a.ordered(), b.widened()))
		case number:
			if compared := comparison(function, a.ordered(), b.ordered()); compared != nil {
				return compared
			}
			return product(function, a, b)
		}
	case text:
		switch b := b.(type) {
		case text:
			return words(function, a, b)
		case texts:
			if function == "@in" {
				return truth(func(s *Subject) (bool, bool) { return contains(b(s), a(s)), true })
			}
		}
	}
	return nil
}

// nilIfNot is a term, nil where there is no truth.
func nilIfNot(t truth) any {
	if t == nil {
		return nil
	}
	return t
}

func joined(function string, a, b truth) any {
	stop := function == "_||_" // what a must be for b not to matter
	switch function {
	case "_&&_", "_||_":
		return truth(func(s *Subject) (bool, bool) {
			if held, ok := a(s); !ok || held == stop {
				return held, ok
			}
			return b(s)
		})
	}
	return nil
}

// comparison is nil where the function does not compare.
func comparison[T cmp.Ordered](function string, a, b func(*Subject) (T, bool)) truth {
	var is func(a, b T) bool
	switch function {
	case "_==_":
		is = func(a, b T) bool { return a == b }
	case "_!=_":
		is = func(a, b T) bool { return a != b }
	case "_<_":
		is = func(a, b T) bool { return a < b }
	case "_<=_":
		is = func(a, b T) bool { return a <= b }
	case "_>_":
		is = func(a, b T) bool { return a > b }
	case "_>=_":
		is = func(a, b T) bool { return a >= b }
	default:
		return nil
	}
	return func(s *Subject) (bool, bool) {
		x, ok := a(s)
		if !ok {
			return false, false
		}
		y, ok := b(s)
		return is(x, y), ok
	}
}

func (x text) ordered() func(*Subject) (string, bool) {
	return func(s *Subject) (string, bool) { return x(s), true }
}

// ordered leaves what is no number to CEL.
func (x number) ordered() func(*Subject) (float64, bool) {
	return func(s *Subject) (float64, bool) { f, ok := x(s); return f, ok && !math.IsNaN(f) }
}

// widened is a whole number as one with a fraction, as CEL compares the two.
func (x whole) widened() func(*Subject) (float64, bool) {
	return func(s *Subject) (float64, bool) { n, ok := x(s); return float64(n), ok }
}

// small is up to where neither sum nor product of two numbers overflows.
const small = 1 << 31

func sum(function string, a, b whole) any {
	var of func(a, b int64) int64
	switch function {
	case "_+_":
		of = func(a, b int64) int64 { return a + b }
	case "_-_":
		of = func(a, b int64) int64 { return a - b }
	case "_*_":
		of = func(a, b int64) int64 { return a * b }
	default:
		return nil
	}
	return whole(func(s *Subject) (int64, bool) {
		x, known := a(s)
		y, ok := b(s)
		return of(x, y), ok && known && -small <= x && x <= small && -small <= y && y <= small
	})
}

func product(function string, a, b number) any {
	var of func(a, b float64) float64
	switch function {
	case "_+_":
		of = func(a, b float64) float64 { return a + b }
	case "_-_":
		of = func(a, b float64) float64 { return a - b }
	case "_*_":
		of = func(a, b float64) float64 { return a * b }
	default:
		return nil
	}
	return number(func(s *Subject) (float64, bool) {
		x, known := a(s)
		y, ok := b(s)
		return of(x, y), ok && known
	})
}

func words(function string, a, b text) any {
	is := map[string]func(s, part string) bool{"startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix, "contains": strings.Contains}[function]
	if is == nil {
		return nilIfNot(comparison(function, a.ordered(), b.ordered()))
	}
	return truth(func(s *Subject) (bool, bool) { return is(a(s), b(s)), true })
}

func contains(list reflect.Value, one string) bool {
	for i := range list.Len() {
		if list.Index(i).String() == one {
			return true
		}
	}
	return false
}

package logic

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// operation is what a term does.
type operation uint8

const (
	opConstant operation = iota
	opInput              // a name outside the condition: now, a section, param.x, threshold.x
	opBound              // the variable of a macro
	opField              // a field of args[0]
	opCall               // a function or operator over args
	opAnd
	opOr
	opNot
	opChoice // args[0] ? args[1] : args[2]
	opExists // some item of the list args[0] is as args[1] says; the next macros alike
	opAll
	opOne
	opFilter
	opMap
	opList // a list written out
)

// Term is a part of a condition. It is immutable.
type Term struct {
	op    operation
	kind  kind
	of    kind   // of the items of a list
	name  string // of an input, a field or a function
	value value  // of a constant
	args  []*Term
	slot  int    // of a bound variable: how many macros stand around its own
	canon string // the same for the same meaning
	least int    // the outermost slot that it reads; beyond all where it reads none
	sure  bool   // it can be computed for all inputs
	heavy int    // what to look at last weighs more
	expr  ast.Expr
}

// Joint is how a term joins others to true or false.
type Joint int

// What joins: and, or, ?: (of whose three operands the first chooses), or nothing.
const (
	Single Joint = iota
	And
	Or
	Choice
)

// Joins is how a term joins its operands, and which they are. Those under a not
// count as the operands of what stands there.
func (t *Term) Joins() (Joint, []*Term) {
	switch {
	case t.op == opAnd:
		return And, t.args
	case t.op == opOr:
		return Or, t.args
	case t.op == opChoice && t.kind == truth:
		return Choice, t.args
	case t.op == opNot:
		return t.args[0].Joins()
	}
	return Single, nil
}

// Without is a term less some operands of and and or, and less some branches of ?:,
// of which the other is taken then. Nil: nothing is left.
func (t *Term) Without(gone map[*Term]bool) *Term {
	if gone[t] {
		return nil
	}
	if joint, _ := t.Joins(); joint == Single {
		return t
	}
	if t.op == opChoice && gone[t.args[1]] {
		return t.args[2].Without(gone)
	}
	if t.op == opChoice && gone[t.args[2]] {
		return t.args[1].Without(gone)
	}
	var left []*Term
	for _, a := range t.args {
		if a = a.Without(gone); a != nil {
			left = append(left, a)
		}
	}
	switch {
	case len(left) == 0, t.op == opChoice && len(left) < 3:
		return nil
	case len(left) == 1 && (t.op == opAnd || t.op == opOr):
		return left[0]
	}
	return build(Term{op: t.op, kind: truth, args: left, expr: t.expr})
}

// Reads are the inputs that a term reads, such as findings.high; of a part of the
// item of a list it is the list.
func (t *Term) Reads() []string {
	var all []string
	t.visit(func(x *Term) bool {
		switch {
		case x.op == opField && x.args[0].op == opInput:
			all = append(all, x.args[0].name+"."+x.name)
			return false
		case x.op == opInput:
			all = append(all, x.name)
		}
		return true
	})
	return all
}

func (t *Term) visit(each func(*Term) bool) {
	if !each(t) {
		return
	}
	for _, a := range t.args {
		a.visit(each)
	}
}

// none is a slot beyond all.
const none = 1 << 20

// build completes a term by what its parts are.
func build(t Term) *Term {
	t.least, t.heavy = none, 1
	parts := make([]string, len(t.args))
	for i, a := range t.args {
		parts[i] = a.canon
		t.least = min(t.least, a.least)
		t.heavy += a.heavy
	}
	switch t.op {
	case opConstant:
		t.canon = t.value.key()
	case opInput:
		t.canon = t.name
	case opBound:
		t.canon, t.least = "#"+string(rune('0'+t.slot)), t.slot
	case opField:
		t.canon = parts[0] + "." + t.name
	default:
		t.canon = symbols[t.op] + t.name + "(" + strings.Join(parts, ",") + ")"
	}
	switch t.op {
	case opOr, opChoice:
		t.heavy *= 2
	case opExists, opAll, opOne, opFilter, opMap:
		t.heavy *= 4
		if t.least >= t.slot { // it reads no variable but its own
			t.least = none
		}
	}
	t.sure = surely(&t)
	return &t
}

var symbols = map[operation]string{
	opAnd: "&&", opOr: "||", opNot: "!", opChoice: "?:", opExists: "exists", opAll: "all", opOne: "one", opFilter: "filter", opMap: "map", opList: "[]",
}

// Condition is a condition as terms.
type Condition struct {
	Root *Term
	tree *ast.AST
}

// Text is a part of the condition as it is written, on one line.
func (c *Condition) Text(t *Term) string {
	s, err := cel.ExprToString(t.expr, c.tree.SourceInfo())
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(s), " ")
}

// Place is the line (from 1) and column (from 0) at which a part of the condition begins.
func (c *Condition) Place(t *Term) (line, column int) {
	info, first := c.tree.SourceInfo(), int32(-1)
	ast.PreOrderVisit(t.expr, ast.NewExprVisitor(func(x ast.Expr) {
		if r, ok := info.GetOffsetRange(x.ID()); ok && (first < 0 || r.Start < first) {
			first = r.Start
		}
	}))
	if first < 0 {
		return 1, 0
	}
	at := info.GetLocationByOffset(first)
	return at.Line(), at.Column()
}

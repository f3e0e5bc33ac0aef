package logic

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Read turns a condition that CEL has checked into terms.
func Read(tree *ast.AST) *Condition {
	r := reader{tree}
	return &Condition{Root: r.term(tree.Expr(), nil), tree: tree}
}

type reader struct{ tree *ast.AST }

// term reads an expression; bound are the variables of the macros around it.
func (r reader) term(x ast.Expr, bound []string) *Term {
	t := Term{op: opCall, kind: kindOf(r.tree.GetType(x.ID())), expr: x}
	if t.kind == listing {
		t.of = kindOf(r.tree.GetType(x.ID()).Parameters()[0])
	}
	switch x.Kind() {
	case ast.LiteralKind:
		t.op, t.value = opConstant, fromCEL(x.AsLiteral())
		t.kind = t.value.kind
	case ast.IdentKind:
		t.op, t.name = opInput, strings.TrimPrefix(x.AsIdent(), ".")
		for i := len(bound) - 1; i >= 0; i-- {
			if bound[i] == t.name {
				t.op, t.slot = opBound, i
				break
			}
		}
	case ast.SelectKind:
		s := x.AsSelect()
		t.op, t.name, t.args = opField, s.FieldName(), []*Term{r.term(s.Operand(), bound)}
		if s.IsTestOnly() {
			t.op, t.name = opCall, "has."+s.FieldName()
		}
	case ast.CallKind:
		return r.call(t, x.AsCall(), bound)
	case ast.ListKind:
		t.op, t.args = opList, r.terms(x.AsList().Elements(), bound)
	case ast.ComprehensionKind:
		return r.walk(t, x.AsComprehension(), bound)
	default: // a map, as there are no messages
		t.name = unread
	}
	return build(t)
}

// unread is the name of a call of which nothing is known, not even that it comes
// to the same twice.
const unread = "?"

func (r reader) terms(xs []ast.Expr, bound []string) []*Term {
	all := make([]*Term, len(xs))
	for i, x := range xs {
		all[i] = r.term(x, bound)
	}
	return all
}

func (r reader) call(t Term, c ast.CallExpr, bound []string) *Term {
	t.name = c.FunctionName()
	if c.IsMemberFunction() {
		t.args = append(t.args, r.term(c.Target(), bound))
	}
	t.args = append(t.args, r.terms(c.Args(), bound)...)
	switch t.name {
	case operators.LogicalAnd:
		t.op, t.name, t.args = opAnd, "", flat(opAnd, t.args)
	case operators.LogicalOr:
		t.op, t.name, t.args = opOr, "", flat(opOr, t.args)
	case operators.LogicalNot:
		t.op, t.name = opNot, ""
	case operators.Conditional:
		t.op, t.name = opChoice, ""
	case operators.OldIn:
		t.name = operators.In
	}
	return build(t)
}

// flat are the operands of like operators within each other.
func flat(op operation, args []*Term) []*Term {
	var all []*Term
	for _, a := range args {
		if a.op == op {
			all = append(all, a.args...)
		} else {
			all = append(all, a)
		}
	}
	return all
}

// walk recognises the macro that became a walk through a list.
func (r reader) walk(t Term, c ast.ComprehensionExpr, bound []string) *Term {
	body, list := c.LoopStep(), c.IterRange()
	if c.HasIterVar2() || body.Kind() != ast.CallKind || kindOf(r.tree.GetType(list.ID())) != listing {
		t.name = unread
		return build(t)
	}
	inside := append(bound[:len(bound):len(bound)], c.IterVar())
	macro := func(op operation, over *Term, body ast.Expr) *Term {
		return build(Term{op: op, kind: t.kind, of: t.of, args: []*Term{over, r.term(body, inside)}, slot: len(bound), expr: t.expr})
	}
	over, step := r.term(list, bound), body.AsCall()
	switch name, init := step.FunctionName(), c.AccuInit(); {
	case name == operators.LogicalOr && isLiteral(init, types.False):
		return macro(opExists, over, step.Args()[1])
	case name == operators.LogicalAnd && isLiteral(init, types.True):
		return macro(opAll, over, step.Args()[1])
	case name == operators.Conditional && isLiteral(init, types.IntZero):
		return macro(opOne, over, step.Args()[0])
	case name == operators.Add && init.Kind() == ast.ListKind:
		return macro(opMap, over, step.Args()[1].AsList().Elements()[0])
	case name == operators.Conditional && init.Kind() == ast.ListKind:
		made := step.Args()[1].AsCall().Args()[1].AsList().Elements()[0]
		kept := macro(opFilter, over, step.Args()[0])
		if made.Kind() == ast.IdentKind && made.AsIdent() == c.IterVar() {
			return kept
		}
		return macro(opMap, kept, made)
	}
	t.name = unread
	return build(t)
}

func isLiteral(x ast.Expr, v any) bool {
	return x.Kind() == ast.LiteralKind && x.AsLiteral() == v
}

// kindOf is what values of a type are.
func kindOf(t *types.Type) kind {
	if t == nil {
		return anything
	}
	switch t.Kind() {
	case types.BoolKind:
		return truth
	case types.IntKind:
		return whole
	case types.DoubleKind:
		return fraction
	case types.StringKind:
		return text
	case types.TimestampKind:
		return instant
	case types.DurationKind:
		return duration
	case types.ListKind:
		return listing
	case types.StructKind:
		return item
	}
	return anything
}

package predicate

import (
	"reflect"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// tally counts the items of a list of which a condition holds.
type tally func(s *Subject) (_ int64, ok bool)

// walk is one walk through a list of texts or structs: all and exists as truth,
// exists_one as truth, filter as tally, whose size alone can be asked. A walk
// within a walk is left to CEL, as is one whose items are called like an input.
func (n Names) walk(c ast.ComprehensionExpr) any {
	list, item := n.items(c.IterRange())
	if _, taken := n.Of(c.IterVar()); list == nil || taken || n.item != nil || c.HasIterVar2() {
		return nil
	}
	n.itemName, n.item = c.IterVar(), item
	step := c.LoopStep().AsCall()
	switch function := step.FunctionName(); function {
	case operators.LogicalAnd, operators.LogicalOr: // of what is known so far and the condition
		if holds, is := n.term(step.Args()[1]).(truth); is {
			return until(list, holds, function == operators.LogicalOr)
		}
	case operators.Conditional: // the condition, what is added where it holds, what is known so far
		holds, is := n.term(step.Args()[0]).(truth)
		if !is {
			return nil
		}
		switch one := step.Args()[1].AsCall().Args()[1].AsList(); {
		case c.Result().AsCall().FunctionName() == operators.Equals: // exists_one
			return truth(func(s *Subject) (bool, bool) { count, ok := count(s, list, holds); return count == 1, ok })
		case one.Size() == 1 && one.Elements()[0].AsIdent() == c.IterVar(): // filter
			return tally(func(s *Subject) (int64, bool) { return count(s, list, holds) })
		}
	}
	return nil
}

// items is a list and what its items are, or nil.
func (n Names) items(x ast.Expr) (list texts, item reflect.Type) {
	if list, is := n.term(x).(texts); is {
		return list, reflect.TypeFor[string]()
	}
	sel := x.AsSelect()
	if m, _ := n.Of(sel.Operand().AsIdent() + "." + sel.FieldName()); len(m.Index) == 2 {
		if t := n.Type.FieldByIndex(m.Index).Type; t.Kind() == reflect.Slice {
			return input(m.Index), t.Elem()
		}
	}
	return nil, nil
}

// itself is the item of a walk where it is a text.
func (n Names) itself() any {
	if n.item.Kind() != reflect.String {
		return nil
	}
	return text(func(s *Subject) string { return s.item.String() })
}

// ofItem is a field of the item of a walk.
func (n Names) ofItem(field string) any {
	i, known := n.Field(n.item, field)
	if !known {
		return nil
	}
	return read(n.item.Field(i).Type, func(s *Subject) reflect.Value { return s.item.Field(i) })
}

// until is whether an item is met of which a condition is as stop says; else it is !stop.
func until(list texts, holds truth, stop bool) truth {
	return func(s *Subject) (bool, bool) {
		all := list(s)
		for i := range all.Len() {
			s.item = all.Index(i)
			if held, ok := holds(s); !ok || held == stop {
				return held, ok
			}
		}
		return !stop, true
	}
}

func count(s *Subject, list texts, holds truth) (n int64, ok bool) {
	all := list(s)
	for i := range all.Len() {
		s.item = all.Index(i)
		held, ok := holds(s)
		if !ok {
			return 0, false
		}
		if held {
			n++
		}
	}
	return n, true
}

package policy

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/interpreter"

	"signalbox.dev/signalbox/internal/bundle"
)

// maxParts is how many parts of a condition an explanation names.
const maxParts = 5

// telling is one run of a rule with every part's value kept.
type telling struct {
	*values
	tree  *ast.AST
	state interpreter.EvalState
	parts []string
}

// why runs a condition that does not hold once more, keeps the value of every
// part, and says which parts decided and what they saw. It is "" where the
// condition is too dear to run twice.
func (v *values) why(r *rule) string {
	if r.tracked == nil || r.metered && *v.spent+RuleBudget > DecisionBudget {
		return ""
	}
	program := r.tracked()
	if program == nil {
		return ""
	}
	_, details, err := program.Eval(v)
	if err != nil || details == nil || details.State() == nil {
		return ""
	}
	t := telling{values: v, tree: r.tree, state: details.State()}
	t.tell(r.tree.Expr(), false)
	return shorten(strings.Join(t.parts, "; "))
}

// track is a program that keeps the value of every part, made when first needed.
func (s *scoped) track(checked *cel.Ast) cel.Program {
	program, err := s.env.Program(checked, cel.EvalOptions(cel.OptExhaustiveEval, cel.OptTrackCost), cel.CostLimit(RuleBudget))
	if err != nil {
		return nil
	}
	return program
}

// tell follows and, or, not and ?: to the parts that made x what it is.
func (t *telling) tell(x ast.Expr, is bool) {
	args := x.AsCall().Args()
	switch x.AsCall().FunctionName() { // "" of what is no call
	case "_&&_", "_||_":
		for _, a := range args { // those decided that are as x is
			if held, known := t.held(a); known && held == is {
				t.tell(a, is)
			}
		}
	case "!_":
		t.tell(args[0], !is)
	case "_?_:_":
		if held, known := t.held(args[0]); known && held {
			t.tell(args[1], is)
		} else if known {
			t.tell(args[2], is)
		}
	default:
		t.part(x, is)
	}
}

func (t *telling) held(x ast.Expr) (held, known bool) {
	if val, ok := t.state.Value(x.ID()); ok {
		held, known = val.Value().(bool)
	}
	return held, known
}

// part says of one part whether it holds, and what it saw.
func (t *telling) part(x ast.Expr, is bool) {
	text := t.text(x)
	if text == "" || len(t.parts) == maxParts {
		return
	}
	part := "`" + text + "` does not hold"
	if is {
		part = "`" + text + "` holds"
	}
	if seen := t.seen(x); len(seen) > 0 {
		part += ": " + strings.Join(seen, ", ")
	}
	if !slices.Contains(t.parts, part) {
		t.parts = append(t.parts, part)
	}
}

// text is a part as it is written, on one line.
func (t *telling) text(x ast.Expr) string {
	s, err := cel.ExprToString(x, t.tree.SourceInfo())
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(s), " ")
}

// seen are the inputs that a part read, and what its sides came to.
func (t *telling) seen(x ast.Expr) []string {
	var all []string
	note := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	ast.PreOrderVisit(x, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			if sel := e.AsSelect(); sel.Operand().Kind() == ast.IdentKind {
				note(t.input(strings.TrimPrefix(sel.Operand().AsIdent(), ".") + "." + sel.FieldName()))
			}
		case ast.IdentKind:
			note(t.input(strings.TrimPrefix(e.AsIdent(), ".")))
		}
	}))
	if x.Kind() != ast.CallKind {
		return all
	}
	for _, side := range x.AsCall().Args() {
		if side.Kind() == ast.CallKind {
			note(t.side(side))
		}
	}
	return all
}

// input is what an input is, or "".
func (t *telling) input(name string) string {
	if name == "now" {
		return "now is " + t.in.Now.UTC().Format(time.RFC3339)
	}
	if p, ok := t.parameters[name]; ok {
		return name + " is " + show(reflect.ValueOf(p))
	}
	if threshold, is := strings.CutPrefix(name, "threshold."); is {
		if x, ok := t.thresholds[threshold]; ok {
			return name + " is " + number(x)
		}
		return ""
	}
	index, ok := inputIndex(name)
	if !ok || len(index) < 2 {
		return ""
	}
	return name + " is " + show(reflect.ValueOf(t.in).Elem().FieldByIndex(index))
}

// side is what one side of a comparison came to, where that can be shown.
func (t *telling) side(x ast.Expr) string {
	val, ok := t.state.Value(x.ID())
	text := t.text(x)
	if !ok || text == "" {
		return ""
	}
	switch v := val.Value().(type) {
	case int64, float64, bool, string:
		return "`" + text + "` is " + show(reflect.ValueOf(v))
	case time.Duration:
		if v >= 0 {
			return "`" + text + "` is " + bundle.Duration(v)
		}
		return "`" + text + "` is -" + bundle.Duration(-v)
	case time.Time:
		return "`" + text + "` is " + v.UTC().Format(time.RFC3339)
	}
	return ""
}

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

// tracking is a program that keeps the value of every part, and of each operand of
// and, or, not and ?: what is said whatever the inputs, by its id.
type tracking struct {
	program cel.Program
	parts   map[int64]part
}

type part struct {
	text  string   // as it is written, on one line
	reads []string // names, as they stand
	sides []int64  // that are computed, parts too
}

// telling is one run of a rule with every part's value kept.
type telling struct {
	*values
	*tracking
	rule  *rule
	state interpreter.EvalState
	told  []string
}

// why runs a condition that does not hold once more, keeps the value of every
// part, and says which parts decided and what they saw. It is "" where the
// condition is too dear to run twice.
func (v *values) why(r *rule) string {
	if r.tracked == nil || r.metered && *v.spent+RuleBudget > DecisionBudget {
		return ""
	}
	tracked := r.tracked()
	if tracked == nil {
		return ""
	}
	_, details, err := tracked.program.Eval(v)
	if err != nil || details == nil || details.State() == nil {
		return ""
	}
	t := telling{values: v, tracking: tracked, rule: r, state: details.State()}
	t.tell(r.tree.Expr(), false)
	return shorten(strings.Join(t.told, "; "))
}

// track is made when first needed.
func (s *scoped) track(checked *cel.Ast) *tracking {
	program, err := s.env.Program(checked, cel.EvalOptions(cel.OptExhaustiveEval, cel.OptTrackCost), cel.CostLimit(RuleBudget))
	if err != nil {
		return nil
	}
	t := &tracking{program, map[int64]part{}}
	tree := checked.NativeRep()
	text := func(x ast.Expr) string {
		s, _ := cel.ExprToString(x, tree.SourceInfo()) // "" where it cannot be written
		return strings.Join(strings.Fields(s), " ")
	}
	for _, x := range atoms(tree.Expr()) {
		p := part{text: text(x)}
		ast.PreOrderVisit(x, ast.NewExprVisitor(func(e ast.Expr) {
			switch sel := e.AsSelect(); { // of what selects nothing, neither is an identifier
			case sel.Operand().Kind() == ast.IdentKind:
				p.reads = append(p.reads, strings.TrimPrefix(sel.Operand().AsIdent(), ".")+"."+sel.FieldName())
			case e.Kind() == ast.IdentKind:
				p.reads = append(p.reads, strings.TrimPrefix(e.AsIdent(), "."))
			}
		}))
		for _, a := range x.AsCall().Args() {
			if a.Kind() == ast.CallKind {
				p.sides, t.parts[a.ID()] = append(p.sides, a.ID()), part{text: text(a)}
			}
		}
		t.parts[x.ID()] = p
	}
	return t
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
		t.part(t.parts[x.ID()], is)
	}
}

func (t *telling) held(x ast.Expr) (held, known bool) {
	if val, ok := t.state.Value(x.ID()); ok {
		held, known = val.Value().(bool)
	}
	return held, known
}

// part says of one part whether it holds, and what it saw.
func (t *telling) part(p part, is bool) {
	if p.text == "" || len(t.told) == maxParts {
		return
	}
	told := "`" + p.text + "` does not hold"
	if is {
		told = "`" + p.text + "` holds"
	}
	if seen := t.seen(p); len(seen) > 0 {
		told += ": " + strings.Join(seen, ", ")
	}
	if !slices.Contains(t.told, told) {
		t.told = append(t.told, told)
	}
}

// seen are the inputs that a part read, and what its sides came to.
func (t *telling) seen(p part) []string {
	var all []string
	note := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, name := range p.reads {
		note(t.input(name))
	}
	for _, s := range p.sides {
		note(t.side(s))
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
	if x, set := t.threshold(name); set {
		return name + " is " + number(x)
	}
	for _, i := range t.rule.scalars {
		if i.name == name && !i.constant() {
			return name + " is " + show(reflect.ValueOf(t.in).Elem().FieldByIndex(i.index))
		}
	}
	return ""
}

// side is what one side of a comparison came to, where that can be shown.
func (t *telling) side(id int64) string {
	val, ok := t.state.Value(id)
	text := t.parts[id].text
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

package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/predicate"
)

// Costs, in CEL's units; 200,000 is some 50 ms. A rule whose worst case is at
// most CheapRule runs unmetered, one above RuleBudget is refused. One whose worst
// case with modest inputs is at most briefRule takes that out of the decision's
// budget where they are, and runs unmetered as well: metering doubles its time.
const (
	CheapRule      = 1_000
	briefRule      = 10_000
	RuleBudget     = 200_000
	DecisionBudget = 2_000_000
)

// Limits of the text of one expression: characters, nesting, nodes, size of a pattern.
const (
	maxExpression = 8 << 10
	maxNesting    = 60
	maxNodes      = 2_000
	maxPattern    = 1_000
)

// rule is one compiled expression. The zero rule is absent.
type rule struct {
	source   *bundle.Expression
	program  cel.Program
	reads    sections // whose fields, other than known, it reads
	presence sections // whose known it reads
	lists    sections // whose list it reads
	severity bool     // it reads counts of findings by severity
	clock    bool     // it reads now or an age
	since    bool     // it reads when the release was submitted
	scalars  []input  // what it reads, in order
	parts    []string // fields of load.parts that it reads
	paths    bool     // it reads which components the change touches
	named    []string // attestors that it compares with
	walks    bool     // through a list
	metered  bool
	brief    cel.Program         // unmetered, for modest inputs; nil where even they may cost too much
	worst    uint64              // what brief costs at most
	quick    predicate.Predicate // the same without an interpreter; nil: only program can tell
	tree     *ast.AST            // checked
	tracked  func() *tracking    // keeps the value of every part; nil where it cannot be made
}

func (r *rule) absent() bool { return r.source == nil }

// sections are all that the rule depends on.
func (r *rule) sections() sections { return r.reads | r.presence }

// input is one value that a rule reads, for telling what was observed.
type input struct {
	name  string
	index []int // in Inputs; nil for a parameter or threshold
}

// constant reports the inputs that the bundle itself sets.
func (i input) constant() bool { return i.index == nil }

// scoped is what an expression may use besides Inputs.
type scoped struct {
	env        *cel.Env
	names      []string // of all inputs, for suggestions
	parameters map[string]any
	modest     bool // no parameter is a long text
}

// environment declares Inputs, parameters as constants and thresholds as numbers.
func environment(params []Parameter, thresholds []string) (*scoped, error) {
	opts := []cel.EnvOption{
		ext.NativeTypes(reflect.TypeFor[Inputs](), ext.ParseStructTags(true)),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes), cel.EnableMacroCallTracking(), cel.RegexProgramSizeLimit(maxPattern),
		cel.Variable("now", cel.TimestampType),
	}
	s := &scoped{names: []string{"now"}, parameters: map[string]any{}, modest: true}
	t := reflect.TypeFor[Inputs]()
	for _, name := range sectionNames {
		i, _ := fieldIndex(t, name)
		opts = append(opts, cel.Variable(name, cel.ObjectType("policy."+t.Field(i).Type.Name())))
		s.names = append(s.names, name)
	}
	for _, p := range params {
		if name := "param." + p.Name; p.Value != nil && !slices.Contains(s.names, name) {
			opts = append(opts, cel.Variable(name, celType(p.Value)))
			s.names, s.parameters[name] = append(s.names, name), p.Value
			text, _ := p.Value.(string)
			s.modest = s.modest && len(text) <= modest
		}
	}
	for _, name := range thresholds {
		opts = append(opts, cel.Variable("threshold."+name, cel.DoubleType))
		s.names = append(s.names, "threshold."+name)
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("declare the inputs of conditions: %w", err)
	}
	s.env = env
	return s, nil
}

func celType(v any) *cel.Type {
	switch v.(type) {
	case bool:
		return cel.BoolType
	case string:
		return cel.StringType
	}
	return cel.DoubleType
}

// wanted are the types that an expression may have.
type wanted struct {
	types      []*cel.Type
	words, fix string
}

var (
	wantBool = wanted{[]*cel.Type{cel.BoolType}, "true or false", "compare it with something"}
	wantText = wanted{[]*cel.Type{cel.StringType, cel.IntType, cel.DoubleType, cel.BoolType}, "text or a number", "turn it into text, such as string(…), or count it: size(…)"}
)

// compile checks the rule and makes it ready to run; what is wrong becomes a problem.
func (s *scoped) compile(r *rule, want wanted, out *bundle.Problems) {
	if r.absent() {
		return
	}
	e := r.source
	checked, issues := s.env.Compile(e.Text)
	if issues.Err() != nil {
		for _, i := range issues.Errors() {
			p := s.explain(e, i)
			if out.Add(p); p.Code == "policy.expression-syntax" {
				break
			}
		}
		return
	}
	if !slices.ContainsFunc(want.types, func(t *cel.Type) bool { return checked.OutputType().IsExactType(t) }) {
		out.Add(Problem{Where: e.At(1, 0), Code: "policy.expression-type", What: fmt.Sprintf("%q must be %s", e.Field, want.words), Why: "this is " + typeWords(checked.OutputType().String()), Fix: want.fix})
		return
	}
	if !s.inspect(r, checked.NativeRep(), out) {
		return
	}
	s.plan(r, checked, out)
}

func (s *scoped) plan(r *rule, checked *cel.Ast, out *bundle.Problems) {
	e := r.source
	estimate, err := s.env.EstimateCost(checked, bounds{most})
	if err != nil || estimate.Max >= RuleBudget {
		out.Add(Problem{Where: e.At(1, 0), Code: "policy.cost", What: fmt.Sprintf("%q may take too long", e.Field), Why: fmt.Sprintf("its worst case costs more than %d", RuleBudget), Fix: "compare counts instead of walking through lists within lists"})
		return
	}
	r.quick = predicate.Of(checked.NativeRep().Expr(), predicate.Names{Type: reflect.TypeFor[Inputs](), Of: s.meaning, Field: fieldIndex})
	r.tree, r.tracked = checked.NativeRep(), sync.OnceValue(func() *tracking { return s.track(checked) })
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if r.metered = estimate.Max > CheapRule; r.metered {
		if small, err := s.env.EstimateCost(checked, bounds{few}); err == nil && small.Max <= briefRule && s.modest {
			r.worst = small.Max
			r.brief, _ = s.env.Program(checked, opts...) // what is wrong with it is wrong with the other
		}
		opts = append(opts, cel.EvalOptions(cel.OptTrackCost), cel.CostLimit(RuleBudget))
	}
	if r.program, err = s.env.Program(checked, opts...); err != nil {
		out.Add(Problem{Where: e.At(1, 0), Code: "policy.expression", What: fmt.Sprintf("%q cannot be made ready to run", e.Field), Why: words(err.Error())})
	}
}

// meaning is what a name stands for.
func (s *scoped) meaning(name string) (m predicate.Meaning, known bool) {
	if threshold, is := strings.CutPrefix(name, "threshold."); is {
		return predicate.Meaning{Number: threshold}, true
	}
	if m.Constant, known = s.parameters[name]; known {
		return m, true
	}
	m.Index, known = inputIndex(name)
	return m, known
}

// inspect finds out what the rule reads.
func (s *scoped) inspect(r *rule, a *ast.AST, out *bundle.Problems) bool {
	ok, direct := true, map[int64]bool{}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.StructKind:
			out.Add(Problem{Where: r.source.At(1, 0), Code: "policy.expression", What: "an expression cannot build a value of this kind", Fix: "read the inputs instead"})
			ok = false
		case ast.SelectKind:
			if sel := x.AsSelect(); sel.Operand().Kind() == ast.IdentKind {
				name := strings.TrimPrefix(sel.Operand().AsIdent(), ".")
				if sec, is := sectionNamed(name); is {
					direct[sel.Operand().ID()] = true
					r.see(sec, sel.FieldName())
				}
			}
			if sel := x.AsSelect(); a.GetType(sel.Operand().ID()).TypeName() == partType && !slices.Contains(r.parts, sel.FieldName()) {
				r.parts = append(r.parts, sel.FieldName())
			}
		case ast.ComprehensionKind:
			r.walks = true
		case ast.CallKind:
			r.names(x.AsCall().Args())
		case ast.IdentKind:
			if !direct[x.ID()] {
				s.ident(r, strings.TrimPrefix(x.AsIdent(), "."))
			}
		}
	}))
	return ok
}

// names notes the texts that stand beside an attestor among the operands of a call.
func (r *rule) names(operands []ast.Expr) {
	if !slices.ContainsFunc(operands, func(x ast.Expr) bool {
		return x.AsSelect().FieldName() == "attestor" || x.AsSelect().FieldName() == "attestors" // "" of what selects nothing
	}) {
		return
	}
	for len(operands) > 0 {
		x := operands[0]
		operands = operands[1:]
		switch x.Kind() {
		case ast.ListKind:
			operands = append(operands, x.AsList().Elements()...)
		case ast.LiteralKind:
			if name, is := x.AsLiteral().Value().(string); is {
				r.named = append(r.named, name)
			}
		}
	}
}

// ident notes a name that is read whole.
func (s *scoped) ident(r *rule, name string) {
	if sec, is := sectionNamed(name); is {
		r.reads = r.reads.with(sec)
		if listIn(sec) != "" {
			r.lists = r.lists.with(sec)
		}
		r.severity = r.severity || sec == secFindings
		r.since = r.since || sec == secRelease
		r.whole(sec)
		r.clock = r.clock || (&Inputs{}).age(sec) != nil
		return
	}
	if name == "now" {
		r.clock = true
		return
	}
	if slices.Contains(s.names, name) {
		r.note(input{name: name})
	}
}

// partType is how CEL names the type of a component of a load test.
const partType = "policy.LoadPart"

// whole notes every figure that may be silent of a section that is read whole.
func (r *rule) whole(s section) {
	for _, f := range (&Inputs{}).times() {
		if head, _, _ := strings.Cut(f.name, "."); head == s.String() {
			index, _ := inputIndex(f.name)
			r.note(input{name: f.name, index: index})
		}
	}
}

// see notes a field of a section.
func (r *rule) see(s section, field string) {
	if field == "known" {
		r.presence = r.presence.with(s)
	} else {
		r.reads = r.reads.with(s)
	}
	if field == listIn(s) {
		r.lists = r.lists.with(s)
		r.severity = r.severity || s == secFindings
	}
	switch field {
	case "critical", "high", "medium", "low", "info": // of findings alone
		r.severity = true
	case "age_hours":
		r.clock = true
	case "submitted_at":
		r.since = true
	}
	name := s.String() + "." + field
	if index, ok := inputIndex(name); ok {
		r.note(input{name: name, index: index})
	}
}

func (r *rule) note(i input) {
	r.paths = r.paths || i.name == "change.components" || i.name == "change.elsewhere" || i.name == "load.untested"
	if !slices.ContainsFunc(r.scalars, func(o input) bool { return o.name == i.name }) {
		r.scalars = append(r.scalars, i)
	}
}

// maxNumeral is the longest text of a number, an instant or a truth value.
const maxNumeral = 400

// bounds are the declared sizes of inputs, on which estimates of cost rest.
type bounds struct{ limits }

func (b bounds) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if len(n.Path()) == 0 {
		return nil
	}
	if size, declared := b.listSize(strings.Join(n.Path(), ".")); declared {
		return &cost.SizeEstimate{Max: uint64(size)}
	}
	switch n.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &cost.SizeEstimate{Max: uint64(b.text)}
	case types.ListKind:
		return &cost.SizeEstimate{Max: uint64(b.list)}
	}
	return nil
}

func (bounds) EstimateCallCost(_, overload string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	switch overload {
	case overloads.IntToString, overloads.UintToString, overloads.DoubleToString, overloads.TimestampToString, overloads.DurationToString, overloads.BoolToString:
		return &cost.CallEstimate{CostEstimate: cost.FixedCostEstimate(1), ResultSize: &cost.SizeEstimate{Min: 1, Max: maxNumeral}}
	}
	return nil
}

// values is one set of inputs as expressions see it.
type values struct {
	in         *Inputs
	parameters map[string]any
	thresholds map[string]float64
	spent      *uint64          // of the decision's budget
	modest     bool             // in is within the limits of few
	terse      bool             // see Classification
	scratch    []byte           // room for a text
	texts      *strings.Builder // one after the other, of which each is a part
	subject    predicate.Subject
}

var errBudget = errors.New("the decision ran out of its budget")

// ResolveName is the value of a top-level name.
func (v *values) ResolveName(name string) (any, bool) {
	switch name {
	case "now":
		return v.in.Now, true
	case "release":
		return &v.in.Release, true
	case "service":
		return &v.in.Service, true
	case "environment":
		return &v.in.Environment, true
	case "change":
		return &v.in.Change, true
	case "findings":
		return &v.in.Findings, true
	case "tests":
		return &v.in.Tests, true
	case "coverage":
		return &v.in.Coverage, true
	case "load":
		return &v.in.Load, true
	case "previous":
		return &v.in.Previous, true
	case "attestation":
		return &v.in.Attestation, true
	case "approval":
		return &v.in.Approval, true
	case "calendar":
		return &v.in.Calendar, true
	}
	if p, ok := v.parameters[name]; ok {
		return p, true
	}
	return v.threshold(name)
}

// threshold is the value of threshold.NAME that the release type sets.
func (v *values) threshold(name string) (t float64, set bool) {
	name, is := strings.CutPrefix(name, "threshold.")
	if is {
		t, set = v.thresholds[name]
	}
	return t, set
}

// Parent is none: there is one scope.
func (v *values) Parent() cel.Activation { return nil }

// run evaluates a rule within the budgets.
func (v *values) run(r *rule) (any, error) {
	if r.metered && *v.spent >= DecisionBudget {
		return nil, errBudget
	}
	program := r.program
	if v.modest && r.brief != nil {
		program = r.brief
		*v.spent += r.worst
		if held, told := v.quickly(r); told {
			return held, nil
		}
	}
	result, details, err := program.Eval(v)
	if c := details.ActualCost(); c != nil { // of what is metered
		*v.spent += *c
	}
	if err != nil {
		return nil, err
	}
	return result.Value(), nil
}

// holds evaluates a condition; an absent one holds.
func (v *values) holds(r *rule) (bool, error) {
	if r.absent() {
		return true, nil
	}
	if !r.walks || !r.metered { // else the budget is asked first
		if held, told := v.quickly(r); told {
			return held, nil
		}
	}
	result, err := v.run(r)
	if err != nil {
		return false, err
	}
	held, ok := result.(bool)
	if !ok {
		return false, errors.New("the condition is neither true nor false")
	}
	return held, nil
}

// quickly is the answer of a condition that needs no interpreter.
func (v *values) quickly(r *rule) (held, told bool) {
	if r.quick == nil {
		return false, false
	}
	v.subject.Inputs, v.subject.Numbers = reflect.ValueOf(v.in).Elem(), v.thresholds
	return r.quick(&v.subject)
}

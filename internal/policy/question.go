package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
	"signalbox.dev/signalbox/internal/fault"
)

// Question is a condition of the bundle's language asked apart from any
// decision, for tools that look a bundle over. Its answer is what the condition
// computes; whether what it reads is known is not weighed.
type Question struct {
	Text     string
	Reads    []string // inputs, parameters and thresholds, in order, such as findings.high, param.max_high
	Literals []any    // int64, float64, bool and string constants in it
	Calls    []string // functions and operators in it, by CEL's names, without duplicates
	Parts    []string // the comparisons that and, or, not and ?: join
	rule     rule
	values   map[string]any
}

// Asker makes questions in the language of one bundle: its parameters and thresholds.
type Asker struct {
	scoped *scoped
	parser *cel.Env
}

// Asker is that of the bundle.
func (p *Program) Asker() (*Asker, error) {
	names := map[string]float64{}
	for _, t := range p.types {
		maps.Copy(names, t.Thresholds)
	}
	s, err := environment(p.set.Parameters, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, err
	}
	parser, err := cel.NewEnv(cel.EnableMacroCallTracking())
	if err != nil {
		return nil, fmt.Errorf("make the parser of conditions: %w", err)
	}
	return &Asker{s, parser}, nil
}

// Ask makes a question of a condition that compiles in the bundle.
func (a *Asker) Ask(text string) (*Question, error) {
	q := &Question{Text: strings.TrimSpace(text), values: a.scoped.parameters}
	checked, issues := a.scoped.env.Compile(text)
	if issues.Err() != nil {
		return nil, errors.New(words(issues.Err().Error()))
	}
	// The text stands nowhere, so nothing can point into it: inspect only notes.
	q.rule.source = bundle.Unplaced(text)
	if !a.scoped.inspect(&q.rule, checked.NativeRep(), &bundle.Problems{}) {
		return nil, errors.New("the condition builds a value")
	}
	program, err := a.scoped.env.Program(checked, cel.CostLimit(RuleBudget))
	if err != nil {
		return nil, fmt.Errorf("make a question ready to run: %w", err)
	}
	q.rule.program, q.rule.tree = program, checked.NativeRep()
	for _, i := range q.rule.scalars {
		q.Reads = append(q.Reads, i.name)
	}
	return q, a.dissect(q)
}

// dissect finds literals, calls and parts in the text as it is written.
func (a *Asker) dissect(q *Question) error {
	parsed, issues := a.parser.Parse(q.Text)
	if issues.Err() != nil {
		return issues.Err()
	}
	tree := parsed.NativeRep()
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.LiteralKind:
			q.Literals = append(q.Literals, x.AsLiteral().Value())
		case ast.CallKind:
			if f := x.AsCall().FunctionName(); !slices.Contains(q.Calls, f) {
				q.Calls = append(q.Calls, f)
			}
		case ast.ComprehensionKind:
			if !slices.Contains(q.Calls, Walks) {
				q.Calls = append(q.Calls, Walks)
			}
		}
	}))
	for _, x := range atoms(tree.Expr()) {
		text, err := cel.ExprToString(x, tree.SourceInfo())
		if err != nil {
			return fmt.Errorf("write out a part of a condition: %w", err)
		}
		if !slices.Contains(q.Parts, text) {
			q.Parts = append(q.Parts, text)
		}
	}
	return nil
}

// Walks is what Calls names a walk through a list: all, exists, filter, map.
const Walks = "walk"

// atoms are the operands of and, or, not and ?:, at whatever depth.
func atoms(x ast.Expr) []ast.Expr {
	if !slices.Contains([]string{"_&&_", "_||_", "!_", "_?_:_"}, x.AsCall().FunctionName()) { // "" of what is no call
		return []ast.Expr{x}
	}
	var all []ast.Expr
	for _, arg := range x.AsCall().Args() {
		all = append(all, atoms(arg)...)
	}
	return all
}

// Holds is the answer for some inputs and thresholds; told is false where the
// condition cannot be computed.
func (q *Question) Holds(in *Inputs, thresholds map[string]float64) (held, told bool) {
	var spent uint64
	v := &values{in: in, parameters: q.values, thresholds: thresholds, spent: &spent}
	result, _ := v.run(&q.rule) // nothing where it cannot be computed
	held, told = result.(bool)
	return held, told
}

// Tree is the condition as CEL has checked it; it must not be changed.
func (q *Question) Tree() *ast.AST { return q.rule.tree }

// Case is one test case of the bundle, a row of a table with all it takes over.
type Case struct {
	Name    string
	Inputs  Inputs
	Verdict Verdict
	Type    string   // the release type expected; "" is any
	Reasons []string // gates that must not pass
	Where   fault.Position
}

// Cases are the bundle's test cases, in its order.
func (p *Program) Cases() []Case {
	all := make([]Case, len(p.cases))
	for i, c := range p.cases {
		all[i] = Case{c.name, c.inputs, c.verdict, c.wantType, slices.Clone(c.reasons), c.where}
	}
	return all
}

// Chains are the bundle's approval chains, in the order of their places.
func (p *Program) Chains() []ApprovalChain {
	var all []ApprovalChain
	for _, c := range p.chains {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b ApprovalChain) int {
		return cmp.Or(cmp.Compare(a.Where.File, b.Where.File), cmp.Compare(a.Where.Line, b.Where.Line), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Kind is a kind of document with the shape of its fields, as its reader asks for them.
type Kind struct {
	Name   string
	Fields []*bundle.Field
}

// Kinds are the kinds of documents, in the order of the reference.
func Kinds() []Kind {
	own := document.Kind{Name: "TestCase", Read: (&reader{out: &bundle.Problems{}}).testCase}
	var all []Kind
	for _, k := range append(document.Kinds(), own) {
		all = append(all, Kind{k.Name, bundle.Describe(func(f *bundle.Fields) { k.Read(document.NewReader(&bundle.Problems{}), f) })})
	}
	return all
}

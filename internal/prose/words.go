package prose

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"signalbox.dev/signalbox/internal/policy"
)

// speaker puts the conditions of one bundle into words.
type speaker struct {
	parser   *cel.Env
	meanings map[string]policy.Meaning
	params   map[string]policy.Parameter
	info     *ast.SourceInfo // of the condition that is being said
}

func newSpeaker(p *policy.Program) (*speaker, error) {
	parser, err := cel.NewEnv(cel.EnableMacroCallTracking())
	if err != nil {
		return nil, fmt.Errorf("make the parser of conditions: %w", err)
	}
	s := &speaker{parser: parser, meanings: map[string]policy.Meaning{}, params: map[string]policy.Parameter{}}
	inputs, _ := policy.Meanings()
	for _, m := range inputs {
		s.meanings[m.Name] = m
	}
	for _, x := range p.Parameters() {
		s.params[x.Name] = x
	}
	return s, nil
}

// condition is a condition in words, without a full stop; what cannot be said
// stands as it is written, between backquotes.
func (s *speaker) condition(text string) string {
	parsed, issues := s.parser.Parse(text)
	if issues.Err() != nil {
		return "`" + flat(text) + "`"
	}
	tree := parsed.NativeRep()
	s.info = tree.SourceInfo()
	return s.statement(tree.Expr(), false)
}

// canonical is a condition without what its layout adds.
func (s *speaker) canonical(text string) string {
	parsed, issues := s.parser.Parse(text)
	if issues.Err() != nil {
		return flat(text)
	}
	tree := parsed.NativeRep()
	if out, err := cel.ExprToString(tree.Expr(), tree.SourceInfo()); err == nil {
		return flat(out)
	}
	return flat(text)
}

// flat is a text on one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// code is an expression as it is written.
func (s *speaker) code(x ast.Expr) string {
	text, err := cel.ExprToString(x, s.info)
	if err != nil {
		return "a condition that cannot be written out"
	}
	return "`" + flat(text) + "`"
}

// statement is something true or false; within says that it stands among others.
func (s *speaker) statement(x ast.Expr, within bool) string {
	switch x.Kind() {
	case ast.LiteralKind:
		if v, ok := x.AsLiteral().Value().(bool); ok {
			return map[bool]string{true: "always", false: "never"}[v]
		}
	case ast.SelectKind, ast.IdentKind:
		return s.truth(x, true)
	case ast.CallKind:
		return s.called(x, within)
	}
	return s.code(x) + " holds"
}

// called is a statement made with an operator or function.
func (s *speaker) called(x ast.Expr, within bool) string {
	args := x.AsCall().Args()
	switch f := x.AsCall().FunctionName(); f {
	case "_&&_", "_||_":
		word := map[string]string{"_&&_": " and ", "_||_": " or "}[f]
		var parts []string
		for _, one := range operands(x, f) {
			parts = append(parts, s.statement(one, true))
		}
		if text := strings.Join(parts, word); f == "_||_" && within {
			return "(" + text + ")"
		} else {
			return text
		}
	case "!_":
		if k := args[0].Kind(); k == ast.SelectKind || k == ast.IdentKind {
			return s.truth(args[0], false)
		}
		return "it is not so that (" + s.statement(args[0], false) + ")"
	case "@in", "_in_":
		return s.among(args[0], args[1])
	}
	return s.compared(x)
}

// operands are those of a chain of one operator.
func operands(x ast.Expr, f string) []ast.Expr {
	if x.Kind() != ast.CallKind || x.AsCall().FunctionName() != f {
		return []ast.Expr{x}
	}
	var all []ast.Expr
	for _, a := range x.AsCall().Args() {
		all = append(all, operands(a, f)...)
	}
	return all
}

var comparisons = map[string]string{
	"_==_": "is", "_!=_": "is not", "_<_": "is less than", "_<=_": "is at most", "_>_": "is more than", "_>=_": "is at least",
}

var tests = map[string]string{"startsWith": "begins with", "endsWith": "ends with", "contains": "contains", "matches": "fits the pattern"}

func (s *speaker) compared(x ast.Expr) string {
	call := x.AsCall()
	args := call.Args()
	if word := comparisons[call.FunctionName()]; word != "" && len(args) == 2 {
		return s.value(args[0]) + " " + word + " " + s.value(args[1])
	}
	if word := tests[call.FunctionName()]; word != "" && call.IsMemberFunction() && len(args) == 1 {
		return s.value(call.Target()) + " " + word + " " + s.value(args[0])
	}
	return s.code(x) + " holds"
}

func (s *speaker) among(item, list ast.Expr) string {
	if list.Kind() == ast.ListKind {
		var items []string
		for _, e := range list.AsList().Elements() {
			items = append(items, s.value(e))
		}
		return s.value(item) + " is one of " + strings.Join(items, ", ")
	}
	return s.value(list) + " include " + s.value(item)
}

// name is a dotted name, or "".
func name(x ast.Expr) string {
	switch x.Kind() {
	case ast.IdentKind:
		return strings.TrimPrefix(x.AsIdent(), ".")
	case ast.SelectKind:
		if sel := x.AsSelect(); !sel.IsTestOnly() {
			if head := name(sel.Operand()); head != "" {
				return head + "." + sel.FieldName()
			}
		}
	}
	return ""
}

// truth is an input that is true or false.
func (s *speaker) truth(x ast.Expr, is bool) string {
	n := name(x)
	m, known := s.meanings[n]
	text := m.Text
	if i := strings.IndexAny(text, ";("); i > 0 {
		text = strings.TrimSpace(text[:i])
	}
	section, field, _ := strings.Cut(n, ".")
	said, whether := strings.CutPrefix(text, "whether ")
	switch {
	case !known:
		said = s.code(x) + " holds"
	case field == "known":
		said = "the " + section + map[bool]string{true: " are", false: " is"}[strings.HasSuffix(section, "s")] + " known"
	case !whether:
		said = "the " + section + " is " + strings.ReplaceAll(field, "_", " ")
	}
	if is {
		return said
	}
	return "it is not so that " + said
}

// value is a number, a text or a list in words.
func (s *speaker) value(x ast.Expr) string {
	switch x.Kind() {
	case ast.LiteralKind:
		return literal(x.AsLiteral().Value())
	case ast.IdentKind, ast.SelectKind:
		if n := name(x); n != "" {
			return s.input(n)
		}
	case ast.CallKind:
		return s.computed(x)
	}
	return s.code(x)
}

func literal(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return "empty"
		}
		return v
	case float64:
		return number(v)
	}
	return fmt.Sprint(v)
}

// number is a number without a fraction that says nothing.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

var arithmetic = map[string]string{"_+_": " plus ", "_-_": " minus ", "_*_": " times ", "_/_": " divided by "}

func (s *speaker) computed(x ast.Expr) string {
	call := x.AsCall()
	args := call.Args()
	f := call.FunctionName()
	switch {
	case arithmetic[f] != "" && len(args) == 2:
		return s.value(args[0]) + arithmetic[f] + s.value(args[1])
	case (f == "double" || f == "int" || f == "string") && len(args) == 1:
		return s.value(args[0])
	case f == "size" && len(args) == 1:
		if m := s.meanings[name(args[0])]; strings.HasPrefix(m.Type, "list") {
			return "the number of " + s.noun(m)
		}
		return "the length of " + s.value(args[0])
	case f == "timestamp" || f == "duration":
		if len(args) == 1 && args[0].Kind() == ast.LiteralKind {
			return s.value(args[0])
		}
	}
	return s.code(x)
}

// input is one input, parameter or threshold.
func (s *speaker) input(n string) string {
	if n == "now" {
		return "the present instant"
	}
	if p, is := strings.CutPrefix(n, "param."); is {
		if x, there := s.params[p]; there {
			return fmt.Sprintf("%s (param.%s)", strings.TrimSpace(literal(x.Value)+" "+x.Unit), p)
		}
	}
	if t, is := strings.CutPrefix(n, "threshold."); is {
		return "the release type's " + strings.ReplaceAll(t, "_", " ")
	}
	m, known := s.meanings[n]
	section, field, _ := strings.Cut(n, ".")
	switch {
	case !known:
		return "`" + n + "`"
	case m.Type == "int" && section != "service":
		return "the number of " + s.noun(m)
	case m.Type == "double":
		return "the " + s.noun(m)
	}
	return "the " + section + "'s " + strings.ReplaceAll(field, "_", " ")
}

// noun is the first clause of a meaning.
func (s *speaker) noun(m policy.Meaning) string {
	text := m.Text
	if i := strings.IndexAny(text, ",;:("); i > 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

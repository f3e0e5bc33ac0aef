package policy

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"

	"signalbox.dev/signalbox/internal/bundle"
)

var (
	undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'`)
	noField    = regexp.MustCompile(`undefined field '([^']*)'`)
	noOverload = regexp.MustCompile(`found no matching overload for '([^']*)' applied to '(.*)'`)
	atToken    = regexp.MustCompile(`(?:at:?|near|input) '((?:[^']|'[^ ])*)'`)
	noRange    = regexp.MustCompile(`expression of type '([^']*)' cannot be range of a comprehension`)
	sectionIn  = regexp.MustCompile(`\bpolicy\.([A-Z][A-Za-z]*)`)
)

var operators = map[string]string{
	"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_==_": "==", "_!=_": "!=", "_+_": "+", "_-_": "-", "_*_": "*",
	"_/_": "/", "_%_": "%", "_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_in_": "in", "_[_]": "[…]", "_?_:_": "? :",
}

// explain is what CEL found wrong, in words and with its place.
func (s *scoped) explain(e *bundle.Expression, issue *cel.Error) Problem {
	p := Problem{Where: e.At(max(issue.Location.Line(), 1), max(issue.Location.Column(), 0)), Code: "policy.expression"}
	switch m := issue.Message; {
	case undeclared.MatchString(m):
		s.unknownName(&p, e, undeclared.FindStringSubmatch(m)[1])
	case noField.MatchString(m):
		s.unknownField(&p, e, noField.FindStringSubmatch(m)[1])
	case noOverload.MatchString(m):
		f := noOverload.FindStringSubmatch(m)
		mismatch(&p, f[1], f[2])
	case strings.HasPrefix(m, "Syntax error"):
		unreadable(&p, e.Field, m)
	case noRange.MatchString(m):
		p.Code, p.What = "policy.expression-type", "only a list can be walked through"
		p.Why = "this is " + typeWords(noRange.FindStringSubmatch(m)[1])
	case strings.Contains(m, "recursion limit"):
		p.What, p.Why, p.Fix = fmt.Sprintf("%q is nested too deeply", e.Field), fmt.Sprintf("brackets may stand %d deep", maxNesting), "take it apart into several gates"
	case strings.Contains(m, "size exceeds limit"), strings.Contains(m, "node"):
		p.What, p.Fix = fmt.Sprintf("%q is too long", e.Field), "take it apart into several gates"
	default:
		p.What, p.Why = fmt.Sprintf("%q cannot be used", e.Field), words(m)
	}
	return p
}

// unreadable is a mistake of syntax, with the fix for the commonest.
func unreadable(p *Problem, field, message string) {
	p.Code, p.What = "policy.expression-syntax", fmt.Sprintf("%q is not an expression", field)
	p.Why, p.Fix = "it cannot be read from here on", "check brackets, quotes and operators (&&, ||, !, ==, in)"
	t := atToken.FindStringSubmatch(message)
	if t == nil {
		return
	}
	token := strings.TrimSpace(t[1])
	switch token {
	case "", "<EOF>":
		p.Why = "it ends too early"
	default:
		p.Why = fmt.Sprintf("it cannot be read at %q", token)
	}
	if instead := map[string]string{"=": "==", "and": "&&", "or": "||", "not": "!"}[token]; instead != "" {
		p.Fix = "write " + instead
	}
}

// functions are those that policies use most, for suggestions.
var functions = []string{"size", "startsWith", "endsWith", "contains", "matches", "exists", "all", "exists_one", "filter", "map", "has", "int", "double", "string", "timestamp", "duration", "getHours", "getDayOfWeek"}

func (s *scoped) unknownName(p *Problem, e *bundle.Expression, name string) {
	if regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\s*\(`).MatchString(e.Text) {
		p.Code, p.What, p.Fix = "policy.unknown-function", fmt.Sprintf("%q is not a function", name), bundle.DidYouMean(name, functions)
		return
	}
	p.Code, p.What = "policy.unknown-input", fmt.Sprintf("%q is not an input", name)
	if name == "param" || name == "threshold" {
		p.What, p.Why = fmt.Sprintf("there is no %s of that name", map[string]string{"param": "Parameter", "threshold": "threshold"}[name]), "the bundle declares none"
		p.Fix = map[string]string{"param": "add a document of kind Parameter", "threshold": "add it under thresholds of every ReleaseType"}[name]
		return
	}
	if prefix, rest, _ := strings.Cut(name, "."); prefix == "param" || prefix == "threshold" {
		kind := map[string]string{"param": "a Parameter", "threshold": "a threshold of a ReleaseType"}[prefix]
		p.What = fmt.Sprintf("%q is not %s", rest, kind)
	}
	p.Fix = bundle.DidYouMean(name, s.names)
}

// unknownField looks for the section before the place in the text: CEL does not name it.
func (s *scoped) unknownField(p *Problem, e *bundle.Expression, field string) {
	p.Code, p.What = "policy.unknown-input", fmt.Sprintf("%q is not an input", field)
	t := reflect.TypeFor[Inputs]()
	for _, name := range sectionNames {
		if !regexp.MustCompile(`\b` + name + `\s*\.\s*` + regexp.QuoteMeta(field) + `\b`).MatchString(e.Text) {
			continue
		}
		i, _ := fieldIndex(t, name)
		p.What = fmt.Sprintf("%q has no field %q", name, field)
		p.Fix = bundle.DidYouMean(field, fieldNames(t.Field(i).Type))
		return
	}
}

func mismatch(p *Problem, operator, operands string) {
	p.Code = "policy.expression-type"
	op, known := operators[operator]
	if !known {
		op = operator
	}
	p.What = fmt.Sprintf("%q cannot be applied here", op)
	p.Why = "it was given " + strings.ReplaceAll(typeWords(operands), ", ", " and ")
	switch {
	case strings.Contains(operands, "int") && strings.Contains(operands, "double"):
		p.Fix = "make both numbers with a fraction: double(…)"
	case op != "in" && strings.Contains(operands, "string") && (strings.Contains(operands, "int") || strings.Contains(operands, "double")):
		p.Fix = "compare text with text and numbers with numbers"
	}
}

// typeWords are the types of CEL in words.
func typeWords(s string) string {
	s = strings.Trim(words(s), "()")
	for _, w := range [...][2]string{
		{"list", "a list of "},
		{"map", "a map of "},
		{"int", "a whole number"},
		{"uint", "a whole number"},
		{"double", "a number with a fraction"},
		{"string", "text"},
		{"bool", "true or false"},
		{"timestamp", "an instant"},
		{"google.protobuf.Timestamp", "an instant"},
		{"duration", "a duration"},
		{"google.protobuf.Duration", "a duration"},
		{"null_type", "null"},
		{"null", "null"},
		{"dyn", "anything"},
		{"bytes", "bytes"},
	} {
		s = regexp.MustCompile(`\b`+regexp.QuoteMeta(w[0])+`\b`).ReplaceAllString(s, w[1])
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "of (", "of "), ")", "")
}

// words is a message of CEL without the names of our types.
func words(s string) string {
	s = sectionIn.ReplaceAllStringFunc(s, func(m string) string { return "the section " + strings.ToLower(strings.TrimPrefix(m, "policy.")) })
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	return strings.TrimPrefix(s, "ERROR: ")
}

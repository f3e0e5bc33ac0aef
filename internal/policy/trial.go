package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"signalbox.dev/signalbox/internal/fault"
)

// testCase is one row of a TestCase document.
type testCase struct {
	name     string
	inputs   Inputs
	verdict  Verdict
	wantType string
	reasons  []string // gates that must not pass
	where    fault.Position
}

// TestResult is how one test case came out.
type TestResult struct {
	Name   string         `json:"name"`
	Passed bool           `json:"passed"`
	Want   string         `json:"want"`
	Got    string         `json:"got"`
	Why    string         `json:"why,omitempty"` // what differs, in words; "" where it passed
	Where  fault.Position `json:"where"`
}

// Test runs every test case of the bundle at its own fixed clock.
func (p *Program) Test() []TestResult {
	results := make([]TestResult, len(p.cases))
	for i := range p.cases {
		results[i] = p.try(&p.cases[i], nil)
	}
	return results
}

// Ready is nil where the bundle may be activated: it has tests and all pass.
func (p *Program) Ready() error {
	results := p.Test()
	if len(results) == 0 {
		return fault.Invalidf("policy.no-tests", "the policy has no test case").Because("an untested policy may not be activated").Remedy("add a TestCase")
	}
	var failed []TestResult
	for _, r := range results {
		if !r.Passed {
			failed = append(failed, r)
		}
	}
	if len(failed) > 0 {
		return fault.Invalidf("policy.tests-failed", "%d of %d test cases fail", len(failed), len(results)).
			Because(fmt.Sprintf("%s: %s", failed[0].Name, failed[0].Why)).At(failed[0].Where).Remedy("mend the policy or the test and run the tests again")
	}
	return nil
}

func (p *Program) try(c *testCase, seen func(Reason)) TestResult {
	o := p.trace(c.inputs, seen)
	r := TestResult{Name: c.name, Want: c.verdict.Words(), Got: o.Verdict.Words(), Where: c.where}
	var differs []string
	if o.Verdict != c.verdict {
		differs = append(differs, fmt.Sprintf("expected %s, got %s%s", r.Want, r.Got, blockers(o)))
	}
	if c.wantType != "" && o.Type != c.wantType {
		differs = append(differs, fmt.Sprintf("expected type %s, got %s", c.wantType, orNothing(o.Type)))
	}
	for _, name := range c.reasons {
		if !slices.ContainsFunc(o.Reasons, func(x Reason) bool { return x.Gate == name && x.Verdict != Go }) {
			differs = append(differs, fmt.Sprintf("expected %s not to pass, but it did", name))
		}
	}
	r.Passed, r.Why = len(differs) == 0, strings.Join(differs, "; ")
	return r
}

// blockers names what stood in the way.
func blockers(o Outcome) string {
	var all []string
	for _, r := range o.Reasons {
		if r.Severity == Block && r.Verdict != Go && len(all) < 5 {
			all = append(all, r.Gate+" ("+r.Code+")")
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " because of " + strings.Join(all, ", ")
}

// testCase reads a TestCase: one case, or a table whose rows change its inputs.
func (r *reader) testCase(f *fields) {
	base := r.testFields(f, "", testCase{inputs: Inputs{Contract: Contract}, verdict: NoGo})
	rows := f.mappings("cases")
	if !f.has("cases") {
		r.keep(f, base)
		return
	}
	if n := f.vals["cases"]; n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.out.add(Problem{Where: f.keyAt("cases"), Code: "policy.empty-list", What: `"cases" is empty`, Fix: "add a case"})
	}
	for _, row := range rows {
		c := r.testFields(row, base.name+": ", base)
		row.done("a case")
		r.keep(row, c)
	}
}

func (r *reader) keep(f *fields, c testCase) {
	if c.inputs.Now.IsZero() {
		f.missing("at")
	}
	c.where = f.at()
	r.cases = append(r.cases, c)
}

// testFields reads the fields that a TestCase and its rows share, over a base.
func (r *reader) testFields(f *fields, prefix string, c testCase) testCase {
	name := f.need("name")
	if name != "" {
		r.once(f, f.vals["name"], "TestCase "+prefix+name)
	}
	c.name = prefix + name
	if at := f.instant("at"); !at.IsZero() {
		c.inputs.Now = at
	}
	if m := f.mapping("inputs"); m != nil {
		r.inputs(m, &c.inputs)
	}
	e := f.mapping("expect")
	if e == nil {
		return c
	}
	c.verdict = verdictNamed(e.choice("verdict", string(c.verdict), "go", "wait", "no-go", "cannot-tell", "cannot tell", "indeterminate"))
	if name := e.text("type"); name != "" {
		c.wantType = name
	}
	if reasons := e.list("reasons"); e.has("reasons") {
		c.reasons = reasons
	}
	e.done("expect")
	return c
}

func verdictNamed(s string) Verdict {
	if strings.HasPrefix(s, "cannot") {
		return CannotTell
	}
	return Verdict(s)
}

// inputs reads sections: one that is mentioned is known, unless it says otherwise.
func (r *reader) inputs(f *fields, in *Inputs) {
	for s := section(0); s < sectionCount; s++ {
		m := f.mapping(s.String())
		if m == nil {
			continue
		}
		*in.known(s) = true
		index, _ := inputIndex(s.String())
		m.into(reflect.ValueOf(in).Elem().FieldByIndex(index))
		m.done(s.String())
	}
	f.done("inputs")
}

// into sets the fields of a section from a mapping.
func (f *fields) into(section reflect.Value) {
	for i, name := range fieldNames(section.Type()) {
		n := f.take(name)
		if n == nil {
			continue
		}
		if want := assign(section.Field(i), n); want != "" {
			f.wrong(n, name, want)
		}
	}
}

// assign sets one input from a YAML value, or says what it wants.
func assign(v reflect.Value, n *yaml.Node) (want string) {
	scalar := n.Kind == yaml.ScalarNode
	switch v.Kind() {
	case reflect.Bool:
		if !scalar || n.ShortTag() != "!!bool" {
			return "true or false"
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		x, ok := numberOf(n)
		if !ok || x != float64(int64(x)) || x < 0 || x > 1e12 {
			return "a whole number that is not negative"
		}
		v.SetInt(int64(x))
	case reflect.Float64:
		x, ok := numberOf(n)
		if !ok {
			return "a number"
		}
		v.SetFloat(x)
	case reflect.String:
		if !scalar || n.ShortTag() != "!!str" {
			return "text"
		}
		v.SetString(n.Value)
	case reflect.Slice:
		return assignList(v, n)
	default:
		t, err := time.Parse(time.RFC3339, n.Value)
		if err != nil {
			return "an instant such as 2027-01-31T09:00:00Z"
		}
		v.Set(reflect.ValueOf(t.UTC()))
	}
	return ""
}

func assignList(v reflect.Value, n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return "a list of texts"
	}
	all := []string{}
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return "a list of texts"
		}
		all = append(all, item.Value)
	}
	v.Set(reflect.ValueOf(all))
	return ""
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

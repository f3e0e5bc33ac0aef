package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
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
	guest    bool // of an included bundle: what includes it may only tighten, so a worse verdict holds too
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
		results[i] = p.try(&p.cases[i])
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

func (p *Program) try(c *testCase) TestResult {
	o := p.Decide(c.inputs)
	r := TestResult{Name: c.name, Want: c.verdict.Words(), Got: o.Verdict.Words(), Where: c.where}
	var differs []string
	if o.Verdict != c.verdict && !(c.guest && o.Verdict.Worse(c.verdict) == o.Verdict) {
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
func (r *reader) testCase(d *document.Reader, f *bundle.Fields) {
	base := r.testFields(d, f, "", testCase{inputs: Inputs{Contract: Contract}, verdict: NoGo})
	rows := f.Mappings("cases")
	switch {
	case !f.Has("cases"):
		r.keep(f, base)
	case f.EmptyList("cases"):
		r.out.Add(Problem{Where: f.KeyAt("cases"), Code: "policy.empty-list", What: `"cases" is empty`, Fix: "add a case"})
	}
	for _, row := range rows {
		c := r.testFields(d, row, base.name+": ", base)
		row.Done("a case")
		r.keep(row, c)
	}
}

func (r *reader) keep(f *bundle.Fields, c testCase) {
	if c.inputs.Now.IsZero() {
		f.Missing("at")
	}
	c.where, c.guest = f.At(), document.Included(f.At().File)
	r.cases = append(r.cases, c)
}

// testFields reads the fields that a TestCase and its rows share, over a base.
func (r *reader) testFields(d *document.Reader, f *bundle.Fields, prefix string, c testCase) testCase {
	name := f.Need("name")
	if name != "" {
		d.Once(f.ValueAt("name"), "TestCase "+prefix+name)
	}
	c.name = prefix + name
	if at := f.Instant("at"); !at.IsZero() {
		c.inputs.Now = at
	}
	if m := f.Mapping("inputs"); m != nil {
		r.inputs(m, &c.inputs)
	}
	e := f.Mapping("expect")
	if e == nil {
		return c
	}
	c.verdict = verdictNamed(e.Choice("verdict", string(c.verdict), "go", "wait", "no-go", "cannot-tell", "cannot tell", "indeterminate"))
	if name := e.Text("type"); name != "" {
		c.wantType = name
	}
	if reasons := e.List("reasons"); e.Has("reasons") {
		c.reasons = reasons
	}
	e.Done("expect")
	return c
}

func verdictNamed(s string) Verdict {
	if strings.HasPrefix(s, "cannot") {
		return CannotTell
	}
	return Verdict(s)
}

// inputs reads sections: one that is mentioned is known, unless it says otherwise.
func (r *reader) inputs(f *bundle.Fields, in *Inputs) {
	for s := range sectionCount {
		m := f.Mapping(s.String())
		if m == nil {
			continue
		}
		*in.known(s) = true
		index, _ := inputIndex(s.String())
		section := reflect.ValueOf(in).Elem().FieldByIndex(index)
		for i, name := range fieldNames(section.Type()) {
			if _, items := itemType(section.Field(i).Type()); items {
				assignItems(m, name, section.Field(i))
				continue
			}
			m.Assign(name, section.Field(i))
		}
		m.Done(s.String())
	}
	f.Done("inputs")
}

// assignItems reads a list whose items have fields; one that is mentioned is loaded.
func assignItems(f *bundle.Fields, name string, into reflect.Value) {
	rows := f.Mappings(name)
	if !f.Has(name) {
		return
	}
	list := reflect.MakeSlice(into.Type(), len(rows), len(rows))
	for i, row := range rows {
		for j, field := range fieldNames(into.Type().Elem()) {
			row.Assign(field, list.Index(i).Field(j))
		}
		row.Done("an item of " + name)
	}
	into.Set(list)
}

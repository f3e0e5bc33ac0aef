package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/document"
	"signalbox.dev/signalbox/internal/fault"
)

// good is a test case whose base goes; rest are its further fields.
func good(name, rest string) string {
	return doc("TestCase", "name: "+name+`
at: 2027-03-01T09:00:00Z
inputs:
  release: {version: 1.0.0, size: patch}
  service: {name: example, tier: 1, flags: [icfr]}
  environment: {kind: production}
  change: {complete: true, semver_step: patch, provenance: server}
  approval: {satisfied: true, approvals: 2}
  calendar: {frozen: false}
`+rest)
}

func TestCasesPassAndFail(t *testing.T) {
	for _, tt := range []struct {
		name, rest, why string // why is "" where the case passes
	}{
		{"as expected", "expect: {verdict: go, type: any}\n", ""},
		{"unlisted is no-go", "expect: {type: any}\n", "expected no-go, got go"},
		{"nothing expected is no-go", "", "expected no-go, got go"},
		{"another verdict", "expect: {verdict: wait}\n", "expected wait, got go"},
		{"another type", "expect: {verdict: go, type: other}\n", "expected type other, got any"},
		{"a gate that passes", "expect: {verdict: go, reasons: [always]}\n", "expected always not to pass, but it did"},
		{"a gate of the engine that passes", "expect: {verdict: go, reasons: [signalbox/approval]}\n", "expected signalbox/approval not to pass, but it did"},
		{"a gate that passes where another does not", "cases: [{name: x, inputs: {calendar: {known: false}}, expect: {verdict: cannot tell, reasons: [always]}}]\n", "expected always not to pass, but it did"},
		{"cannot tell, as printed", "cases: [{name: x, inputs: {calendar: {known: false}}, expect: {verdict: cannot tell, reasons: [signalbox/calendar]}}]\n", ""},
		{"cannot tell, as in the API", "cases: [{name: x, inputs: {calendar: {known: false}}, expect: {verdict: indeterminate}}]\n", ""},
		{"what stood in the way", "cases: [{name: x, inputs: {approval: {rejected: true}}, expect: {verdict: go}}]\n", "expected go, got no-go because of signalbox/approval (rejected)"},
		{"a row keeps what it does not change", "expect: {verdict: go}\ncases: [{name: x}]\n", ""},
		{"a row at its own time", "expect: {verdict: wait}\ncases: [{name: x, at: 2027-03-01T10:00:00Z, inputs: {calendar: {frozen: true, thaws_at: 2027-03-01T10:00:01Z}}}]\n", ""},
		{"a row after the thaw", "expect: {verdict: wait}\ncases: [{name: x, at: 2027-03-01T10:00:02Z, inputs: {calendar: {frozen: true, thaws_at: 2027-03-01T10:00:01Z}}}]\n", "expected wait, got no-go because of signalbox/calendar (frozen)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := doc("ReleaseType", "name: other\nsize: [major]\nchange_types: [emergency]\nchain: one\nwhen: service.tier == 9\n")
			any := doc("ReleaseType", "name: any\nsize: [major, minor, patch]\nchange_types: [standard, normal, emergency]\nchain: one\nwhen: service.tier != 9\n")
			files := without("ReleaseType", any, other, good("probe", tt.rest))
			p := compiled(t, files)
			results := p.Test()
			r := results[len(results)-1]
			if r.Passed != (tt.why == "") || r.Why != tt.why {
				t.Errorf("passed %v: %q, want %q", r.Passed, r.Why, tt.why)
			}
			if ready := p.Ready(); (ready == nil) != (tt.why == "") {
				t.Errorf("ready: %v", ready)
			}
			if r.Where.File != "more.yaml" {
				t.Errorf("the case stands at %s", r.Where)
			}
		})
	}
}

func TestUntestedPolicyIsNotReady(t *testing.T) {
	err := compiled(t, without("TestCase")).Ready()
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "no test case") {
		t.Errorf("%v", err)
	}
	err = compiled(t, sample(good("probe", ""))).Ready()
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "1 of 2 test cases fail: probe: expected no-go, got go") {
		t.Errorf("%v", err)
	}
}

func TestInputsOfCases(t *testing.T) {
	p := compiled(t, sample(good("probe", "cases:\n  - name: row\n    inputs: {findings: {critical: 2, tools: [a, b], age_hours: 1.5}, calendar: {known: false, thaws_at: 2027-03-01T10:00:00Z}}\n")))
	got := p.cases[len(p.cases)-1]
	want := Inputs{
		Contract:    Contract,
		Now:         time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC),
		Release:     Release{Known: true, Version: "1.0.0", Size: Patch},
		Service:     Service{Known: true, Name: "example", Tier: 1, Flags: []string{"icfr"}},
		Environment: Environment{Known: true, Kind: "production"},
		Change:      Change{Known: true, Complete: true, SemverStep: Patch, Provenance: ByServer},
		Findings:    Findings{Known: true, Critical: 2, Tools: []string{"a", "b"}, AgeHours: 1.5},
		Approval:    Approval{Known: true, Satisfied: true, Approvals: 2},
		Calendar:    Calendar{ThawsAt: time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got.inputs); diff != "" {
		t.Error(diff)
	}
	if got.name != "probe: row" || got.verdict != NoGo {
		t.Errorf("%q, %s", got.name, got.verdict)
	}
}

func TestLintSeesGatesThatNeverRefuse(t *testing.T) {
	codes := func(files []File) (all []string) {
		for _, p := range Lint(files) {
			all = append(all, p.Code)
		}
		return all
	}
	gate := doc("Gate", "name: probe\ntitle: P\ncondition: service.tier > 0\n")
	if got := codes(sample(gate, good("probe", ""))); len(got) != 0 {
		t.Errorf("the gate is seen to refuse where nothing is known, yet: %v", got)
	}
	never := doc("Gate", "name: probe\ntitle: P\ncondition: 1 < 2\n")
	if got := codes(sample(never, good("probe", ""))); !slices.Equal(got, []string{"policy.untested-gate"}) {
		t.Errorf("a gate that always holds: %v", got)
	}
	absent := doc("Gate", "name: probe\ntitle: P\napplies: 1 > 2\ncondition: service.tier > 0\n")
	if got := codes(sample(absent)); !slices.Equal(got, []string{"policy.untested-gate"}) {
		t.Errorf("a gate that never applies: %v", got)
	}
}

func TestReferenceIsComplete(t *testing.T) {
	var want []string
	in := reflect.TypeFor[Inputs]()
	for i := range in.NumField() {
		name := in.Field(i).Tag.Get("cel")
		if _, is := sectionNamed(name); !is {
			if name != "contract" {
				want = append(want, name)
			}
			continue
		}
		for _, field := range fieldNames(in.Field(i).Type) {
			want = append(want, name+"."+field)
			index, _ := inputIndex(name + "." + field)
			if item, ok := itemType(in.FieldByIndex(index).Type); ok {
				for _, f := range fieldNames(item) {
					want = append(want, name+"."+field+"."+f)
				}
			}
		}
	}
	inputs, _ := Meanings()
	var got []string
	for _, m := range inputs {
		got = append(got, m.Name)
		if m.Text == "" || inputType(m.Name) == "" {
			t.Errorf("%s has no meaning or type", m.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("described (+) against declared (-) inputs:\n%s", diff)
	}
}

// TestInputsHaveOriginAndExample compares each input with its example: CEL
// refuses one of another type.
func TestInputsHaveOriginAndExample(t *testing.T) {
	s, err := environment(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	inputs, _ := Meanings()
	for _, m := range inputs {
		if m.Unit == "" || m.Origin == "" || m.Example == "" {
			t.Errorf("%s lacks unit, origin or example: %+v", m.Name, m)
			continue
		}
		condition := m.Name + " == " + m.Example
		if parts := strings.Split(m.Name, "."); len(parts) == 3 {
			condition = fmt.Sprintf("%s.%s.exists(x, x.%s == %s)", parts[0], parts[1], parts[2], m.Example)
		}
		if _, issues := s.env.Compile(condition); issues.Err() != nil {
			t.Errorf("%s: %v", condition, issues.Err())
		}
		if typ := inputType(m.Name); (typ == "int" || typ == "double" || typ == "timestamp") && m.Unit == "-" {
			t.Errorf("%s has no unit", m.Name)
		}
	}
}

// TestFieldsAreDescribed reads an empty document of each kind to learn which
// fields its reader asks for.
func TestFieldsAreDescribed(t *testing.T) {
	_, meant := Meanings()
	for _, k := range append(document.Kinds(), document.Kind{Name: "TestCase", Read: (&reader{out: &bundle.Problems{}}).testCase}) {
		out := &bundle.Problems{}
		for _, f := range bundle.Read([]File{{Name: "x.yaml", Data: []byte("kind: " + k.Name + "\nnobody_asks_for_this: 1\n")}}, out) {
			k.Read(document.NewReader(out), f)
			f.Done("it")
		}
		var used []string
		for _, p := range out.Sorted() {
			if all, ok := strings.CutPrefix(p.Fix, "use one of: "); ok && p.Code == "policy.unknown-field" {
				used = slices.Compact(strings.Split(all, ", "))
			}
		}
		var got []string
		for _, m := range meant[k.Name] {
			got = append(got, m.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(used, got); diff != "" {
			t.Errorf("%s: described (+) against read (-):\n%s", k.Name, diff)
		}
	}
}

// TestNeedableSectionsAreThose holds document's list against the sections.
func TestNeedableSectionsAreThose(t *testing.T) {
	if diff := cmp.Diff(sectionNames[secService:], document.Needable()); diff != "" {
		t.Error(diff)
	}
}

// TestSectionsMatchInputs holds the tables that name sections by hand.
func TestSectionsMatchInputs(t *testing.T) {
	var in Inputs
	for s := range sectionCount {
		index, ok := inputIndex(s.String() + ".known")
		if !ok {
			t.Fatalf("%s is no section", s)
		}
		field := reflect.ValueOf(&in).Elem().FieldByIndex(index)
		if field.Addr().Interface() != any(in.known(s)) {
			t.Errorf("known of %s points elsewhere", s)
		}
		if index, ok := inputIndex(s.String() + ".age_hours"); ok != (in.age(s) != nil) {
			t.Errorf("age of %s: %v", s, ok)
		} else if ok && reflect.ValueOf(&in).Elem().FieldByIndex(index).Addr().Interface() != any(in.age(s)) {
			t.Errorf("age of %s points elsewhere", s)
		}
		index, ok = inputIndex(s.String() + ".provenance")
		if ok {
			reflect.ValueOf(&in).Elem().FieldByIndex(index).SetString(s.String())
		}
		if p, has := in.provenance(s); has != ok || has && string(p) != s.String() {
			t.Errorf("provenance of %s: %q, %v", s, p, has)
		}
		v := &values{in: &in}
		if got, ok := v.ResolveName(s.String()); !ok || reflect.ValueOf(got).Elem().Type() != reflect.TypeFor[Inputs]().FieldByIndex(index0(s)).Type {
			t.Errorf("%s resolves to %T", s, got)
		}
	}
}

func index0(s section) []int {
	index, _ := inputIndex(s.String())
	return index
}

// TestEveryTextIsLimited sets each text and list of Inputs beyond its limit.
func TestEveryTextIsLimited(t *testing.T) {
	sections := reflect.TypeFor[Inputs]()
	for i := range sections.NumField() {
		section := sections.Field(i)
		if section.Type.Kind() != reflect.Struct || section.Type == reflect.TypeFor[time.Time]() {
			continue
		}
		for j := range section.Type.NumField() {
			in := fine()
			field := reflect.ValueOf(&in).Elem().Field(i).Field(j)
			switch field.Kind() {
			case reflect.String:
				field.SetString(strings.Repeat("x", MaxInputText+1))
			case reflect.Slice:
				field.Set(reflect.MakeSlice(field.Type(), MaxInputList+1, MaxInputList+1))
			default:
				continue
			}
			if over, _ := in.excess(); over == "" {
				t.Errorf("%s.%s has no limit", section.Name, section.Type.Field(j).Name)
			}
		}
	}
	in := fine()
	if over, modest := in.excess(); over != "" || !modest {
		t.Errorf("fine inputs are refused for %q, modest %t", over, modest)
	}
}

func TestShow(t *testing.T) {
	for want, v := range map[string]any{
		"0.8": 0.8, "2": 2, "-3": int64(-3), "true": true, "eu": "eu", `""`: "", "[a, b]": []string{"a", "b"}, "[]": []string{}, "nothing": time.Time{}, "2027-03-01T09:00:00Z": monday,
		"[x, x, x, x, x, x, x, x, x, x, and 2 more]": slices.Repeat([]string{"x"}, 12), "0.333333": 1.0 / 3, "100": 100.0, "server": ByServer,
	} {
		if got := show(reflect.ValueOf(v)); got != want {
			t.Errorf("%v is shown as %q, want %q", v, got, want)
		}
	}
}
